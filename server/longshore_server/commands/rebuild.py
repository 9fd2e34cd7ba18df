"""``longshore admin rebuild``: rows of what is stored, made again from the blob store alone."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

import click

from longshore_bundles import BundleError, check_project
from longshore_server.collecting.timer import LOCK
from longshore_server.counting import counted, tally
from longshore_server.healing import open_healers
from longshore_server.settings import Settings
from longshore_server.stores import open_stores
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.healing import Rebuild, RebuildReport

from .acting import admin_actor
from .meter import meter
from .running import run_with_settings, where


@click.command(epilog="Example: longshore admin rebuild --config longshore.yaml --project netops")
@where
@click.option(
    "--project",
    metavar="NAME",
    help="Which project may refer to the chunks of payloads that no release names. Whoever may read that "
    "project may then read them.",
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print.")
def rebuild(config: Path | None, data_dir: Path | None, project: str | None, output: str) -> None:
    """Restore payloads, pack files and the index of chunks from the blob store into the database.

    For a database that was lost, or that was restored from a backup older than the store. What the database
    has stays as it is. Releases, deployments and settings are in backups of the database only: restore one
    first where there is one. Run `longshore admin scrub` afterwards.
    """
    if project is not None:
        try:
            check_project(project)
        except BundleError as error:
            raise click.UsageError(f"--project: {error}") from None

    async def run(settings: Settings) -> None:
        async with AsyncExitStack() as stack:
            stores = await open_stores(settings, stack)
            healers = stack.enter_context(open_healers(stores.catalogue, stores.blobs, admin_actor()))
            work = Rebuild(stores.catalogue, stores.blobs, healers.workers, index_project=project)
            # Not beside a collector, which would find objects that nothing names yet.
            async with stores.coordination.lock(LOCK):
                with meter("rebuilding") as tell:
                    report = await work.run(
                        lambda now: tell(
                            now.manifests,
                            now.total_manifests,
                            f"{counted(now.restored_payloads, 'payload')} restored",
                        )
                    )
            async with stores.catalogue.transaction() as transaction:
                await record_audit(
                    transaction,
                    admin_actor(),
                    "database.rebuilt",
                    project=project or "",
                    message=f"{counted(report.restored_payloads, 'payload')}, "
                    f"{counted(report.restored_packs, 'pack file')} and "
                    f"{counted(report.indexed_chunks, 'chunk')} in the index",
                )
        _print(report, output)

    run_with_settings(config, {"data_dir": data_dir}, run)


def _print(report: RebuildReport, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(asdict(report), indent=2))
        return
    for line in report.unusable:
        click.echo(f"unusable: {line}", err=True)
    click.echo(tally(report.manifests, "manifest", f"in the store, {report.unusable_count} unusable"))
    click.echo(tally(report.payloads, "payload", f"whole, {report.restored_payloads} restored"))
    click.echo(tally(report.restored_packs, "pack file", "restored"))
    click.echo(tally(report.linked_releases, "release has its", "payload again", "releases have their"))
    click.echo(tally(report.indexed_chunks, "chunk", "in the index"))
    if report.unnamed_payloads:
        click.echo(
            f"no release names {counted(report.unnamed_payloads, 'payload')}, and releases cannot be made "
            "again: deploy the same content again within 30 days, or collecting removes it"
        )
    if report.unindexed_payloads:
        click.echo(
            f"of {report.unindexed_payloads} of that no project is known, so the bytes have to be sent "
            "again: name one with --project to spare that"
        )

"""``longshore admin rebuild``: rows of what is stored, made again from the blob store alone."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

import click

from longshore_bundles import BundleError, check_project
from longshore_server.collecting.timer import LOCK
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
                            f"{now.restored_payloads} payloads restored",
                        )
                    )
            async with stores.catalogue.transaction() as transaction:
                await record_audit(
                    transaction,
                    admin_actor(),
                    "database.rebuilt",
                    project=project or "",
                    message=f"{report.restored_payloads} payloads, {report.restored_packs} pack files and "
                    f"{report.indexed_chunks} chunks in the index",
                )
        _print(report, output)

    run_with_settings(config, {"data_dir": data_dir}, run)


def _print(report: RebuildReport, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(asdict(report), indent=2))
        return
    for line in report.unusable:
        click.echo(f"unusable: {line}", err=True)
    click.echo(f"{report.manifests:>9}  manifests in the store, {report.unusable_count} unusable")
    click.echo(f"{report.payloads:>9}  payloads whole, {report.restored_payloads} restored")
    click.echo(f"{report.restored_packs:>9}  pack files restored")
    click.echo(f"{report.linked_releases:>9}  releases have their payload again")
    click.echo(f"{report.indexed_chunks:>9}  chunks in the index")
    if report.unnamed_payloads:
        click.echo(
            f"{report.unnamed_payloads} payloads are named by no release, and releases cannot be rebuilt: "
            "deploy their content again within 30 days, or collecting removes them"
        )
    if report.unindexed_payloads:
        click.echo(
            f"{report.unindexed_payloads} of them belong to no project, so their bytes have to be sent "
            "again: name one with --project to spare that"
        )

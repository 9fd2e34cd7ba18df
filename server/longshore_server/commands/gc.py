"""``longshore admin gc``: one run of collecting now, beside running nodes or without them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

import click

from longshore_server.collecting import make_collector
from longshore_server.collecting.timer import LOCK
from longshore_server.counting import counted, tally
from longshore_server.settings import Settings
from longshore_server.stores import Stores, open_stores
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.collecting import CollectingReport, take_over

from .acting import admin_actor, record_done
from .asking import confirm
from .running import run_with_settings, where


@click.command(epilog="Example: longshore admin gc --config longshore.yaml --dry-run")
@where
@click.option("--dry-run", is_flag=True, help="Only count; nothing is changed.")
@click.option(
    "--now",
    is_flag=True,
    help="Remove what is condemned without the grace: who reads it just now fails, and an older backup of "
    "the database can no longer be restored whole.",
)
@click.option(
    "--take-over",
    "taking_over",
    is_flag=True,
    help="Be the blob store's only catalogue: the one that shared it is gone for good.",
)
@click.option("--yes", is_flag=True, help="Do not ask before --now and --take-over.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print.")
def gc(
    config: Path | None,
    data_dir: Path | None,
    dry_run: bool,
    now: bool,
    taking_over: bool,
    yes: bool,
    output: str,
) -> None:
    """Remove what nothing needs any more; a run that broke off is gone on with.

    Releases and history stay. Uploads that nobody resumed are given up, payloads that retention or a deletion
    let go of lose their rows, and their objects go a grace later.
    """
    if dry_run and taking_over:
        raise click.UsageError("--take-over changes the blob store, --dry-run changes nothing: choose one")
    if (now or taking_over) and not (dry_run or yes):
        confirm(_question(now, taking_over))

    async def run(settings: Settings) -> None:
        report = CollectingReport()
        async with AsyncExitStack() as stack:
            stores = await open_stores(settings, stack)
            try:
                await _collect(settings, stores, report, dry_run=dry_run, now=now, taking_over=taking_over)
            finally:
                # Also when it broke off: what is gone is gone.
                _print(report, output, dry_run=dry_run)

    run_with_settings(config, {"data_dir": data_dir}, run)


async def _collect(
    settings: Settings,
    stores: Stores,
    report: CollectingReport,
    *,
    dry_run: bool,
    now: bool,
    taking_over: bool,
) -> None:
    collector = make_collector(settings, stores.catalogue, stores.blobs, admin_actor())
    if dry_run:
        await collector.rehearse(report, now=now)
        return
    async with stores.coordination.lock(LOCK):
        if taking_over:
            await take_over(stores.catalogue, stores.blobs)
            async with stores.catalogue.transaction() as transaction:
                await record_audit(transaction, admin_actor(), "store.taken_over", to_status="ALONE")
        try:
            await collector.run(report, now=now)
        finally:
            # Also when it broke off: what is gone is gone.
            await record_done(stores.catalogue, "store.collected", _told(report, now=now))


def _question(now: bool, taking_over: bool) -> str:
    what = []
    if now:
        what.append("remove condemned objects at once, whoever reads them")
    if taking_over:
        what.append("count every object that this database does not know as an orphan")
    return f"{' and '.join(what).capitalize()}?"


def _told(report: CollectingReport, *, now: bool) -> str:
    return (
        f"{counted(report.objects_removed, 'object')} removed{' without the grace' if now else ''}, "
        f"{report.objects_condemned} condemned, "
        f"{counted(report.releases_reclaimed, 'payload')} of releases reclaimed, "
        f"{counted(report.uploads_given_up, 'upload')} given up"
    )


_LINES = (
    ("upload", "given up", "uploads_given_up", ""),
    ("release", "whose payload was reclaimed", "releases_reclaimed", "reclaimed_bytes"),
    ("payload", "dropped", "payloads_dropped", ""),
    ("manifest", "dropped that nothing named", "drafts_dropped", ""),
    ("pack file", "dropped", "pack_files_dropped", ""),
    ("chunk", "dropped from the index", "chunks_dropped", ""),
    ("orphan", "found", "orphans_found", "orphan_bytes"),
    ("object", "condemned", "objects_condemned", "condemned_bytes"),
    ("condemned object", "removed", "objects_removed", "removed_bytes"),
    ("event", "of old deployments dropped", "events_dropped", ""),
)


def _print(report: CollectingReport, output: str, *, dry_run: bool) -> None:
    if output == "json":
        click.echo(json.dumps({"dry_run": dry_run, **asdict(report)}, indent=2))
        return
    if dry_run:
        click.echo("would be:")
    for one, rest, count, size_bytes in _LINES:
        told = tally(getattr(report, count), one, rest)
        click.echo(f"{told}, {counted(getattr(report, size_bytes), 'byte')}" if size_bytes else told)
    click.echo(f"{report.hook_outputs_dropped:>9}  hooks' output of those dropped")
    if report.orphans_skipped:
        click.echo(f"warning: {report.orphans_skipped}", err=True)

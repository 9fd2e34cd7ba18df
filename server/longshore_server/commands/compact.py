"""``longshore admin compact``: one compaction now, beside running nodes or without them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

import click

from longshore_server.counting import counted, tally
from longshore_server.healing import open_healers
from longshore_server.healing.compacting import LOCK
from longshore_server.settings import Settings
from longshore_server.stores import open_stores
from longshore_storage.compacting import Compaction, CompactionProgress

from .acting import admin_actor, record_done
from .meter import meter
from .running import run_with_settings, where


@click.command(epilog="Example: longshore admin compact --config longshore.yaml --dry-run")
@where
@click.option("--dry-run", is_flag=True, help="Only tell what would be gained; nothing is changed.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print.")
def compact(config: Path | None, data_dir: Path | None, dry_run: bool, output: str) -> None:
    """Empty pack files of which less than half is used; `longshore admin gc` then removes them."""

    async def run(settings: Settings) -> None:
        async with AsyncExitStack() as stack:
            stores = await open_stores(settings, stack)
            healers = stack.enter_context(open_healers(stores.catalogue, stores.blobs, admin_actor()))
            if dry_run:
                await _rehearse(healers.compaction, output)
                return
            async with stores.coordination.lock(LOCK):
                progress = await _compact(healers.compaction, output)
                await record_done(
                    stores.catalogue,
                    "store.compacted",
                    f"{counted(progress.emptied_packs, 'pack file')} emptied, "
                    f"{counted(progress.payloads, 'payload')} moved",
                )

    run_with_settings(config, {"data_dir": data_dir}, run)


async def _rehearse(compaction: Compaction, output: str) -> None:
    plan = await compaction.plan()
    if output == "json":
        told = {
            "dry_run": True,
            "planned_packs": len(plan.candidates),
            "planned_bytes": plan.size_bytes,
            "live_bytes": plan.live_bytes,
        }
        click.echo(json.dumps(told, indent=2))
        return
    packs = tally(len(plan.candidates), "pack file", "would be emptied")
    click.echo(f"{packs}, {counted(plan.size_bytes, 'byte')}")
    click.echo(f"{'':>9}  of which {counted(plan.live_bytes, 'byte')} are used and would be moved")


async def _compact(compaction: Compaction, output: str) -> CompactionProgress:
    with meter("compacting") as tell:
        progress = await compaction.run(
            lambda now: tell(now.done_packs, now.planned_packs, f"{counted(now.payloads, 'payload')} moved")
        )
    if output == "json":
        click.echo(json.dumps({"dry_run": False, **asdict(progress)}, indent=2))
        return progress
    packs = tally(progress.emptied_packs, "pack file", "emptied")
    click.echo(f"{packs}, {counted(progress.emptied_bytes, 'byte')}")
    moved = tally(progress.payloads, "payload", "moved")
    click.echo(f"{moved}, {counted(progress.written_bytes, 'byte')} written")
    if progress.emptied_packs:
        click.echo("`longshore admin gc` removes what was emptied")
    return progress

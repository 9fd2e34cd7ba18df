"""``longshore admin scrub``: reads everything that is stored, and tells what is damaged."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from longshore_server.counting import counted, noun, tally
from longshore_server.disk import DataFolder, InstalledTrees
from longshore_server.healing import open_healers, repair_from_trees
from longshore_server.settings import Settings
from longshore_server.stores import Stores, open_stores
from longshore_storage.catalogue import Catalogue, damage
from longshore_storage.healing import Scrub, ScrubProgress
from longshore_storage.payloads import PayloadStore

from .acting import admin_actor, record_done
from .finite import Finite
from .meter import meter
from .running import run_with_settings, where

_EXIT_DAMAGED = 1
_EXIT_BROKEN_OFF = 130
_MB = 1_000_000
_PAGE = 100
_RELEASES_TOLD = 20


@dataclass(frozen=True, slots=True)
class _Damaged:
    """An object or payload that is damaged now; ``releases`` are its first ones."""

    name: str
    what: str
    releases: tuple[str, ...]
    total_releases: int


@click.command(epilog="Example: longshore admin scrub --config longshore.yaml --rate 20 --resume")
@where
@click.option(
    "--rate",
    "rate_mb_s",
    type=Finite(0),
    metavar="MB/S",
    help="Read no faster; 0 is no limit. Without it the setting `scrub.rate_bytes_s` counts.",
)
@click.option("--resume", is_flag=True, help="Go on where the last scrub broke off.")
@click.option(
    "--repair",
    is_flag=True,
    help="Give damaged payloads back what the trees installed in the data folder still have. Only while no "
    "node runs on that folder: a running one does so by itself.",
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print.")
def scrub(
    config: Path | None,
    data_dir: Path | None,
    rate_mb_s: float | None,
    resume: bool,
    repair: bool,
    output: str,
) -> None:
    """Read every stored byte and check it. The exit code is 1 when anything is damaged, or stays so.

    What is damaged is noted, so that the next upload of the same content, or a node that has the release
    installed, repairs it.
    """
    exit_code = _EXIT_BROKEN_OFF

    async def run(settings: Settings) -> None:
        nonlocal exit_code
        async with AsyncExitStack() as stack:
            # Refuses a folder on which a node runs: that may remove trees while they are read.
            trees = (
                InstalledTrees(stack.enter_context(DataFolder.open(settings.data_dir))) if repair else None
            )
            stores = await open_stores(settings, stack)
            rate_bytes_s = settings.scrub.rate_bytes_s if rate_mb_s is None else rate_mb_s * _MB
            progress, repaired = await _scrub(stores, stack, trees, rate_bytes_s or None, resume=resume)
            damaged = [one async for one in _damaged(stores.catalogue)]
            await record_done(
                stores.catalogue,
                "store.scrubbed",
                f"{counted(progress.packs, 'pack file')} and {counted(progress.payloads, 'payload')} read, "
                f"{repaired} repaired, "
                f"{len(damaged)} damaged now",
            )
        _print(progress, damaged, repaired, output)
        exit_code = _EXIT_DAMAGED if damaged or progress.unreadable else 0

    run_with_settings(config, {"data_dir": data_dir}, run)
    if exit_code == _EXIT_BROKEN_OFF:
        click.echo("broken off: `longshore admin scrub --resume` goes on from there", err=True)
    if exit_code:
        raise SystemExit(exit_code)


async def _scrub(
    stores: Stores,
    stack: AsyncExitStack,
    trees: InstalledTrees | None,
    rate_bytes_s: float | None,
    *,
    resume: bool,
) -> tuple[ScrubProgress, int]:
    healers = stack.enter_context(open_healers(stores.catalogue, stores.blobs, admin_actor()))
    payloads = await stack.enter_async_context(PayloadStore(stores.catalogue, stores.blobs))
    scrubbing = Scrub(
        stores.catalogue,
        stores.blobs,
        healers.workers,
        payloads,
        healers.marker,
        rate_bytes_s=rate_bytes_s,
    )
    total_bytes = await scrubbing.total_bytes()
    with meter("scrubbing") as tell:
        progress = await scrubbing.run(
            resume=resume, tell=lambda now: tell(now.read_bytes, total_bytes, f"{now.damaged} damaged")
        )
    if trees is None:
        return progress, 0
    return progress, await repair_from_trees(stores.catalogue, stores.coordination, healers.repair, trees)


async def _damaged(catalogue: Catalogue) -> AsyncGenerator[_Damaged, None]:
    """Everything that is damaged now, found by this scrub or before."""
    after = ""
    while True:
        async with catalogue.reading() as transaction:
            packs = await damage.damaged_packs(transaction, after=after, limit=_PAGE)
        for pack in packs:
            yield _Damaged(f"pack file {pack.key}", "not all of it is as it was put", (), 0)
        if len(packs) < _PAGE:
            break
        after = packs[-1].key
    after = ""
    while True:
        async with catalogue.reading() as transaction:
            rows = await damage.damaged_payloads(transaction, after=after, limit=_PAGE)
            releases = [await damage.releases_of(transaction, row.sha256) for row in rows]
        for row, named in zip(rows, releases, strict=True):
            first = tuple(f"{release.project} {release.version}" for release in named[:_RELEASES_TOLD])
            yield _Damaged(f"payload sha256:{row.sha256}", row.damage, first, len(named))
        if len(rows) < _PAGE:
            return
        after = rows[-1].sha256


def _print(progress: ScrubProgress, damaged: list[_Damaged], repaired: int, output: str) -> None:
    if output == "json":
        counts = {name: count for name, count in asdict(progress).items() if isinstance(count, int)}
        told = {**counts, "repaired": repaired, "damaged_now": [asdict(one) for one in damaged]}
        click.echo(json.dumps(told, indent=2))
        return
    for one in damaged:
        click.echo(f"damaged: {one.name}: {one.what}")
        for release in one.releases:
            click.echo(f"    release {release}")
        if one.total_releases > len(one.releases):
            more = one.total_releases - len(one.releases)
            click.echo(f"    and {more} more {noun(more, 'release')}")
    click.echo(f"{tally(progress.packs, 'pack file', 'read')}, {counted(progress.read_bytes, 'byte')}")
    click.echo(tally(progress.chunks, "chunk", "checked"))
    click.echo(tally(progress.payloads, "payload", "checked"))
    click.echo(f"{progress.absolved:>9}  found sound again")
    click.echo(tally(repaired, "payload", "repaired from installed trees"))
    if progress.unreadable:
        click.echo(tally(progress.unreadable, "object", "that the store could not give; its log tells why"))
    click.echo(f"{len(damaged):>9}  damaged now")

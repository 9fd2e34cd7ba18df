"""One run: rows one after the other, each kept as soon as it ends, and gone on with where it broke off."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
import traceback
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from . import results
from .results import Measured, Results, RowResult
from .rows import ROWS
from .sizes import GIB, Sizes
from .stage import Bench, bench
from .targets import targets_of

# What takes longer hangs.
_LONGEST_ROW_S = 1800


class NoRoomError(Exception):
    """The disk has no room for the largest row; the message says how much it needs."""


def run(sizes: Sizes, path: Path, *, only: Sequence[str] = (), anew: bool = False) -> list[str]:
    """Measure all rows, or ``only`` some, into the file at ``path``; returns the rows that failed.

    A whole run that broke off, or in which a row failed, is gone on with by the next one, unless ``anew``.
    Raises ``NoRoomError``.
    """
    _check_room(sizes)
    kept = results.load(path, sizes.name)
    whole = not only
    if whole:
        if anew or not kept.unfinished_run:
            kept.unfinished_run = uuid.uuid4().hex[:8]
        elif done := {name: row for name, row in kept.rows.items() if row.run == kept.unfinished_run}:
            since = min(row.measured_at for row in done.values())
            print(
                f"going on with the run of {since}: {', '.join(done)} done; ANEW=1 begins from the start",
                flush=True,
            )
    run_id = kept.unfinished_run if whole else uuid.uuid4().hex[:8]
    failed = []
    for name in only or ROWS:
        if name in kept.rows and kept.rows[name].run == run_id:
            continue
        try:
            kept.rows[name] = _measure(name, sizes, run_id)
        except Exception:
            traceback.print_exc()
            failed.append(name)
            continue
        kept.rows = {known: kept.rows[known] for known in ROWS if known in kept.rows}
        kept.save(path)
        _tell(name, kept)
    if whole and not failed:
        kept.unfinished_run = ""
        kept.save(path)
    return failed


def _measure(name: str, sizes: Sizes, run_id: str) -> RowResult:
    load = os.getloadavg()[0]
    begun = time.perf_counter()
    print(f"== {name} ({sizes.name} size, load {load:.1f})", flush=True)

    def say(line: str) -> None:
        print(f"{time.perf_counter() - begun:6.0f} s  {name}: {line}", flush=True)

    with bench(sizes, say) as stage:
        measured = asyncio.run(_awaited(name, stage))
    return RowResult(
        figures={
            target: [float(f"{value:.5g}") for value in values] for target, values in measured.figures.items()
        },
        details=dict(measured.details),
        run=run_id,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        took_s=round(time.perf_counter() - begun, 1),
        load=round(load, 2),
        machine=results.machine(),
    )


def _tell(name: str, kept: Results) -> None:
    row = kept.rows[name]
    for target in targets_of(name):
        if target.name not in row.figures:
            print(f"   {target.name}: NOT MEASURED", flush=True)
            continue
        figure = row.figure(target.name)
        print(
            f"   {target.name}: {target.shown(figure.median)} "
            f"({target.shown(figure.lowest)} – {target.shown(figure.highest)}), "
            f"required {target.bound(target.required)}, aim {target.bound(target.aim)}: "
            f"{target.verdict(figure)}",
            flush=True,
        )
    print(f"   took {row.took_s:.0f} s", flush=True)


async def _awaited(name: str, stage: Bench) -> Measured:
    async with asyncio.timeout(_LONGEST_ROW_S):
        return await ROWS[name](stage)


def _check_room(sizes: Sizes) -> None:
    """Raises ``NoRoomError``: most is needed for the uploads at once, as files and as stored."""
    needed = int(2.2 * max(sizes.uploads_at_once * sizes.payload_bytes, sizes.large_payload_bytes))
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoomError(
            f"{needed / GIB:.1f} GiB are needed in {folder}, {free / GIB:.1f} are free: "
            "set TMPDIR to a folder on a larger disk"
        )

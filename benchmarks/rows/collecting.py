"""Collecting at size: half of 10,000 releases go, of 20,000 pack files and 5,000,000 chunk rows.

Runs ``longshore admin gc`` as a person would, on PostgreSQL and a folder of objects: a dry run, the run that
drops rows and condemns objects, and the one that removes them. The time is that of the last two together,
from the command's start to its end; the memory is the largest that any of the three had, all of the process.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.filling import PROJECTS, Size, fill_database, put_objects
from benchmarks.processes import peak_bytes
from benchmarks.results import Measured
from benchmarks.services import DurablePostgres
from benchmarks.sizes import MIB
from benchmarks.stage import Bench
from tests.services.binaries import ETCD, find
from tests.services.etcd_cluster import EtcdCluster
from tests.services.postgres_programs import find_postgres
from tests.services.postgres_service import PostgresService

_PHASES = {"dry run": ["--dry-run"], "drop and condemn": [], "remove": ["--now", "--yes"]}
_LOOK_S = 0.02


@dataclass(frozen=True)
class _Run:
    seconds: float
    peak_mib: float
    report: dict[str, Any]


async def measure(bench: Bench) -> Measured:
    folder = bench.folder
    with (
        DurablePostgres(find_postgres(folder), folder / "postgres") as postgres,
        EtcdCluster(find(ETCD, bench.say).path, folder / "etcd", size=1) as etcd,
    ):
        return await measure_on(bench, postgres, etcd)


async def measure_on(bench: Bench, postgres: PostgresService, etcd: EtcdCluster) -> Measured:
    """Measure on services that run."""
    folder = bench.folder
    size = Size(bench.sizes.collected_releases)
    runs: list[dict[str, _Run]] = []
    with postgres.fresh_database() as filled:
        bench.say(
            f"filling {size.chunks:,} chunk rows, {size.packs:,} pack files, {size.releases:,} releases"
        )
        begun = time.perf_counter()
        await fill_database(postgres.url(filled), size)
        put_objects(folder / "blobs", size)
        bench.say(f"filled in {time.perf_counter() - begun:.0f} s")
        for number in range(bench.sizes.pairs):
            blobs = folder / f"blobs-{number}"
            shutil.copytree(folder / "blobs", blobs, copy_function=os.link)
            with postgres.fresh_database(template=filled) as database, etcd.fresh_prefix() as prefix:
                env = {
                    "LONGSHORE_DATABASE__URL": postgres.url(database),
                    "LONGSHORE_BLOBS__URL": f"file://{blobs}",
                    "LONGSHORE_COORDINATION__URL": etcd.url(prefix),
                    "LONGSHORE_RETENTION__KEEP_RELEASES": str(size.releases // PROJECTS // 2),
                }
                runs.append({name: await _gc(options, env) for name, options in _PHASES.items()})
            shutil.rmtree(blobs)
            bench.say(", ".join(f"{name} {run.seconds:.1f} s" for name, run in runs[-1].items()))
    _check(runs[-1], size)
    return Measured(
        {
            "gc.time": [run["drop and condemn"].seconds + run["remove"].seconds for run in runs],
            "gc.memory": [max(phase.peak_mib for phase in run.values()) for run in runs],
        },
        {
            "chunk_rows": size.chunks,
            "pack_files": size.packs,
            "releases": size.releases,
            "phases_s": {name: [round(run[name].seconds, 2) for run in runs] for name in _PHASES},
            "phases_peak_mib": {name: [round(run[name].peak_mib, 1) for run in runs] for name in _PHASES},
            "report": {key: value for key, value in runs[-1]["drop and condemn"].report.items() if value},
        },
    )


async def _gc(options: list[str], env: Mapping[str, str]) -> _Run:
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("longshore")),
        *("admin", "gc", *options, "-o", "json"),
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told = asyncio.create_task(process.communicate())
    peak = 0
    while not told.done():
        # Gone between two looks: the last one counts.
        try:
            peak = max(peak, peak_bytes(process.pid))
        except (OSError, AssertionError):
            break
        await asyncio.wait([told], timeout=_LOOK_S)
    output, errors = await told
    seconds = time.perf_counter() - begun
    if process.returncode != 0:
        raise RuntimeError(f"gc ended with status {process.returncode}: {errors.decode()[-1000:]}")
    return _Run(seconds, peak / MIB, json.loads(output))


def _check(run: Mapping[str, _Run], size: Size) -> None:
    """It did what is measured: about half of everything went."""
    dropped = run["drop and condemn"].report["pack_files_dropped"]
    removed = run["remove"].report["objects_removed"]
    if not (size.packs * 0.3 < dropped < size.packs * 0.6 and removed >= dropped):
        raise RuntimeError(f"{dropped} of {size.packs} pack files were dropped, {removed} objects removed")

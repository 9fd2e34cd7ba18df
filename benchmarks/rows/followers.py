"""Many followers of one deployment at four events a second: when the last of them has each event.

The node is ``longshore serve`` on SQLite, whose events come from ``benchmarks.telling``. The followers are
two processes of a small Go program (``benchmarks/go/followers``), 500 on a connection, because thousands of
them in Python would take more of the machine than the node that is measured. Every follower must see every
event once and in order, or the row fails.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import telling
from benchmarks.content import make_random_file
from benchmarks.processes import cpu_s, forget_peak, peak_bytes, resident_bytes
from benchmarks.results import Measured
from benchmarks.sizes import MIB
from benchmarks.stage import Bench
from longshore_client import Client, PayloadFormat, Terms

_SOURCES = Path(__file__).parents[1] / "go" / "followers"
_PROCESSES = 2
_ON_A_CONNECTION = 500


@dataclass(frozen=True)
class _Run:
    delays_s: Sequence[float]
    growth_mib: float
    node_cores: float

    def delay_ms(self, share: float) -> float:
        """The delay within which that share of the events had reached the last follower."""
        return 1000 * self.delays_s[min(int(share * len(self.delays_s)), len(self.delays_s) - 1)]


async def measure_few(bench: Bench) -> Measured:
    return await _measure(bench, "followers-1000", bench.sizes.followers[0])


async def measure_many(bench: Bench) -> Measured:
    return await _measure(bench, "followers-10000", bench.sizes.followers[1])


async def _measure(bench: Bench, row: str, followers: int) -> Measured:
    program = await _built(bench)
    runs = [await _follow(bench, program, followers) for _ in range(bench.sizes.pairs)]
    details: dict[str, Any] = {
        "followers": followers,
        "events": bench.sizes.followed_events,
        "node_cores": [round(run.node_cores, 2) for run in runs],
    }
    return Measured(
        {
            f"{row}.p99": [run.delay_ms(0.99) for run in runs],
            f"{row}.p50": [run.delay_ms(0.5) for run in runs],
            f"{row}.memory": [run.growth_mib for run in runs],
        },
        details,
    )


async def _built(bench: Bench) -> Path:
    if (go := shutil.which("go")) is None:
        raise RuntimeError("the followers are a Go program: install Go 1.26 or later")
    program = bench.folder / "followers"
    env = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-buildvcs=false -mod=readonly -p=2"}
    process = await asyncio.create_subprocess_exec(
        go, "build", "-o", str(program), ".", cwd=_SOURCES, env=env
    )
    if await process.wait() != 0:
        raise RuntimeError("the followers could not be built")
    return program


async def _follow(bench: Bench, program: Path, followers: int) -> _Run:
    with bench.place() as place:
        node = [sys.executable, str(Path(telling.__file__))]
        env = {telling.VARIABLE: str(bench.sizes.followed_events)}
        async with place.server(program=node, env=env) as server, Client(server.address) as client:
            staged = await client.deploy(
                make_random_file(place.folder / "file", MIB),
                project="bench",
                payload_format=PayloadFormat.FILE,
                terms=Terms(stage_only=True),
            )
            idle_bytes = resident_bytes(server.pid)
            forget_peak(server.pid)
            command = [str(program), server.address, staged.deployment_id, str(followers // _PROCESSES)]
            processes = [
                await asyncio.create_subprocess_exec(*command, str(_ON_A_CONNECTION), stdout=PIPE)
                for _ in range(_PROCESSES)
            ]
            for process in processes:
                assert process.stdout is not None
                if await process.stdout.readline() != b"following\n":
                    raise RuntimeError("the followers broke off")
            spent_s, begun = cpu_s(server.pid), time.monotonic()
            os.kill(server.pid, signal.SIGUSR1)
            seen = [json.loads((await process.communicate())[0]) for process in processes]
            cores = (cpu_s(server.pid) - spent_s) / (time.monotonic() - begun)
            growth_mib = (peak_bytes(server.pid) - idle_bytes) / MIB
    run = _Run(_last_delays(seen, bench.sizes.followed_events), growth_mib, cores)
    bench.say(
        f"{followers:,} followers: p50 {run.delay_ms(0.5):.0f} ms, p99 {run.delay_ms(0.99):.0f} ms, "
        f"+{growth_mib:.0f} MiB, the node took {cores:.2f} cores"
    )
    return run


def _last_delays(seen: Sequence[dict[str, float]], events: int) -> list[float]:
    """Of each event the delay of the last follower anywhere, sorted."""
    told = set.intersection(*(set(one) for one in seen))
    if len(told) < events:
        raise RuntimeError(f"only {len(told)} of {events} events were seen by all")
    return sorted(max(one[sequence] for one in seen) for sequence in told)

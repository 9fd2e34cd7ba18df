"""What a thousand audit entries a second, written and sealed beside, add to a deployment's way to live.

Entries are written by a process of their own into the node's database, and the node seals every second. Some
deployments are made beside them and some without, by turns on the same node, the first of a pair changing
with every pair. As in the row ``latency``, one node does everything, on SQLite and on real services.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from benchmarks.audit_writing import A_SECOND, AuditWriter, audit_writer
from benchmarks.results import Measured
from benchmarks.services import Services, migrated, services
from benchmarks.stage import Bench
from longshore_client import Client
from longshore_storage.catalogue import audit_seals, open_catalogue
from tests.services.processes import ServerProcess, serve

from .latency import deploy_once

_BUNDLE_BYTES = 10_000
# A deployment's time differs by a tenth from one to the next, and what is looked for is a hundredth.
_IN_A_TURN = 20
_PAUSE_S = 0.2
_SEAL_EVERY_S = 1.0
_ENV = {"LONGSHORE_AUDIT__SEAL_EVERY_S": str(_SEAL_EVERY_S), "LONGSHORE_LOG__LEVEL": "warning"}

_Deploy = Callable[[], Coroutine[Any, Any, float]]


async def measure(bench: Bench) -> Measured:
    with services(bench) as started:
        return await measure_on(bench, started)


async def measure_on(bench: Bench, started: Services) -> Measured:
    """Measure on services that run."""
    with bench.place() as place:
        async with serve(data_dir=place.folder / "node", env=_ENV) as node:
            database = f"sqlite:///{place.folder / 'node' / 'longshore.db'}"
            embedded = await _compare(bench, node, database, place.folder)
    with bench.place() as place, started.postgres.fresh_database() as name:
        database = started.postgres.url(name)
        await migrated(database)
        async with started.node(bench, name, env=_ENV) as node:
            on_services = await _compare(bench, node, database, place.folder)
    return Measured(
        {"audit.embedded": embedded.pop("times"), "audit.services": on_services.pop("times")},
        {"entries_a_second": A_SECOND, "embedded": embedded, "services": on_services},
    )


async def _compare(bench: Bench, node: ServerProcess, database: str, folder: Path) -> dict[str, Any]:
    """Turn by turn, how many times as long deployments take beside entries, and what that was made of."""
    taken_ms: Mapping[str, list[float]] = {"beside": [], "without": []}
    rates: list[float] = []
    bundle = folder / "bundle"
    bundle.mkdir()
    numbers = iter(range(1 << 30))
    async with Client(node.address) as client, audit_writer(database) as writer:

        async def deploy() -> float:
            (bundle / "content").write_bytes(random.Random(next(numbers)).randbytes(_BUNDLE_BYTES))
            took_s = await deploy_once(client, bundle)
            await asyncio.sleep(_PAUSE_S)
            return 1000 * took_s

        each = min(_IN_A_TURN, bench.sizes.bundles)
        await _turn(deploy, each)
        for number in range(2 * bench.sizes.pairs):
            for side in ("beside", "without") if number % 2 else ("without", "beside"):
                if side == "beside":
                    taken_ms[side].append(await _beside(writer, deploy, each, rates))
                    await _sealed(database)
                else:
                    taken_ms[side].append(await _turn(deploy, each))
            bench.say(", ".join(f"{side} {values[-1]:.1f} ms" for side, values in taken_ms.items()))
    return {
        "times": [a / b for a, b in zip(taken_ms["beside"], taken_ms["without"], strict=True)],
        "ms": {side: [round(each, 1) for each in values] for side, values in taken_ms.items()},
        "written_a_second": [round(each) for each in rates],
    }


async def _turn(deploy: _Deploy, count: int) -> float:
    return statistics.median([await deploy() for _ in range(count)])


async def _beside(writer: AuditWriter, deploy: _Deploy, count: int, rates: list[float]) -> float:
    before, begun_s = await writer.toggle(), time.monotonic()
    # So that there is something to be sealed from the first deployment on.
    await asyncio.sleep(1.5 * _SEAL_EVERY_S)
    took = await _turn(deploy, count)
    rates.append((await writer.toggle() - before) / (time.monotonic() - begun_s))
    return took


async def _sealed(database: str) -> None:
    """Wait until all that was written is sealed: what is behind would be charged to the other side."""
    catalogue = open_catalogue(database)
    try:
        while True:
            async with catalogue.reading() as transaction:
                if not await audit_seals.unanchored_seals(transaction, limit=1) and (
                    not await audit_seals.count_unsealed(transaction)
                ):
                    return
            await asyncio.sleep(_PAUSE_S)
    finally:
        await catalogue.close()

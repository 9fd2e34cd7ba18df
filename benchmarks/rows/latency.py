"""From the first byte of a small bundle to live, as a client sees it that follows the deployment.

The clock begins when the server has accepted the upload, right before the payload's first byte, and ends with
the event that says it is live: upload, examination, record, rollout and switch. One node does everything,
once with nothing beside it and once on PostgreSQL, etcd and MinIO.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.going_live import until_live
from benchmarks.results import Measured
from benchmarks.services import Services, services
from benchmarks.stage import Bench
from longshore_client import Client, UploadPhase, UploadProgress
from longshore_storage.catalogue import open_catalogue
from tests.services.processes import ServerProcess, serve

_BUNDLE_BYTES = 10_000
# The first ones load what is loaded once.
_WARM_UP = 5
_PAUSE_S = 0.2


async def measure(bench: Bench) -> Measured:
    with services(bench) as started:
        return await measure_on(bench, started)


async def measure_on(bench: Bench, started: Services) -> Measured:
    """Measure on services that run."""
    with bench.place() as place:
        async with serve(data_dir=place.folder / "node", env={"LONGSHORE_LOG__LEVEL": "warning"}) as node:
            embedded = await _deploy_all(bench, node, place.folder)
    with bench.place() as place, started.postgres.fresh_database() as database:
        catalogue = open_catalogue(started.postgres.url(database))
        await catalogue.migrate()
        await catalogue.close()
        async with started.node(bench, database) as node:
            on_services = await _deploy_all(bench, node, place.folder)
    return Measured(
        {
            "latency.embedded": [1000 * each for each in embedded],
            "latency.services": [1000 * each for each in on_services],
        },
        {"bundle_bytes": _BUNDLE_BYTES, "bundles": bench.sizes.bundles},
    )


async def _deploy_all(bench: Bench, node: ServerProcess, folder: Path) -> Sequence[float]:
    taken: list[float] = []
    bundle = folder / "bundle"
    bundle.mkdir()
    async with Client(node.address) as client:
        for number in range(_WARM_UP + bench.sizes.bundles):
            (bundle / "content").write_bytes(random.Random(number).randbytes(_BUNDLE_BYTES))
            taken.append(await deploy_once(client, bundle))
            # What a node does behind a switch is not charged to the next one.
            await asyncio.sleep(_PAUSE_S)
    return taken[_WARM_UP:]


async def deploy_once(client: Client, bundle: Path) -> float:
    """Seconds from the first byte of a bundle until it is live."""
    accepted = 0.0

    def note(progress: UploadProgress) -> None:
        nonlocal accepted
        if progress.phase is UploadPhase.ACCEPTED:
            accepted = time.perf_counter()

    deployment = await client.deploy(bundle, project="bench", on_progress=note)
    await until_live(client, deployment.deployment_id)
    return time.perf_counter() - accepted

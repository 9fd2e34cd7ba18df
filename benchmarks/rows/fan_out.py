"""From durable to live on every node: many nodes against one, each with a line of its own to the store.

A line carries so little that the machine, which plays all of the nodes, is not the limit. Both sides take
turns, each with bytes that nobody has seen.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.content import make_random_file
from benchmarks.peers import Cluster, cluster, live_everywhere
from benchmarks.results import Measured
from benchmarks.services import Services, services
from benchmarks.stage import Bench
from longshore_client import Client, PayloadFormat


async def measure(bench: Bench) -> Measured:
    with services(bench) as started:
        return await measure_on(bench, started)


async def measure_on(bench: Bench, started: Services) -> Measured:
    """Measure on services that run."""
    sizes = bench.sizes
    sides = {"one": 1, "many": sizes.fan_out_nodes}
    taken: dict[str, list[float]] = {side: [] for side in sides}
    environments = [side for side, nodes in sides.items() for _ in range(nodes)]
    async with cluster(bench, started, environments, bytes_per_s=sizes.fan_out_bytes_per_s) as nodes:
        for number in range(sizes.pairs):
            for side in ("one", "many") if number % 2 else ("many", "one"):
                taken[side].append(await _to_live(nodes, side, sides[side], sizes.fan_out_payload_bytes))
            bench.say(
                f"{taken['one'][-1]:.1f} s on one, {taken['many'][-1]:.1f} s on {sizes.fan_out_nodes} nodes"
            )
    return Measured(
        {"fan-out.time": [many / one for one, many in zip(taken["one"], taken["many"], strict=True)]},
        {
            "nodes": sizes.fan_out_nodes,
            "size_bytes": sizes.fan_out_payload_bytes,
            "bytes_per_s": sizes.fan_out_bytes_per_s,
            **{f"{side}_s": [round(each, 3) for each in seconds] for side, seconds in taken.items()},
        },
    )


async def _to_live(nodes: Cluster, environment: str, count: int, size_bytes: int) -> float:
    path = await asyncio.to_thread(make_random_file, nodes.place.folder / "payload", size_bytes)
    async with Client(nodes.receiver.address) as client:
        deployment = await client.deploy(
            path, project="bench", environment=environment, payload_format=PayloadFormat.FILE
        )
        # It is durable, and recorded.
        begun = time.perf_counter()
        await live_everywhere(client, deployment.deployment_id, count)
        return time.perf_counter() - begun

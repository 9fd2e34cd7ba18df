"""A node's memory while somebody holds thousands of streams on which nothing comes, others being served.

The streams are uploads that were begun and of which no message comes, by hand-made frames, so that no library
is measured. Others' calls go on meanwhile, each on a connection of its own.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from contextlib import AsyncExitStack
from urllib.request import urlopen

import grpc

from benchmarks.processes import forget_peak, peak_bytes, resident_bytes
from benchmarks.results import Measured
from benchmarks.sizes import MIB
from benchmarks.stage import Bench
from longshore.v1 import cluster_service_pb2, cluster_service_pb2_grpc
from tests.server.wire import frames
from tests.services.ports import ReservedPort
from tests.services.processes import ServerProcess

_DEPLOY = "/longshore.v1.DeploymentService/Deploy"
_ON_A_CONNECTION = 500
_OTHERS_CALLS = 50
# Longer than the row takes: they are all to be there at once.
_ENV = {"LONGSHORE_UPLOADS__IDLE_TIMEOUT_S": "600"}
_RUNNING = re.compile(r"^longshore_calls_running (?P<count>\S+)$", re.MULTILINE)
_LOOK_AGAIN_S = 0.1


async def measure(bench: Bench) -> Measured:
    runs = [await _hold(bench) for _ in range(bench.sizes.pairs)]
    details = {
        "streams": bench.sizes.idle_streams,
        "others_ms": {
            "alone": [round(before_ms, 1) for _, before_ms, _ in runs],
            "meanwhile": [round(during_ms, 1) for _, _, during_ms in runs],
        },
    }
    return Measured({"idle-streams.memory": [grown_mib for grown_mib, _, _ in runs]}, details)


async def _hold(bench: Bench) -> tuple[float, float, float]:
    """MiB for the streams, and what others' calls took before them and beside them, in milliseconds."""
    with bench.place() as place, ReservedPort() as metrics:
        env = {**_ENV, "LONGSHORE_METRICS__LISTEN": metrics.address}
        async with place.server(env=env) as server, AsyncExitStack() as stack:
            before_ms = await _others_ms(server)
            idle_bytes = resident_bytes(server.pid)
            forget_peak(server.pid)
            for first in range(0, bench.sizes.idle_streams, _ON_A_CONNECTION):
                connection = await stack.enter_async_context(frames.RawConnection(server.address))
                for number in range(min(_ON_A_CONNECTION, bench.sizes.idle_streams - first)):
                    await connection.send(frames.begin(2 * number + 1, _DEPLOY))
                await connection.answered()
            await _until_taken(metrics.address, bench.sizes.idle_streams)
            during_ms = await _others_ms(server)
            grown_mib = (peak_bytes(server.pid) - idle_bytes) / MIB
    bench.say(
        f"{bench.sizes.idle_streams:,} streams: +{grown_mib:.0f} MiB, others' calls {before_ms:.1f} ms "
        f"before and {during_ms:.1f} ms meanwhile"
    )
    return grown_mib, before_ms, during_ms


async def _until_taken(metrics: str, streams: int) -> None:
    """Wait until the node handles them all: what it has not begun with costs it little."""
    while True:
        if await asyncio.to_thread(_running, metrics) >= streams:
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


def _running(metrics: str) -> float:
    with urlopen(f"http://{metrics}/metrics", timeout=30) as response:
        told = _RUNNING.search(response.read().decode())
    assert told is not None
    return float(told["count"])


async def _others_ms(server: ServerProcess) -> float:
    taken = []
    options = (("grpc.use_local_subchannel_pool", 1),)
    for _ in range(_OTHERS_CALLS):
        begun = time.perf_counter()
        async with grpc.aio.insecure_channel(server.address, options=options) as channel:
            stub = cluster_service_pb2_grpc.ClusterServiceStub(channel)
            await stub.GetServerInfo(cluster_service_pb2.GetServerInfoRequest(), timeout=30)
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)

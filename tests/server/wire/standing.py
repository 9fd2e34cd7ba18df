"""A node as a process that is attacked: it stands, answers others, logs no fault, and stays small."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.processes import forget_peak, peak_bytes, resident_bytes
from tests.services.processes import ServerProcess, serve

MIB = 1 << 20
# What a handler leaves in the log where it met a fault of our own, and asyncio, gRPC and Python likewise.
_FAULTS = ("call.failed", "Traceback", "never retrieved", "Unexpected")


@asynccontextmanager
async def standing(
    folder: Path, *, may_grow_bytes: int, env: Mapping[str, str] | None = None
) -> AsyncIterator[ServerProcess]:
    """Run a node, and check at the block's end that what was done in it left no trace."""
    variables = {"LONGSHORE_LOG__FORMAT": "json", **(env or {})}
    async with serve(data_dir=folder / "node", env=variables) as server:
        await assert_serving(server)
        before = resident_bytes(server.pid)
        forget_peak(server.pid)
        yield server
        await assert_serving(server)
        grown = peak_bytes(server.pid) - before
        # Seen with `pytest -s`.
        print(f"+{grown / MIB:.0f} of {may_grow_bytes / MIB:.0f} MiB")
        assert_no_fault(server)
        assert grown <= may_grow_bytes, f"+{grown >> 20} MiB"


async def assert_serving(server: ServerProcess) -> None:
    """Somebody else, on a connection of his own, is answered."""
    assert server.running, server.stderr[-3000:]
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(server.address, options=options) as channel:
        request = health_pb2.HealthCheckRequest(service="longshore.read")
        answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=20, wait_for_ready=True)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def assert_no_fault(server: ServerProcess) -> None:
    """Its log has lines of its own only, and none of a fault."""
    for line in server.stderr.splitlines():
        assert not any(fault in line for fault in _FAULTS), line[:3000]
        assert isinstance(json.loads(line), dict)

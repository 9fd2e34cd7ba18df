"""How much metadata a call may have, whether or not its client has acknowledged that limit."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from longshore.v1 import cluster_service_pb2 as pb
from longshore_server.rpc.wire_limits import LARGEST_METADATA_BYTES
from tests.server.running import RunningNode, embedded

from . import frames as h2

_INFO = "/longshore.v1.ClusterService/GetServerInfo"
pytestmark = embedded
# The fields that gRPC adds.
_ROOM = 1_000


async def _call(node: RunningNode, size: int) -> None:
    metadata = (("x-more", "y" * size),)
    await node.cluster.GetServerInfo(pb.GetServerInfoRequest(), metadata=metadata, timeout=10)


async def test_what_fits_is_never_refused(node: RunningNode) -> None:
    # gRPC would refuse nine of ten at random.
    for _ in range(20):
        await _call(node, LARGEST_METADATA_BYTES - _ROOM)


async def test_more_is_refused(node: RunningNode) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _call(node, LARGEST_METADATA_BYTES)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_who_acknowledges_no_settings(node: RunningNode) -> None:
    async with h2.RawConnection(node.address, acknowledges=False) as connection:
        for stream in (1, 3, 5):
            first = h2.frame(h2.HEADERS, 0, stream, h2.call_fields(_INFO))
            more = h2.frame(h2.CONTINUATION, 0, stream, h2.field(b"x", b"y" * 16_000))
            await connection.send(first, more * 5, h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream))
        # Answered, though none of them has sent a message: each is reset behind its status.
        resets = [h2.frame(h2.RST_STREAM, 0, stream)[3:] for stream in (1, 3, 5)]
        async with asyncio.timeout(20):
            while not all(reset in connection.received for reset in resets):
                await asyncio.sleep(0.01)

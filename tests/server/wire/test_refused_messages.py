"""Messages that are refused leave nothing behind, and none is made larger than it came."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from benchmarks.processes import resident_bytes
from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1 import workflow_pb2
from tests.server.calls import header, refused
from tests.server.running import RunningNode, Stubs, embedded

from .standing import MIB, standing

_DEPLOY = "/longshore.v1.DeploymentService/Deploy"
_CALLS = 60
_S = grpc.StatusCode


def _refused_data() -> Iterator[pb.DeployRequest]:
    yield header()
    yield pb.DeployRequest(data=pb.PayloadData(offset=7, data=bytes(4_000_000)))


def _empty_chunks(*, first: bool) -> Iterator[bytes]:
    """Four megabytes that become 130 where anything is made of them."""
    if not first:
        yield header().SerializeToString()
    inside = b"\x0a\x00" * (2 * MIB - 64)
    field = pb.DeployRequest.DESCRIPTOR.fields_by_name["chunks"].number << 3 | 2
    yield bytes([field]) + _varint(len(inside)) + inside


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("what", ["data", "chunks first", "chunks"])
async def test_memory_does_not_grow_with_what_was_refused(tmp_path: Path, what: str) -> None:
    async with (
        standing(tmp_path, may_grow_bytes=128 * MIB) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        deploy: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(_DEPLOY)
        for number in range(_CALLS):
            messages = (
                (one.SerializeToString() for one in _refused_data())
                if what == "data"
                else _empty_chunks(first=what == "chunks first")
            )
            with pytest.raises(grpc.aio.AioRpcError) as told:
                await deploy(messages, timeout=30)
            assert told.value.code() is _S.INVALID_ARGUMENT, told.value
            if number == 9:
                before = resident_bytes(server.pid)
        # The first ten have found what there is to reuse. All that was sent since are 200 MB.
        assert resident_bytes(server.pid) - before <= 48 * MIB


@embedded
async def test_a_streams_first_message_is_short(node: RunningNode) -> None:
    target = workflow_pb2.ValidationTarget(pack="netops", actions=["x" * 100] * 5_500)
    first = catalog.ValidateWorkflowsRequest(target=target)
    with refused(_S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await node.catalog.ValidateWorkflows(iter([first]))
    assert told.message.startswith("the stream's first message is longer than the 512 KiB")
    short = workflow_pb2.ValidationTarget(pack="netops", actions=["x" * 100] * 5_000)
    answer = await node.catalog.ValidateWorkflows(iter([catalog.ValidateWorkflowsRequest(target=short)]))
    assert answer.validated == 0


@embedded
async def test_a_message_of_fields_without_end_is_not_read(node: RunningNode) -> None:
    async def messages() -> AsyncIterator[pb.DeployRequest]:
        yield header()
        yield pb.DeployRequest(chunks=pb.PayloadChunks(chunks=[pb.PayloadChunk(raw=b"123")] * 10_200))

    with refused(_S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await node.deployments.Deploy(messages())
    assert told.message == "the message has more than 10,100 fields: send less in each"


@embedded
async def test_compressed_requests_are_refused(node: RunningNode) -> None:
    async with grpc.aio.insecure_channel(node.node.address, compression=grpc.Compression.Gzip) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await Stubs(channel).deployments.ListDeployments(pb.ListDeploymentsRequest(project="x" * 1_000))
    assert told.value.code() is _S.UNIMPLEMENTED
    assert "gzip" in str(told.value.details())

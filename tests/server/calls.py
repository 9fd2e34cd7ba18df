"""Calls as a client with nothing but the stubs makes them: uploads both ways, following, refusals."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, cast
from uuid import uuid4

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from longshore.v1 import deployment_pb2, progress_pb2
from longshore.v1 import deployment_service_pb2 as pb
from longshore_chunks import Codec, Cutter, CuttingParameters, chunk_digest, encode
from longshore_client import upload_call

from .running import Stubs

MIB = 1 << 20
CUTTING = CuttingParameters()
D = deployment_pb2
TERMINAL = {
    D.DEPLOYMENT_STATUS_SUCCEEDED,
    D.DEPLOYMENT_STATUS_PARTIAL,
    D.DEPLOYMENT_STATUS_FAILED,
    D.DEPLOYMENT_STATUS_CANCELLED,
    D.DEPLOYMENT_STATUS_SUPERSEDED,
}


def new_id() -> str:
    return str(uuid4())


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def header(deployment_id: str = "", *, project: str = "netops", **values: Any) -> pb.DeployRequest:
    return pb.DeployRequest(
        header=pb.DeployHeader(deployment_id=deployment_id or new_id(), project=project, **values)
    )


def data_messages(data: bytes, *, start: int = 0, size: int = MIB) -> Iterator[pb.DeployRequest]:
    """The plain way."""
    for at in range(start, len(data), size):
        yield pb.DeployRequest(data=pb.PayloadData(offset=at, data=data[at : at + size]))


def cut(data: bytes) -> list[bytes]:
    cutter = Cutter(CUTTING)
    return cutter.feed(data) + cutter.finish()


def chunk(raw: bytes) -> pb.PayloadChunk:
    """A chunk as it is sent when it is missing."""
    message = reference(raw)
    codec, stored = encode(raw)
    if codec is Codec.ZSTD:
        message.zstd_frame = stored
    else:
        message.raw = stored
    return message


def reference(raw: bytes) -> pb.PayloadChunk:
    return pb.PayloadChunk(digest=chunk_digest(raw), raw_size_bytes=len(raw))


def chunks_message(offset: int, chunks: Iterable[pb.PayloadChunk]) -> pb.DeployRequest:
    return pb.DeployRequest(chunks=pb.PayloadChunks(offset=offset, chunks=chunks))


class UploadCall:
    """One Deploy call. Cancelled at the end of its block unless it has ended.

    grpc.aio replaces the status of a call whose write fails; the client's own call knows the true one.
    """

    def __init__(self, stubs: Stubs, first: pb.DeployRequest) -> None:
        self._header = first.header
        self._sent_to = 0
        self.call = upload_call.UploadCall(stubs.deployments.Deploy())
        self.durable_offset = -1

    async def __aenter__(self) -> Self:
        """Send the header and wait until it is accepted; raises what refuses it."""
        offset = await self.call.accepted_offset(self._header)
        if offset is None:
            await self.call.answer()
            raise AssertionError("an upload that was not accepted has no answer")
        self.durable_offset = offset
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call.cancel()

    async def send(self, messages: Iterable[pb.DeployRequest]) -> None:
        """Write; returns early when the server has ended the call meanwhile, which its answer tells."""
        with suppress(upload_call.CallEndedError):
            for message in messages:
                await self.call.write(message)
                self._sent_to = max(self._sent_to, _end_of(message))

    async def answer(self) -> D.Deployment:
        """End payload and writing, and give the answer; raises the call's error."""
        if not self._header.HasField("payload_size_bytes"):
            size = max(self._sent_to, self.durable_offset)
            await self.send([pb.DeployRequest(end=pb.PayloadEnd(payload_size_bytes=size))])
        return await self.break_off()

    async def break_off(self) -> D.Deployment:
        """End the writing as a broken connection does, without a word; raises the call's error."""
        await self.call.close_writing()
        return await self.end()

    async def end(self) -> D.Deployment:
        """Wait for the answer without ending the writing; raises the call's error."""
        return (await self.call.answer()).deployment


def _end_of(message: pb.DeployRequest) -> int:
    if message.HasField("data"):
        return message.data.offset + len(message.data.data)
    return message.chunks.offset + sum(chunk.raw_size_bytes for chunk in message.chunks.chunks)


async def deploy(stubs: Stubs, data: bytes, deployment_id: str = "", **values: Any) -> D.Deployment:
    """Upload the plain way; the deployment as recorded."""
    async with UploadCall(stubs, header(deployment_id, **values)) as call:
        await call.send(data_messages(data, start=call.durable_offset))
        return await call.answer()


async def find_missing(stubs: Stubs, deployment_id: str, raws: Sequence[bytes], **values: Any) -> list[int]:
    response = await stubs.deployments.FindMissingChunks(
        pb.FindMissingChunksRequest(
            deployment_id=deployment_id, digests=[chunk_digest(raw) for raw in raws], **values
        )
    )
    return list(response.missing_indexes)


async def deploy_chunks(stubs: Stubs, data: bytes, deployment_id: str = "", **values: Any) -> D.Deployment:
    """Upload the thrifty way: what FindMissingChunks names, and references for the rest."""
    deployment_id = deployment_id or new_id()
    async with UploadCall(stubs, header(deployment_id, **values)) as call:
        raws = cut(data)
        if call.durable_offset < len(data):
            missing = set(await find_missing(stubs, deployment_id, raws))
            await call.send(chunk_messages(raws, missing, start=call.durable_offset))
        return await call.answer()


def chunk_messages(raws: Sequence[bytes], missing: set[int], *, start: int = 0) -> Iterator[pb.DeployRequest]:
    offset = 0
    held: list[pb.PayloadChunk] = []
    held_at, held_bytes = start, 0
    for index, raw in enumerate(raws):
        if offset >= start:
            held.append(chunk(raw) if index in missing else reference(raw))
            held_bytes += held[-1].ByteSize()
            if held_bytes > MIB:
                yield chunks_message(held_at, held)
                held, held_at, held_bytes = [], offset + len(raw), 0
        offset += len(raw)
    if held:
        yield chunks_message(held_at, held)


async def get(stubs: Stubs, deployment_id: str) -> D.Deployment:
    response = await stubs.deployments.GetDeployment(pb.GetDeploymentRequest(deployment_id=deployment_id))
    return response.deployment


async def follow(stubs: Stubs, deployment_id: str, **values: Any) -> AsyncIterator[pb.StreamProgressResponse]:
    request = pb.StreamProgressRequest(deployment_id=deployment_id, **values)
    async for response in stubs.deployments.StreamProgress(request):
        yield response


async def events_of(stubs: Stubs, deployment_id: str, **values: Any) -> list[progress_pb2.ProgressEvent]:
    """Every event to the terminal one."""
    return [event async for told in follow(stubs, deployment_id, **values) for event in told.events]


async def ended(stubs: Stubs, deployment_id: str) -> D.Deployment:
    """Follow to the end; the deployment then."""
    events = await events_of(stubs, deployment_id)
    deployment = await get(stubs, deployment_id)
    assert deployment.status in TERMINAL
    assert events[-1].status_changed.to_status == deployment.status
    return deployment


async def deploy_to_end(stubs: Stubs, data: bytes, **values: Any) -> D.Deployment:
    """Upload and follow until it is live."""
    deployment = await ended(stubs, (await deploy(stubs, data, **values)).deployment_id)
    assert deployment.status == D.DEPLOYMENT_STATUS_SUCCEEDED, deployment
    return deployment


async def until(stubs: Stubs, deployment_id: str, met: Callable[[D.Deployment], object]) -> D.Deployment:
    """Look at a deployment until it is as wanted."""
    async with asyncio.timeout(20):
        while not met(deployment := await get(stubs, deployment_id)):
            await asyncio.sleep(0.01)
    return deployment


async def interrupted(stubs: Stubs, deployment_id: str) -> D.Deployment:
    """Wait until the server has noticed that a client went away."""
    return await until(stubs, deployment_id, lambda seen: seen.status_reason == "interrupted")


def status_name(number: int) -> str:
    return D.DeploymentStatus.Name(cast(Any, number)).removeprefix("DEPLOYMENT_STATUS_")


@dataclass
class Refused:
    """What a refused call told."""

    message: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None
    details_size_bytes: int = 0


def refusal_in(error: grpc.aio.AioRpcError, code: grpc.StatusCode, reason: str) -> Refused:
    """Check an error's form and take it apart."""
    trailers = {str(key): value for key, value in error.trailing_metadata() or ()}
    assert error.code() is code, f"{error.code()}: {error.details()}"
    raw = trailers["grpc-status-details-bin"]
    assert isinstance(raw, bytes)
    status = status_pb2.Status.FromString(raw)
    assert status.code == code.value[0]
    assert status.message == error.details()
    told = Refused(message=status.message, details_size_bytes=len(raw))
    reasons = []
    for detail in status.details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
            if not detail.Is(kind.DESCRIPTOR):
                continue
            message = kind()
            detail.Unpack(message)
            match message:
                case error_details_pb2.ErrorInfo():
                    reasons.append(message.reason)
                    assert message.domain == "longshore"
                    told.metadata = dict(message.metadata)
                case error_details_pb2.BadRequest():
                    told.violations = {one.field: one.description for one in message.field_violations}
                case _:
                    told.retry_after_s = message.retry_delay.ToTimedelta().total_seconds()
    assert reasons == [reason], f"{reasons}: {error.details()}"
    assert told.metadata["request_id"]
    assert len(told.message) > 10
    assert told.details_size_bytes <= 4096
    return told


@contextmanager
def refused(code: grpc.StatusCode, reason: str) -> Iterator[Refused]:
    """The block must be refused with this code and reason; what it told is filled in afterwards."""
    told = Refused()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield told
    told.__dict__.update(refusal_in(caught.value, code, reason).__dict__)


@asynccontextmanager
async def channel_to(address: str) -> AsyncIterator[Stubs]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield Stubs(channel)

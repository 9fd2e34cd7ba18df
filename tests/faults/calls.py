"""Calls on a node as any client makes them: over nothing but the contract."""

from __future__ import annotations

import asyncio
import hashlib
import random
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from longshore.v1 import deployment_pb2, deployment_service_pb2_grpc
from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1.deployment_pb2 import Deployment
from longshore_client import upload_call
from tests.services.processes import ServerProcess

from .nodes import NodeProcess

PROJECT = "web"
_MESSAGE_BYTES = 256 * 1024
_LARGE_MESSAGE_BYTES = 1 << 20
_POLL_S = 0.05
_D = deployment_pb2.DeploymentStatus

Stub: TypeAlias = "deployment_service_pb2_grpc.DeploymentServiceAsyncStub"


@dataclass(frozen=True, slots=True)
class Uploading:
    """One deployment of a payload, whose call may be made again and again."""

    payload: bytes
    project: str = PROJECT
    file_name: str = ""
    is_declared: bool = True
    queue_policy: pb.QueuePolicy.ValueType = pb.QUEUE_POLICY_UNSPECIFIED
    deployment_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def header(self, attempt: int) -> pb.DeployRequest:
        header = pb.DeployHeader(
            deployment_id=self.deployment_id,
            attempt=attempt,
            project=self.project,
            file_name=self.file_name,
            queue_policy=self.queue_policy,
        )
        if self.file_name:
            header.payload_format = deployment_pb2.PAYLOAD_FORMAT_FILE
        if self.is_declared:
            header.payload_size_bytes = len(self.payload)
            header.payload_sha256 = hashlib.sha256(self.payload).hexdigest()
        return pb.DeployRequest(header=header)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The answer, and the offset at which the server wanted the bytes to begin."""

    deployment: Deployment
    began_at: int


class UploadCall:
    """An upload whose messages the test sends one by one."""

    def __init__(self, stub: Stub, uploading: Uploading, attempt: int = 1) -> None:
        # grpc.aio replaces the status of a call whose write fails; the client's own call knows the true one.
        self._call = upload_call.UploadCall(stub.Deploy())
        self._uploading = uploading
        self._attempt = attempt

    async def accepted(self) -> int:
        """Send the header; the offset to go on from. Raises ``grpc.aio.AioRpcError``."""
        offset = await self._call.accepted_offset(self._uploading.header(self._attempt).header)
        if offset is None:
            await self._call.answer()
            raise AssertionError("an upload that was not accepted has no answer")
        return offset

    async def send(self, begin: int, end: int) -> None:
        """Write; returns early when the call has ended meanwhile, which its answer tells."""
        with suppress(upload_call.CallEndedError):
            for offset in range(begin, end, _MESSAGE_BYTES):
                data = self._uploading.payload[offset : min(offset + _MESSAGE_BYTES, end)]
                await self._call.write(pb.DeployRequest(data=pb.PayloadData(offset=offset, data=data)))

    async def answer(self) -> Deployment:
        """Say that everything is sent, and await the answer. Raises ``grpc.aio.AioRpcError``."""
        if not self._uploading.is_declared:
            end = pb.PayloadEnd(payload_size_bytes=len(self._uploading.payload))
            with suppress(upload_call.CallEndedError):
                await self._call.write(pb.DeployRequest(end=end))
        await self._call.close_writing()
        return (await self._call.answer()).deployment

    async def rest(self, begin: int) -> Deployment:
        """Send everything from ``begin`` on, and await the answer."""
        await self.send(begin, len(self._uploading.payload))
        return await self.answer()

    def cancel(self) -> None:
        self._call.cancel()


class LargeFile:
    """A file of random bytes that is made while it is sent, the plain way."""

    def __init__(self, size_bytes: int, source: random.Random) -> None:
        self._size_bytes = size_bytes
        self._source = source
        self.deployment_id = str(uuid.uuid4())

    async def upload(self, stub: Stub) -> None:
        header = pb.DeployHeader(
            deployment_id=self.deployment_id,
            project=PROJECT,
            payload_format=deployment_pb2.PAYLOAD_FORMAT_FILE,
            file_name="file",
            payload_size_bytes=self._size_bytes,
        )
        call = stub.Deploy()
        await call.write(pb.DeployRequest(header=header))
        await call.initial_metadata()
        for offset in range(0, self._size_bytes, _LARGE_MESSAGE_BYTES):
            data = self._source.randbytes(min(_LARGE_MESSAGE_BYTES, self._size_bytes - offset))
            await call.write(pb.DeployRequest(data=pb.PayloadData(offset=offset, data=data)))
        await call.done_writing()
        await call


async def upload(stub: Stub, uploading: Uploading, *, attempt: int = 1) -> Uploaded:
    """Send all that the server asks for. Raises ``grpc.aio.AioRpcError``."""
    call = UploadCall(stub, uploading, attempt)
    began_at = await call.accepted()
    return Uploaded(await call.rest(began_at), began_at)


async def outcome(stub: Stub, deployment_id: str, *, deadline_s: float = 40) -> Deployment:
    """Follow to the end, check that no event is missing, and tell how it ended."""
    seen = 0
    async with asyncio.timeout(deadline_s):
        request = pb.StreamProgressRequest(
            deployment_id=deployment_id, wait_for_creation=duration_pb2.Duration(seconds=5)
        )
        async for response in stub.StreamProgress(request):
            for event in response.events:
                assert event.sequence == seen + 1, f"event {event.sequence} follows {seen}"
                seen = event.sequence
        deployment = await get(stub, deployment_id)
    assert deployment.last_sequence == seen
    return deployment


@asynccontextmanager
async def follow_until_cut(
    stub: Stub, deployment_id: str
) -> AsyncIterator[asyncio.Future[grpc.aio.AioRpcError]]:
    """Follow beside the block, from the first message on; the future is the error that ended it."""
    began = asyncio.Event()

    async def follow() -> grpc.aio.AioRpcError:
        try:
            async for _ in stub.StreamProgress(pb.StreamProgressRequest(deployment_id=deployment_id)):
                began.set()
        except grpc.aio.AioRpcError as error:
            return error
        raise AssertionError("the stream ended in order")

    following = asyncio.create_task(follow())
    await asyncio.wait_for(began.wait(), 10)
    yield following
    following.cancel()


async def get(stub: Stub, deployment_id: str) -> Deployment:
    return (await stub.GetDeployment(pb.GetDeploymentRequest(deployment_id=deployment_id))).deployment


async def deployed(stub: Stub, uploading: Uploading) -> Deployment:
    """Upload and follow; it must succeed."""
    await upload(stub, uploading)
    deployment = await outcome(stub, uploading.deployment_id)
    assert_succeeded(deployment)
    return deployment


def assert_succeeded(deployment: Deployment) -> None:
    assert deployment.status == _D.DEPLOYMENT_STATUS_SUCCEEDED, deployment
    assert deployment.live


async def wait_for_status(stub: Stub, deployment_id: str, status: _D.ValueType) -> Deployment:
    return await _wait_for(stub, deployment_id, lambda deployment: deployment.status == status)


async def wait_for_reason(stub: Stub, deployment_id: str, reason: str) -> Deployment:
    return await _wait_for(stub, deployment_id, lambda deployment: deployment.status_reason == reason)


async def some_durable_bytes(stub: Stub, deployment_id: str) -> int:
    """Wait until something of an upload is stored for good; how much."""
    deployment = await _wait_for(stub, deployment_id, lambda seen: seen.transfer.durable_bytes > 0)
    return deployment.transfer.durable_bytes


async def _wait_for(
    stub: Stub, deployment_id: str, is_there: Callable[[Deployment], bool], *, deadline_s: float = 20
) -> Deployment:
    deployment = None
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                deployment = await get(stub, deployment_id)
                if is_there(deployment):
                    return deployment
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise AssertionError(f"in vain: {deployment}") from None


@dataclass(frozen=True, slots=True)
class Refused:
    """What a client is told: status, reason, after how long to try again (None: do not), and the words."""

    code: grpc.StatusCode
    reason: str
    retry_after_s: float | None
    message: str


def refused(error: grpc.aio.AioRpcError) -> Refused:
    """Read an error's details. An error without them fails the test."""
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    reason, retry_after_s = "", None
    for detail in status.details:
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
    return Refused(error.code(), reason, retry_after_s, error.details() or "")


async def health(channel: grpc.aio.Channel, service: str) -> bool:
    stub = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def wait_for_health(
    channel: grpc.aio.Channel, service: str, serving: bool, *, deadline_s: float = 30
) -> None:
    async with asyncio.timeout(deadline_s):
        while True:
            if await health(channel, service) is serving:
                return
            await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def connected(node: NodeProcess | ServerProcess) -> AsyncIterator[Stub]:
    async with channel_to(node.address) as channel:
        yield deployment_service_pb2_grpc.DeploymentServiceStub(channel)


def channel_to(address: str) -> grpc.aio.Channel:
    """A channel of its own: none that backs off from a node that was there before."""
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100))
    return grpc.aio.insecure_channel(address, options=options)

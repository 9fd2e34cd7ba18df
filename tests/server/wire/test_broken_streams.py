"""Streams of requests and answers that are broken off at each step, ended too soon, or never end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, repeat
from pathlib import Path
from typing import Any

import grpc
import pytest

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1 import workflow_pb2
from longshore_client import upload_call
from tests.server.bad_uploads import end
from tests.server.calls import (
    UploadCall,
    chunk_messages,
    cut,
    data_messages,
    deploy_to_end,
    header,
    interrupted,
    new_id,
    refusal_in,
)
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import RunningNode, Stubs, embedded

from .standing import MIB, standing

S = grpc.StatusCode
TAR = canonical_tar(small_tree())
TARGET = catalog.ValidateWorkflowsRequest(target=workflow_pb2.ValidationTarget(pack="netops"))


def messages_of(way: str) -> list[pb.DeployRequest]:
    """A whole upload in several messages, without its header."""
    if way == "plain":
        sent = list(data_messages(TAR, size=len(TAR) // 3 + 1))
    else:
        raws = cut(TAR)
        sent = list(chunk_messages(raws, set(range(len(raws)))))
    return [*sent, end(len(TAR))]


@pytest.mark.parametrize("way", ["plain", "thrifty"])
@embedded
async def test_an_upload_broken_off_at_each_step(node: RunningNode, way: str) -> None:
    """By ending it too soon, and by going away; then it goes on where it was."""
    messages = messages_of(way)
    for steps in range(len(messages)):
        for leaves in (True, False):
            deployment_id = new_id()
            async with UploadCall(node, header(deployment_id)) as call:
                await call.send(messages[:steps])
                if not leaves:
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await call.break_off()
                    refusal_in(caught.value, S.INVALID_ARGUMENT, "UPLOAD_PROTOCOL")
            await interrupted(node, deployment_id)
            async with UploadCall(node, header(deployment_id)) as call:
                assert 0 <= call.durable_offset <= len(TAR)
                await call.send(data_messages(TAR, start=call.durable_offset))
                made = await call.answer()
            assert made.status == d.DEPLOYMENT_STATUS_QUEUED


def files(make: Callable[[int], tuple[str, bytes]]) -> Iterator[catalog.ValidateWorkflowsRequest]:
    for path, content in map(make, count()):
        yield catalog.ValidateWorkflowsRequest(file=workflow_pb2.WorkflowFile(path=path, content=content))


ENDLESS: dict[str, tuple[str, str, Callable[[], Iterator[Any]]]] = {
    "files": ("LIMIT_EXCEEDED", "ValidateWorkflows", lambda: files(lambda n: (f"{n}.yaml", bytes(MIB)))),
    "one file": ("INVALID_REQUEST", "ValidateWorkflows", lambda: files(lambda n: ("a.yaml", b""))),
    "targets": ("UPLOAD_PROTOCOL", "ValidateWorkflows", lambda: repeat(TARGET)),
    "headers": ("UPLOAD_PROTOCOL", "Deploy", lambda: repeat(header())),
    "nothing": ("UPLOAD_PROTOCOL", "Deploy", lambda: repeat(pb.DeployRequest())),
}


async def test_streams_without_end(tmp_path: Path) -> None:
    async with (
        standing(tmp_path, may_grow_bytes=128 * MIB) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        stubs = Stubs(channel)
        for name, (reason, method, make) in ENDLESS.items():
            first = TARGET if method == "ValidateWorkflows" else header()
            stub = stubs.catalog if method == "ValidateWorkflows" else stubs.deployments
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await refused_by(getattr(stub, method)(), first, make())
            assert reason in str(caught.value.trailing_metadata()), name


async def refused_by(call: Any, first: Any, messages: Iterator[Any]) -> None:
    endless = upload_call.UploadCall(call)
    await endless.write(first)
    with suppress(upload_call.CallEndedError):
        for message in messages:
            await endless.write(message)
    await endless.answer()


@embedded
async def test_answers_that_are_left_at_each_step(node: RunningNode) -> None:
    made = await deploy_to_end(node, TAR, version="1.0.0")
    calls: list[Callable[[], Any]] = [
        lambda: node.deployments.StreamProgress(pb.StreamProgressRequest(deployment_id=made.deployment_id)),
        lambda: node.deployments.WatchDeployments(pb.WatchDeploymentsRequest()),
        lambda: node.deployments.DownloadPayload(
            pb.DownloadPayloadRequest(project="netops", version="1.0.0")
        ),
    ]
    for make in calls:
        for steps in range(3):
            call = make()
            for _ in range(steps):
                await call.read()
            call.cancel()
            with suppress(asyncio.CancelledError):
                await call.code()
    # None of them is held any more: a drain waits for nothing.
    await node.node.drain(20)

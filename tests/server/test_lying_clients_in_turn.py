"""Clients that lie by when they call: for what is gone, after the end, in silence, and over each other."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from tests.bundles.trees import File

from .bad_uploads import NOTHING
from .calls import (
    MIB,
    UploadCall,
    channel_to,
    chunk_messages,
    cut,
    data_messages,
    deploy,
    deploy_to_end,
    ended,
    find_missing,
    header,
    interrupted,
    new_id,
    refused,
    sha256_of,
)
from .collected import collect
from .contents import canonical_tar, random_bytes, small_tree
from .lies import SHA256, TAR, WAYS, thrifty
from .running import RunningNode, StartNode, counts, embedded

S = grpc.StatusCode
_ATTEMPTS = 6


async def test_references_to_a_deleted_payload(node: RunningNode, stores: dict[str, Any]) -> None:
    """What was found for an upload stays while that lasts; what is gone is missing, and not to be had."""
    data = canonical_tar({**small_tree(), "large.bin": File(random_bytes(MIB, 3))})
    raws = cut(data)

    async def delete(version: str) -> None:
        request = pb.DeletePayloadRequest(project="netops", version=version, force=True)
        await node.deployments.DeletePayload(request)

    first = await deploy_to_end(node, data)
    await deploy_to_end(node, TAR)
    await delete(first.version)
    deployment_id = new_id()
    async with UploadCall(node, header(deployment_id)) as call:
        assert await find_missing(node, deployment_id, raws) == []
        await collect(node, stores)
        await call.send(chunk_messages(raws, set()))
        again = await call.answer()
    assert (await ended(node, deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
    assert again.payload_sha256 == sha256_of(data)

    await deploy_to_end(node, TAR)
    await delete(again.version)
    await delete(first.version)
    await collect(node, stores)
    deployment_id = new_id()
    async with UploadCall(node, header(deployment_id)) as call:
        assert await find_missing(node, deployment_id, raws) == list(range(len(raws)))
        await call.send(chunk_messages(raws, set()))
        with refused(S.FAILED_PRECONDITION, "CHUNK_MISSING"):
            await call.answer()
    async with UploadCall(node, header(deployment_id)) as call:
        await call.send(chunk_messages(raws, set(range(len(raws)))))
        await call.answer()
    assert (await ended(node, deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED


@embedded
async def test_missing_chunks_are_told_of_uploads_only(node: RunningNode) -> None:
    await deploy_to_end(node, TAR)
    failed, released = new_id(), new_id()
    with refused(S.INVALID_ARGUMENT, "SIZE_MISMATCH"):
        await deploy(node, TAR, failed, payload_size_bytes=1)
    await node.deployments.DeployRelease(
        pb.DeployReleaseRequest(deployment_id=released, project="netops", version="1.0.0")
    )
    for deployment_id in (released, new_id()):
        with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
            await find_missing(node, deployment_id, [TAR])
    # One that has ended says how.
    with refused(S.INVALID_ARGUMENT, "SIZE_MISMATCH"):
        await find_missing(node, failed, [TAR])


@embedded
async def test_a_header_and_then_nothing(start_node: StartNode) -> None:
    """Silence, half a closing, and going away: each leaves an upload that goes on."""
    async with start_node(uploads={"idle_timeout_s": 0.3}) as node:
        await deploy_to_end(node, TAR)
        silent, closed, gone = new_id(), new_id(), new_id()
        async with UploadCall(node, header(silent)) as call:
            # What is asked beside the call is no sign of life on it.
            assert await find_missing(node, silent, cut(TAR)) == []
            with refused(S.DEADLINE_EXCEEDED, "UPLOAD_IDLE"):
                await call.end()
        async with UploadCall(node, header(closed)) as call:
            with refused(S.INVALID_ARGUMENT, "UPLOAD_PROTOCOL"):
                await call.break_off()
        async with UploadCall(node, header(gone)):
            pass
        for deployment_id in (silent, closed, gone):
            await interrupted(node, deployment_id)
            async with UploadCall(node, header(deployment_id)) as call:
                await call.send([thrifty(0, TAR)])
                assert (await call.answer()).payload_sha256 == SHA256


@pytest.mark.parametrize("way", WAYS)
async def test_takeovers_by_turns(node: RunningNode, way: str) -> None:
    """Two processes that share an id and a session snatch the upload from each other, again and again."""
    deployment_id, session_id = new_id(), new_id()
    data = random_bytes(MIB, 5)
    raws = cut(data)

    def messages(begin: int) -> list[pb.DeployRequest]:
        if way == "plain":
            return list(data_messages(data, start=begin, size=50_000))
        return list(chunk_messages(raws, set(range(len(raws))), start=begin))

    async def send_all_but_the_last(call: UploadCall) -> None:
        with refused(S.ABORTED, "UPLOAD_TAKEN_OVER"):
            await call.send(messages(call.durable_offset)[:-1])
            await call.end()

    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        for attempt in range(1, _ATTEMPTS + 1):
            first = header(
                deployment_id,
                session_id=session_id,
                attempt=attempt,
                file_name="file",
                payload_size_bytes=len(data),
            )
            # Each over a channel of its own, as processes have it.
            stubs = await stack.enter_async_context(channel_to(node.address))
            call = await stack.enter_async_context(UploadCall(stubs, first))
            if attempt < _ATTEMPTS:
                group.create_task(send_all_but_the_last(call))
        await call.send(messages(call.durable_offset))
        made = await call.answer()
    assert made.payload_sha256 == sha256_of(data)
    assert (await ended(node, deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
    assert await counts(node.catalogue) == {**NOTHING, "release": 1, "payload": 1}

"""Uploads that break off go on where their stored part ends, on the same node or another, after any end."""

from __future__ import annotations

from contextlib import AsyncExitStack

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from tests.bundles.trees import File

from .calls import (
    CUTTING,
    MIB,
    UploadCall,
    chunk_messages,
    cut,
    data_messages,
    ended,
    find_missing,
    header,
    interrupted,
    new_id,
    refused,
    sha256_of,
    until,
)
from .contents import canonical_tar, installed, random_bytes, small_tree
from .running import RunningNode, StartNode, Stubs, counts, embedded, services

TREE = {**small_tree(), "large.bin": File(random_bytes(36 * MIB))}
ways = pytest.mark.parametrize("chunks", [False, True], ids=["plain", "chunks"])


@pytest.fixture(scope="module")
def data() -> bytes:
    return canonical_tar(TREE)


async def break_off(stubs: Stubs, deployment_id: str, data: bytes, *, chunks: bool) -> int:
    """Send most of it, wait until some of that is durable, and go away; how much is."""
    async with UploadCall(stubs, header(deployment_id)) as call:
        if chunks:
            raws = cut(data)
            messages = list(chunk_messages(raws, set(await find_missing(stubs, deployment_id, raws))))
        else:
            messages = list(data_messages(data))
        await call.send(messages[: len(messages) * 3 // 4])
        broken = await until(stubs, deployment_id, lambda seen: seen.transfer.durable_bytes)
    return broken.transfer.durable_bytes


async def go_on(stubs: Stubs, deployment_id: str, data: bytes, *, chunks: bool, at_least: int) -> None:
    async with UploadCall(stubs, header(deployment_id)) as call:
        offset = call.durable_offset
        assert at_least <= offset < len(data)
        if chunks:
            raws = cut(data)
            missing = set(await find_missing(stubs, deployment_id, raws))
            assert 0 < len(missing) < len(raws)
            await call.send(chunk_messages(raws, missing, start=offset))
        else:
            await call.send(data_messages(data, start=offset))
        made = await call.answer()
    assert (made.payload_sha256, made.payload_size_bytes) == (sha256_of(data), len(data))
    assert made.transfer.received_bytes <= len(data) * 1.01
    assert (await ended(stubs, deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED


@ways
async def test_on_the_same_node(node: RunningNode, data: bytes, chunks: bool) -> None:
    deployment_id = new_id()
    durable = await break_off(node, deployment_id, data, chunks=chunks)
    broken = await interrupted(node, deployment_id)
    assert broken.transfer.durable_bytes >= durable
    await go_on(node, deployment_id, data, chunks=chunks, at_least=durable)
    assert installed(node.live("netops")) == TREE
    left = await counts(node.catalogue)
    assert left == {"release": 1, "payload": 1, "upload": 0, "upload_segment": 0, "pin": 0}


@ways
@services
async def test_on_another_node(start_node: StartNode, data: bytes, chunks: bool) -> None:
    async with start_node("one") as one, start_node("two") as two:
        deployment_id = new_id()
        durable = await break_off(one, deployment_id, data, chunks=chunks)
        await interrupted(two, deployment_id)
        await go_on(two, deployment_id, data, chunks=chunks, at_least=durable)
        assert installed(one.live("netops")) == TREE == installed(two.live("netops"))


@embedded
async def test_after_a_restart(start_node: StartNode, data: bytes) -> None:
    deployment_id = new_id()
    async with start_node() as running:
        durable = await break_off(running, deployment_id, data, chunks=False)
    async with start_node() as running:
        await go_on(running, deployment_id, data, chunks=False, at_least=durable)
        assert installed(running.live("netops")) == TREE


@embedded
async def test_when_everything_was_sent_but_not_yet_looked_at(node: RunningNode, data: bytes) -> None:
    """The client goes away while its payload is examined; whoever calls next has nothing to send."""
    deployment_id = new_id()
    async with UploadCall(node, header(deployment_id, payload_size_bytes=len(data))) as call:
        await call.send(data_messages(data))
        await call.call.close_writing()
        await until(node, deployment_id, lambda seen: seen.status != d.DEPLOYMENT_STATUS_RECEIVING)
    # Whether it was fast enough to be recorded before it noticed is its own affair.
    await until(node, deployment_id, lambda seen: seen.record_time.seconds or seen.status_reason)
    async with UploadCall(node, header(deployment_id, payload_size_bytes=len(data))) as call:
        assert call.durable_offset == len(data)
        assert (await call.answer()).payload_sha256 == sha256_of(data)
    done = await ended(node, deployment_id)
    assert done.status == d.DEPLOYMENT_STATUS_SUCCEEDED
    assert done.transfer.received_bytes == len(data)


@embedded
async def test_what_came_before_the_end_is_not_sent_again(node: RunningNode, data: bytes) -> None:
    """Also where it fills no pack file; only bytes whose cut is not certain yet are lost."""
    deployment_id, sent = new_id(), 10 * MIB + 7
    async with UploadCall(node, header(deployment_id, payload_size_bytes=len(data))) as call:
        await call.send(data_messages(data[:sent]))
        with refused(grpc.StatusCode.INVALID_ARGUMENT, "SIZE_MISMATCH"):
            await call.break_off()
    broken = await interrupted(node, deployment_id)
    assert sent - CUTTING.max_size_bytes < broken.transfer.durable_bytes <= sent


@embedded
@ways
async def test_what_came_before_a_cut_is_not_sent_again(node: RunningNode, data: bytes, chunks: bool) -> None:
    deployment_id, durable = new_id(), 0
    raws = cut(data[: 10 * MIB])
    everything = list(
        chunk_messages(raws, set(range(len(raws)))) if chunks else data_messages(data[: 10 * MIB])
    )
    # How much the node has read when the call is cut nobody can tell; sooner or later it is something.
    while not durable:
        async with UploadCall(node, header(deployment_id)) as call:
            await call.send(everything)
        durable = (await interrupted(node, deployment_id)).transfer.durable_bytes


@embedded
@ways
async def test_who_comes_back_before_the_node_knew_finds_what_came(
    node: RunningNode, data: bytes, chunks: bool
) -> None:
    deployment_id, session_id = new_id(), new_id()
    raws = cut(data[: 10 * MIB])
    everything = list(
        chunk_messages(raws, set(range(len(raws)))) if chunks else data_messages(data[: 10 * MIB])
    )
    async with AsyncExitStack() as stack:
        calls: list[UploadCall] = []
        # How much the node has read of what was sent nobody can tell; sooner or later it is something.
        while not calls or not calls[-1].durable_offset:
            attempt = header(deployment_id, session_id=session_id, attempt=len(calls) + 1)
            calls.append(await stack.enter_async_context(UploadCall(node, attempt)))
            if not calls[-1].durable_offset:
                await calls[-1].send(everything)
        assert len(calls) > 1
        for older in calls[:-1]:
            with refused(grpc.StatusCode.ABORTED, "UPLOAD_TAKEN_OVER"):
                await older.end()

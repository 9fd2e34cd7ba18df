"""Uploads that break off or are taken over: what is durable stays, the payload is the same."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import pytest

from longshore_storage.catalogue import tables, uploads
from longshore_storage.errors import BlobStoreUnavailable
from longshore_storage.payloads import PayloadWriter, UploadTakenOver

from .conftest import OpenWorld
from .world import (
    KIB,
    SMALL,
    World,
    cut,
    embedded_only,
    entries_of,
    random_bytes,
    send,
    send_chunks,
    until,
)

DATA = random_bytes(260 * KIB)
RAWS = cut(DATA)
SHA256 = hashlib.sha256(DATA).hexdigest()


class BrokeOff(Exception):
    """The client went away."""


async def send_by(way: str, writer: PayloadWriter, *, up_to: int = len(DATA)) -> None:
    if way == "PLAIN":
        await send(writer, DATA[:up_to])
        return
    entries, offset = [], 0
    for raw in RAWS:
        if offset < up_to:
            entries += entries_of([raw])
        offset += len(raw)
    await send_chunks(writer, entries, at_a_time=2)


@pytest.mark.parametrize("way", ["PLAIN", "CHUNKS"])
@pytest.mark.parametrize("flushed", [False, True])
async def test_broken_off_and_resumed_it_is_the_same_payload(world: World, way: str, flushed: bool) -> None:
    async def break_off(broken_at: int) -> None:
        async with world.writer(deployment_id, project=project) as writer:
            await send_by(way, writer, up_to=broken_at)
            if flushed:
                await writer.flush()
            raise BrokeOff

    for broken_at in (0, 1, 20 * KIB, 47 * KIB, 100 * KIB, 199 * KIB, len(DATA)):
        # Each in a project of its own, which has none of the chunks.
        project = f"project-{broken_at}"
        deployment_id = await world.begin(project=project)
        with pytest.raises(BrokeOff):
            await break_off(broken_at)
        epoch = await world.take_over(deployment_id)
        async with world.writer(deployment_id, project=project, epoch=epoch) as writer:
            if flushed and way == "PLAIN":
                assert broken_at - SMALL.cutting.max_size_bytes <= writer.durable_bytes <= broken_at
            elif flushed:
                assert writer.durable_bytes >= broken_at
            await send_by(way, writer)
            stored = await writer.finish(len(DATA), SHA256)
        assert stored.received_bytes == stored.stored_bytes == len(DATA)
        assert await world.read(SHA256) == DATA
        await world.forget_payloads()


@pytest.mark.parametrize("way", ["PLAIN", "CHUNKS"])
@pytest.mark.parametrize("failing_put", [1, 2, 4])
async def test_a_failing_blob_store_leaves_what_was_committed(
    world: World, way: str, failing_put: int
) -> None:
    deployment_id = await world.begin()
    puts = 0

    async def fail(key: str) -> None:
        nonlocal puts
        puts += 1
        if puts >= failing_put:
            raise BlobStoreUnavailable("the store is away")

    async def try_it() -> None:
        async with world.writer(deployment_id) as writer:
            await send_by(way, writer)
            await writer.finish()

    world.blobs.before_put = fail
    with pytest.raises(BlobStoreUnavailable, match="the store is away"):
        await try_it()
    row = await world.upload_row(deployment_id)
    assert row.next_segment < failing_put
    # The rows of what could not be put stay, for the collector.
    assert "WRITING" in await world.column(tables.pack_file, "state")
    world.blobs.before_put = None
    epoch = await world.take_over(deployment_id)
    async with world.writer(deployment_id, epoch=epoch) as writer:
        assert writer.durable_bytes == row.durable_bytes
        await send_by(way, writer)
        await writer.finish(len(DATA), SHA256)
    assert await world.read(SHA256) == DATA


async def test_a_blob_store_that_fails_at_the_manifest(world: World) -> None:
    async def fail(key: str) -> None:
        if key.startswith("manifests/"):
            raise BlobStoreUnavailable("the store is away")

    deployment_id = await world.begin()

    async def try_it() -> None:
        async with world.writer(deployment_id) as writer:
            await send(writer, DATA)
            await writer.finish()

    world.blobs.before_put = fail
    with pytest.raises(BlobStoreUnavailable):
        await try_it()
    assert await world.count(tables.payload) == 0
    world.blobs.before_put = None
    async with world.writer(deployment_id) as writer:
        assert writer.durable_bytes == len(DATA)
        await writer.finish(len(DATA), SHA256)
    assert await world.read(SHA256) == DATA


async def test_cancelled_anywhere_it_leaves_nothing_running(world: World) -> None:
    async def upload() -> None:
        async with world.writer(deployment_id, project=project) as writer:
            await send(writer, DATA)
            await writer.finish()

    for turns in range(0, 400, 29):
        project = f"project-{turns}"
        deployment_id = await world.begin(project=project)
        task = asyncio.create_task(upload())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        epoch = await world.take_over(deployment_id)
        async with world.writer(deployment_id, project=project, epoch=epoch) as writer:
            await send(writer, DATA)
            await writer.finish(len(DATA), SHA256)
        assert await world.read(SHA256) == DATA
        await world.forget_payloads()


async def test_after_a_takeover_the_old_session_writes_nothing(world: World) -> None:
    deployment_id = await world.begin()
    waiting, released = asyncio.Event(), asyncio.Event()

    async def hold_back(key: str) -> None:
        waiting.set()
        await released.wait()

    async def old_session() -> None:
        async with world.writer(deployment_id) as writer:
            await send(writer, DATA[: 40 * KIB])
            await writer.flush()

    world.blobs.before_put = hold_back
    old = asyncio.create_task(old_session())
    await waiting.wait()
    epoch = await world.take_over(deployment_id)
    released.set()
    with pytest.raises(UploadTakenOver, match=deployment_id):
        await old
    row = await world.upload_row(deployment_id)
    assert (row.epoch, row.durable_bytes, row.next_segment) == (epoch, 0, 0)
    assert await world.count(tables.chunk) == 0
    async with world.writer(deployment_id, epoch=epoch) as writer:
        await send(writer, DATA)
        await writer.finish(len(DATA), SHA256)
    assert await world.read(SHA256) == DATA


@embedded_only
async def test_an_idle_session_learns_that_it_was_taken_over(open_world: OpenWorld) -> None:
    async with open_world(replace(SMALL, heartbeat_s=0.02)) as world:
        deployment_id = await world.begin()

        async def idle() -> None:
            async with world.writer(deployment_id):
                inside.set()
                await asyncio.Event().wait()

        inside = asyncio.Event()
        session = asyncio.create_task(idle())
        await inside.wait()
        await world.take_over(deployment_id)
        with pytest.raises(UploadTakenOver):
            await session


async def test_an_idle_session_shows_that_it_is_alive(open_world: OpenWorld) -> None:
    async with open_world(replace(SMALL, heartbeat_s=0.02)) as world:
        deployment_id = await world.begin()
        accepted = (await world.upload_row(deployment_id)).heartbeat_time
        async with world.writer(deployment_id):
            async with asyncio.timeout(10):
                while (await world.upload_row(deployment_id)).heartbeat_time <= accepted:
                    await asyncio.sleep(0.005)


async def test_the_row_may_go_once_the_payload_is_recorded(open_world: OpenWorld) -> None:
    async with open_world(replace(SMALL, heartbeat_s=0.01)) as world:
        deployment_id = await world.begin()
        async with world.writer(deployment_id) as writer:
            await send(writer, DATA)
            stored = await writer.finish()
            writer.hold.end()
            async with world.catalogue.transaction() as transaction:
                await uploads.drop_upload(transaction, deployment_id)
            await until(lambda: len(asyncio.all_tasks()) == 1)
        assert await world.count(tables.pin) == 0
        assert await world.count(tables.upload_segment) == 0
        assert await world.read(stored.sha256) == DATA


@embedded_only
@pytest.mark.parametrize("epoch", [0, 2])
async def test_a_wrong_epoch_is_refused_at_the_door(world: World, epoch: int) -> None:
    deployment_id = await world.begin()
    with pytest.raises(UploadTakenOver):
        async with world.writer(deployment_id, epoch=epoch):
            raise AssertionError
    with pytest.raises(UploadTakenOver):
        async with world.writer("none"):
            raise AssertionError


async def test_an_upload_that_is_dropped_under_way(world: World) -> None:
    deployment_id = await world.begin()

    async def upload() -> None:
        async with world.writer(deployment_id) as writer:
            await send(writer, DATA[: 100 * KIB])
            async with world.catalogue.transaction() as transaction:
                await uploads.drop_upload(transaction, deployment_id)
            await send(writer, DATA)
            await writer.finish()

    with pytest.raises(UploadTakenOver):
        await upload()
    assert await world.count(tables.payload) == 0


async def test_an_upload_that_is_dropped_when_all_of_it_is_stored(world: World) -> None:
    """As whoever cancels it does: there is no stored part any more to make a manifest of."""
    deployment_id = await world.begin()

    async def upload() -> None:
        async with world.writer(deployment_id) as writer:
            await send_by("CHUNKS", writer)
            await writer.flush()
            async with world.catalogue.transaction() as transaction:
                await uploads.drop_upload(transaction, deployment_id)
            await writer.finish()

    with pytest.raises(UploadTakenOver, match=deployment_id):
        await upload()
    assert await world.count(tables.payload) == 0
    assert await world.count(tables.manifest_draft) == 0

"""Uploads that break off, are taken over, or meet each other: what is durable stays, and nothing is mixed."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import pytest

from longshore_chunks import chunk_digest
from longshore_storage.catalogue import Transaction, tables, uploads
from longshore_storage.errors import BlobStoreUnavailable, CatalogueUnavailable, CommitUnknown
from longshore_storage.payloads import PackFileGone, PayloadWriter, UploadLost, UploadTakenOver
from longshore_storage.payloads.manifest_reading import StoredManifest

from .conftest import OpenWorld
from .world import KIB, SMALL, World, cut, entries_of, random_bytes, reference_to, send, send_chunks, until

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
                while (await world.upload_row(deployment_id)).heartbeat_time <= accepted:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)


async def test_the_row_may_go_once_the_payload_is_recorded(open_world: OpenWorld) -> None:
    async with open_world(replace(SMALL, heartbeat_s=0.01)) as world:
        deployment_id = await world.begin()
        async with world.writer(deployment_id) as writer:
            await send(writer, DATA)
            stored = await writer.finish()
            async with world.catalogue.transaction() as transaction:
                await uploads.drop_upload(transaction, deployment_id)
            await until(lambda: len(asyncio.all_tasks()) == 1)
        assert await world.count(tables.pin) == 0
        assert await world.count(tables.upload_segment) == 0
        assert await world.read(stored.sha256) == DATA


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


async def test_two_uploads_of_one_payload_at_once(world: World) -> None:
    both_there = asyncio.Barrier(2)

    async def wait_for_the_other(key: str) -> None:
        if key.startswith("manifests/"):
            await both_there.wait()

    world.blobs.before_put = wait_for_the_other
    first, second = await asyncio.gather(world.upload(DATA), world.upload(DATA))
    assert first.sha256 == second.sha256 == SHA256
    assert first.manifest_key == second.manifest_key
    manifests = set(await world.keys("manifests/"))
    assert set(await world.column(tables.condemned, "key")) == manifests - {first.manifest_key}
    assert len(manifests) == 2
    winner = StoredManifest(
        world.blobs, world.store._workers, first.manifest_key, sha256=SHA256, size_bytes=len(DATA)
    )
    used = {chunk.pack_key async for chunks in winner.chunks() for chunk in chunks}
    assert set(await world.column(tables.payload_pack, "pack_key")) == used
    assert await world.read(SHA256) == DATA


async def test_many_uploads_at_once_wait_for_their_turn(world: World) -> None:
    payloads = [DATA[:-1] + bytes([number]) for number in range(8)]
    stored = await asyncio.gather(*(world.upload(data) for data in payloads))
    for data, one in zip(payloads, stored, strict=True):
        assert one.sha256 == hashlib.sha256(data).hexdigest()
        assert await world.read(one.sha256) == data


async def test_a_waiting_upload_is_alive_and_can_be_cancelled(open_world: OpenWorld) -> None:
    async with open_world(replace(SMALL, uploads_at_once=1, heartbeat_s=0.02)) as world:
        first, second = await world.begin(), await world.begin()
        async with world.writer(first) as writer:
            await writer.add_data(0, b"abc")

            async def wait_for_its_turn() -> None:
                async with world.writer(second) as waiting:
                    await waiting.add_data(0, b"def")

            accepted = (await world.upload_row(second)).heartbeat_time
            task = asyncio.create_task(wait_for_its_turn())
            async with asyncio.timeout(10):
                while (await world.upload_row(second)).heartbeat_time <= accepted:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await writer.finish()
        async with world.writer(second) as writer:
            await writer.add_data(0, b"def")
            await writer.finish()


async def test_a_pack_file_that_was_collected_while_it_was_put(world: World) -> None:
    async def collect(key: str) -> None:
        async with world.catalogue.transaction() as transaction:
            await transaction.execute(tables.pack_file.delete().where(tables.pack_file.c.key == key))

    world.blobs.before_put = collect
    with pytest.raises(PackFileGone) as caught:
        await world.upload(DATA)
    assert isinstance(caught.value, UploadLost)


async def test_a_pack_file_that_was_collected_before_the_payload_is_recorded(world: World) -> None:
    async def collect(key: str) -> None:
        if key.startswith("manifests/"):
            # Pins forbid this while the upload lasts; the payload's foreign key is the last line.
            async with world.catalogue.transaction() as transaction:
                await transaction.execute(tables.pin.delete())
                await transaction.execute(tables.pack_file.delete())

    world.blobs.before_put = collect
    with pytest.raises(PackFileGone):
        await world.upload(DATA)
    assert await world.count(tables.payload) == 0


async def test_chunks_of_a_collected_pack_file_are_missing_again(world: World) -> None:
    stored = await world.upload(DATA)
    async with world.catalogue.transaction() as transaction:
        # Chunk rows whose pack file is being collected by another transaction look like this to a pin.
        await transaction.execute(tables.upload.delete())
        await transaction.execute(tables.payload.delete())
        await transaction.execute(tables.pack_file.update().values(state="WRITING"))
    deployment_id = await world.begin()
    digests = [chunk_digest(raw) for raw in RAWS]
    missing = await world.store.find_missing(deployment_id=deployment_id, project="netops", digests=digests)
    assert missing == list(range(len(RAWS)))
    again = await world.upload(DATA)
    assert again.sha256 == stored.sha256
    assert again.stored_bytes == len(DATA)
    assert await world.read(SHA256) == DATA


@pytest.mark.parametrize("committed", [False, True])
async def test_a_commit_with_an_unknown_outcome_is_resolved_by_reading(
    world: World, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    commit = type(world.catalogue)._commit
    appended = uploads.append_segment
    doomed: list[object] = []

    async def append_and_doom(transaction: Transaction, *arguments: object) -> bool:
        doomed.append(transaction._connection)
        return await appended(transaction, *arguments)  # type: ignore[arg-type]

    async def break_while_committing(self: object, connection: object) -> None:
        if connection not in doomed:
            return await commit(world.catalogue, connection)  # type: ignore[arg-type]
        if committed:
            await commit(world.catalogue, connection)  # type: ignore[arg-type]
        doomed.clear()
        raise CommitUnknown("the connection broke")

    monkeypatch.setattr(uploads, "append_segment", append_and_doom)
    monkeypatch.setattr(type(world.catalogue), "_commit", break_while_committing)
    if committed:
        await world.upload(DATA)
        assert await world.read(SHA256) == DATA
    else:
        with pytest.raises(CatalogueUnavailable, match="resume the upload"):
            await world.upload(DATA)
        assert await world.count(tables.chunk) == 0


async def test_a_stretch_of_references_moves_the_durable_offset(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longshore_storage.payloads.assembling._REFERENCES_MAX_CHUNKS", 10)
    await world.upload(DATA)
    deployment_id = await world.begin()
    async with world.writer(deployment_id) as writer:
        await send_chunks(writer, [reference_to(raw) for raw in RAWS])
        await until(lambda: writer.durable_bytes > len(DATA) / 2)
    assert (await world.upload_row(deployment_id)).next_segment >= len(RAWS) // 10 // 2

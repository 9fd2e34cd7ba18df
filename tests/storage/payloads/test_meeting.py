"""Uploads beside others and beside a collector: nothing is mixed, nothing counts on what is gone."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import pytest

from longshore_chunks import chunk_digest
from longshore_storage.catalogue import Transaction, tables, uploads
from longshore_storage.errors import CatalogueUnavailable, CommitUnknown
from longshore_storage.payloads import PackFileGone, UploadLost
from longshore_storage.payloads.manifest_reading import StoredManifest

from .conftest import OpenWorld
from .world import (
    KIB,
    SMALL,
    World,
    cut,
    embedded_only,
    random_bytes,
    reference_to,
    send_chunks,
    until,
)

DATA = random_bytes(260 * KIB)
RAWS = cut(DATA)
SHA256 = hashlib.sha256(DATA).hexdigest()


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


@embedded_only
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
                while (await world.upload_row(second)).heartbeat_time <= accepted:
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


@embedded_only
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


@embedded_only
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

"""Damage anywhere is found by whoever reads it, confirmed, noted for everybody, and healed by an upload."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from blake3 import blake3

from longshore_chunks import chunk_digest
from longshore_storage.catalogue import damage, packs, tables
from longshore_storage.errors import BlobStoreUnavailable, CorruptBlob
from longshore_storage.payloads import PackFileDamaged
from tests.storage.payloads.world import (
    KIB,
    cut,
    embedded_only,
    entries_of,
    entry_of,
    manifest_of,
    random_bytes,
    reference_to,
    send,
    send_chunks,
    text_bytes,
)

from .hurt_world import HurtWorld, blocks_of, flipped, sha256_of

DATA = text_bytes(90 * KIB) + random_bytes(90 * KIB)
SHA256 = sha256_of(DATA)


async def flip_in_a_chunk(world: HurtWorld) -> None:
    await world.hurt_chunk((await world.chunks_of(SHA256))[7])


async def cut_a_pack_short(world: HurtWorld) -> None:
    await world.change_object((await world.chunks_of(SHA256))[7].pack_key, lambda body: body[:-2000])


async def lose_a_pack(world: HurtWorld) -> None:
    await world.blobs.delete((await world.chunks_of(SHA256))[7].pack_key)


async def empty_a_pack(world: HurtWorld) -> None:
    await world.change_object((await world.chunks_of(SHA256))[7].pack_key, lambda body: b"")


async def flip_in_the_manifest(world: HurtWorld) -> None:
    await world.change_object((await world.row(SHA256)).manifest_key, flipped(-40))


async def cut_the_manifest_short(world: HurtWorld) -> None:
    await world.change_object((await world.row(SHA256)).manifest_key, lambda body: body[:-1])


async def lose_the_manifest(world: HurtWorld) -> None:
    await world.blobs.delete((await world.row(SHA256)).manifest_key)


async def put_another_manifest(world: HurtWorld) -> None:
    """One of other bytes that says it is the payload's, in itself without a fault: as somebody makes it."""
    other = random_bytes(len(DATA), seed=8)
    await world.upload(other)
    body = await world.blobs.get((await world.row(sha256_of(other))).manifest_key)
    forged = body[:-32].replace(bytes.fromhex(sha256_of(other)), bytes.fromhex(SHA256))
    forged += blake3(forged).digest()
    await world.change_object((await world.row(SHA256)).manifest_key, lambda _: forged)


async def heal_plainly(world: HurtWorld) -> None:
    await world.upload(DATA)


async def heal_thriftily(world: HurtWorld) -> None:
    """As a client does that asks first."""
    deployment_id = await world.begin()
    raws = cut(DATA)
    missing = await world.store.find_missing(
        deployment_id=deployment_id, project="netops", digests=[chunk_digest(raw) for raw in raws]
    )
    entries = [entry_of(raw) if place in missing else reference_to(raw) for place, raw in enumerate(raws)]
    async with world.writer(deployment_id) as writer:
        await send_chunks(writer, entries)
        stored = await writer.finish(len(DATA), SHA256)
    assert stored.received_bytes < len(DATA)


@pytest.mark.parametrize(
    ("wound", "heal"),
    [
        (flip_in_a_chunk, heal_plainly),
        (flip_in_a_chunk, heal_thriftily),
        (cut_a_pack_short, heal_thriftily),
        (lose_a_pack, heal_plainly),
        (empty_a_pack, heal_thriftily),
        (flip_in_the_manifest, heal_plainly),
        (cut_the_manifest_short, heal_thriftily),
        (lose_the_manifest, heal_plainly),
        (lose_the_manifest, heal_thriftily),
        (put_another_manifest, heal_plainly),
    ],
)
async def test_read_noted_and_healed_by_an_upload(
    world: HurtWorld,
    wound: Callable[[HurtWorld], Awaitable[None]],
    heal: Callable[[HurtWorld], Awaitable[None]],
) -> None:
    await world.release(DATA, "1.0.0")
    await world.name_release(SHA256, len(DATA), "2.0.0")
    untouched = await world.release(random_bytes(50 * KIB, seed=9), "1.0.0", project="other")
    old = await world.row(SHA256)
    await wound(world)

    with pytest.raises(CorruptBlob):
        await world.read(SHA256)
    marked = await world.row(SHA256)
    assert marked.damage
    assert marked.manifest_key == old.manifest_key
    assert await world.audited("payload.damaged") == [("netops", "1.0.0"), ("netops", "2.0.0")]
    assert not (await world.row(untouched)).damage
    hurt = [key for key, state in (await world.pack_states()).items() if state == "DAMAGED"]
    assert set(hurt).isdisjoint(map(str, await world.column(tables.chunk, "pack_key")))
    assert len(hurt) == ("manifest" not in wound.__name__)
    # Met again, it is not told again.
    with pytest.raises(CorruptBlob):
        await world.read(SHA256)
    assert len(await world.audited("payload.damaged")) == 2

    await heal(world)
    healed = await world.row(SHA256)
    assert healed.damage == ""
    assert healed.manifest_key != old.manifest_key
    assert await world.column(tables.condemned, "key") == [old.manifest_key]
    assert await world.read(SHA256) == DATA
    named = {chunk.pack_key for chunk in await world.chunks_of(SHA256)}
    assert named.isdisjoint(hurt)
    assert sorted(named) == sorted(key for key, sha256 in await world.payload_packs() if sha256 == SHA256)


@embedded_only
async def test_only_the_payloads_that_need_the_chunk_are_damaged(world: HurtWorld) -> None:
    more = DATA + random_bytes(60 * KIB, seed=3)
    await world.release(DATA, "1.0.0")
    await world.release(more, "2.0.0")
    last = (await world.chunks_of(sha256_of(more)))[-1]
    first = (await world.chunks_of(SHA256))[-1]
    await world.hurt_chunk(last)
    assert await world.marker.suspect(last.pack_key)
    assert (await world.row(sha256_of(more))).damage
    assert not (await world.row(SHA256)).damage
    await world.hurt_chunk(first)
    # It stands in both, unless the second began its last chunk elsewhere.
    assert await world.marker.suspect(first.pack_key)
    assert (await world.row(SHA256)).damage
    assert await world.audited("payload.damaged") == [("netops", "2.0.0"), ("netops", "1.0.0")]


@embedded_only
async def test_a_fault_in_an_index_hurts_no_payload(world: HurtWorld) -> None:
    await world.release(DATA)
    key = (await world.chunks_of(SHA256))[0].pack_key
    await world.change_object(key, flipped(-30))
    assert await world.marker.suspect(key)
    assert (await world.pack_states())[key] == "DAMAGED"
    assert not (await world.row(SHA256)).damage
    assert await world.read(SHA256) == DATA


@embedded_only
async def test_what_is_sound_is_left_alone(world: HurtWorld) -> None:
    await world.release(DATA)
    for key in await world.keys(""):
        assert not await world.marker.suspect(key)
    assert not await world.marker.suspect("packs/00/nothing")
    assert set((await world.pack_states()).values()) == {"STORED"}
    assert await world.audited("payload.damaged") == []


@embedded_only
async def test_bytes_changed_on_their_way_are_read_once_more(world: HurtWorld) -> None:
    await world.release(DATA)
    chunk = (await world.chunks_of(SHA256))[7]
    wrong = 2

    def change(key: str, body: bytes) -> bytes:
        nonlocal wrong
        if key == chunk.pack_key and wrong and len(body) < 32 * KIB:
            wrong -= 1
            return bytes(len(body))
        return body

    world.blobs.change = change
    assert await world.read(SHA256) == DATA
    assert wrong == 0
    assert not (await world.row(SHA256)).damage


@embedded_only
async def test_bytes_that_are_always_changed_on_their_way_end_the_reading(world: HurtWorld) -> None:
    await world.release(DATA)
    chunk = (await world.chunks_of(SHA256))[7]
    size = len(await world.blobs.get(chunk.pack_key))
    world.blobs.change = lambda key, body: (
        bytes(len(body)) if key == chunk.pack_key and len(body) < size else body
    )
    with pytest.raises(CorruptBlob):
        await world.read(SHA256)
    assert not (await world.row(SHA256)).damage


@embedded_only
async def test_a_store_that_is_away_proves_nothing(world: HurtWorld) -> None:
    await world.release(DATA)
    await flip_in_a_chunk(world)
    key = (await world.chunks_of(SHA256))[7].pack_key

    async def away(key: str) -> None:
        raise BlobStoreUnavailable("the store is away")

    world.blobs.before_get = away
    with pytest.raises(BlobStoreUnavailable):
        await world.marker.suspect(key)
    assert not (await world.row(SHA256)).damage


@pytest.mark.parametrize("way", ["PLAIN", "CHUNKS"])
async def test_an_upload_that_counts_on_a_damaged_pack_file_sends_again(world: HurtWorld, way: str) -> None:
    """What it has sent before the damage stays; the rest is asked for again."""

    async def go_on(epoch: int) -> int:
        async with world.writer(deployment_id, epoch=epoch) as writer:
            begun = writer.durable_bytes
            await (send(writer, DATA) if way == "PLAIN" else send_chunks(writer, entries_of(cut(DATA))))
            await writer.finish(len(DATA), SHA256)
            return begun

    deployment_id = await world.begin()
    async with world.writer(deployment_id) as writer:
        if way == "PLAIN":
            await send(writer, DATA[: 150 * KIB])
        else:
            await send_chunks(writer, entries_of(cut(DATA)[:30]))
        await writer.flush()
        durable = writer.durable_bytes
    packs = list(dict.fromkeys(await world.segment_packs(deployment_id)))
    assert len(packs) > 2
    await world.change_object(packs[1], flipped(500))

    # The session that resumes reads back, and finds it.
    epoch = await world.take_over(deployment_id)
    with pytest.raises(PackFileDamaged, match="resume the upload"):
        await go_on(epoch)
    epoch = await world.take_over(deployment_id)
    begun = await go_on(epoch)
    assert 0 < begun < durable
    assert await world.read(SHA256) == DATA
    assert packs[1] not in {chunk.pack_key for chunk in await world.chunks_of(SHA256)}
    assert packs[0] in {chunk.pack_key for chunk in await world.chunks_of(SHA256)}


async def test_damage_found_before_an_upload_is_recorded(world: HurtWorld) -> None:
    """Its chunks were hashed as they came, so it would not notice by itself."""
    deployment_id = await world.begin()

    async def upload(epoch: int) -> None:
        async with world.writer(deployment_id, epoch=epoch) as writer:
            await send(writer, DATA)
            if epoch == 1:
                await writer.flush()
                key = (await world.segment_packs(deployment_id))[0]
                await world.change_object(key, flipped(500))
                assert await world.marker.suspect(key)
            await writer.finish(len(DATA), SHA256)

    with pytest.raises(PackFileDamaged):
        await upload(1)
    assert await world.count(tables.payload) == 0
    await upload(await world.take_over(deployment_id))
    assert await world.read(SHA256) == DATA


async def test_a_second_upload_under_way_loses_to_the_repair_of_the_first(world: HurtWorld) -> None:
    await world.release(DATA)
    await lose_the_manifest(world)
    with pytest.raises(CorruptBlob):
        await world.read(SHA256)
    first, second = await world.begin(), await world.begin(project="other")
    async with world.writer(first) as one, world.writer(second, project="other") as two:
        await send(one, DATA)
        await send(two, DATA)
        stored = [await one.finish(), await two.finish()]
    assert stored[0].manifest_key == stored[1].manifest_key == (await world.row(SHA256)).manifest_key
    assert await world.read(SHA256) == DATA


@embedded_only
async def test_a_reader_goes_on_by_the_manifest_of_a_repair(world: HurtWorld) -> None:
    await world.release(DATA)
    await flip_in_a_chunk(world)
    async with world.store.open(SHA256) as reader:
        key = (await world.chunks_of(SHA256))[7].pack_key
        assert await world.marker.suspect(key)
        await heal_plainly(world)
        assert b"".join([piece async for piece in reader.stream()]) == DATA


async def test_pinning_and_marking_at_once(world: HurtWorld) -> None:
    """Whichever comes first: nothing new counts on the pack file without learning of the damage."""
    await world.release(DATA)
    key = (await world.chunks_of(SHA256))[7].pack_key
    deployment_id = await world.begin()

    async def pin() -> frozenset[str]:
        async with world.catalogue.transaction() as transaction:
            return await packs.pin_packs(transaction, deployment_id, [key])

    async with world.catalogue.transaction() as transaction:
        assert await damage.lock_pack(transaction, key)
        await damage.mark_pack(transaction, key)
        pinning = asyncio.create_task(pin())
        await asyncio.wait([pinning], timeout=0.2)
        assert not pinning.done()
    assert await pinning == frozenset()

    async with world.catalogue.transaction() as transaction:
        await damage.absolve_pack(transaction, key)
    await world.hurt_chunk((await world.chunks_of(SHA256))[7])
    async with world.catalogue.transaction() as transaction:
        assert await packs.pin_packs(transaction, deployment_id, [key]) == {key}
        marking = asyncio.create_task(world.marker.suspect(key))
        await asyncio.wait([marking], timeout=0.2)
        assert not marking.done()
    assert await marking
    async with world.writer(deployment_id) as writer:
        async with world.catalogue.reading() as transaction:
            assert not await damage.doubtful_pins(transaction, deployment_id)
        await send(writer, DATA)
        await writer.finish(len(DATA), SHA256)
    assert await world.read(SHA256) == DATA


async def test_marked_while_it_gets_another_manifest(world: HurtWorld) -> None:
    """The marker judged by the old manifest: it looks again, and leaves the new one alone."""
    await world.release(DATA)
    chunk = (await world.chunks_of(SHA256))[7]
    await world.hurt_chunk(chunk)
    old = await world.row(SHA256)

    async def repair_meanwhile(key: str) -> None:
        if key == old.manifest_key:
            world.blobs.before_get = None
            await world.marker.mark_payload(old, "somebody was faster")
            assert await world.repair.repair_payload(SHA256, blocks_of(DATA))

    # So that the repair does not believe the pack file either.
    async with world.catalogue.transaction() as transaction:
        await transaction.execute(tables.chunk.delete().where(tables.chunk.c.pack_key == chunk.pack_key))
    world.blobs.before_get = repair_meanwhile
    assert await world.marker.suspect(chunk.pack_key)
    row = await world.row(SHA256)
    assert row.damage == ""
    assert row.manifest_key != old.manifest_key
    assert await world.read(SHA256) == DATA


@embedded_only
async def test_a_manifest_that_is_not_the_rows_tells_nothing_of_a_pack_file(world: HurtWorld) -> None:
    sha256 = await world.release(random_bytes(100 * KIB))
    first, *others = await world.chunks_of(sha256)
    manifest_key = (await world.row(sha256)).manifest_key
    _, body = manifest_of(sha256, [replace(first, digest=bytes(32)), *others])
    await world.change_object(manifest_key, lambda _: body)
    assert not await world.marker.suspect(first.pack_key)
    assert not (await world.row(sha256)).damage
    assert await world.marker.suspect(manifest_key)
    assert (await world.row(sha256)).damage.startswith(f"manifest {manifest_key}")

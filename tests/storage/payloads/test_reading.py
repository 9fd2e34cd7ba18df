"""Reading payloads back: from anywhere, verified, past passing damage and compaction, never wrong bytes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

import google_crc32c
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from longshore_chunks import (
    Codec,
    ManifestHeader,
    ManifestReader,
    ManifestWriter,
    PackWriter,
    chunk_digest,
)
from longshore_storage.catalogue import packs, tables
from longshore_storage.errors import BlobStoreUnavailable, CorruptBlob
from longshore_storage.payloads import PayloadNotStored, PayloadSettings

from .conftest import OpenWorld
from .world import (
    CUTTING,
    KIB,
    World,
    cut,
    embedded_only,
    manifest_of,
    random_bytes,
    reference_to,
    text_bytes,
)

DATA = text_bytes(150 * KIB) + random_bytes(150 * KIB)
SHA256 = hashlib.sha256(DATA).hexdigest()


@given(offsets=st.lists(st.integers(0, len(DATA)), min_size=1, max_size=8))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_from_any_offset(world: World, offsets: list[int]) -> None:
    await world.upload(DATA)
    for offset in [0, len(DATA) - 1, len(DATA), *offsets]:
        assert await world.read(SHA256, offset) == DATA[offset:]


@embedded_only
@pytest.mark.parametrize("offset", [-1, len(DATA) + 1])
async def test_an_offset_outside_the_payload(world: World, offset: int) -> None:
    await world.upload(DATA)
    async with world.store.open(SHA256) as reader:
        with pytest.raises(ValueError, match="outside the payload"):
            reader.stream(offset)


async def test_what_stands_before_the_offset_is_not_fetched(world: World) -> None:
    await world.upload(DATA)
    async with world.store.open(SHA256) as reader:
        assert (reader.sha256, reader.size_bytes) == (SHA256, len(DATA))
        assert b"".join([piece async for piece in reader.stream(len(DATA) - 1000)]) == DATA[-1000:]
        fetched_bytes = reader.fetched_bytes
    assert 1000 < fetched_bytes < 60 * KIB
    assert sum(length for _, _, length in world.blobs.got) == fetched_bytes


@embedded_only
async def test_neighbours_are_fetched_together(world: World) -> None:
    stored = await world.upload(DATA)
    world.blobs.got.clear()
    await world.read(SHA256)
    assert len(world.blobs.got) < stored.chunk_count / 2
    assert sum(length for _, _, length in world.blobs.got) < stored.stored_bytes * 1.2


@embedded_only
async def test_a_chunk_that_stands_often_is_fetched_once_a_batch(world: World) -> None:
    raws = cut(random_bytes(30 * KIB))
    await world.upload(b"".join(raws))
    stored = await world.upload_chunks([reference_to(raws[0])] * 100)
    world.blobs.got.clear()
    assert await world.read(stored.sha256) == raws[0] * 100
    assert sum(length for _, _, length in world.blobs.got) < len(raws[0]) * 60


@embedded_only
async def test_no_such_payload(world: World) -> None:
    with pytest.raises(PayloadNotStored) as caught:
        await world.read("0" * 64)
    assert caught.value.sha256 == "0" * 64


@embedded_only
async def test_left_early_it_leaves_nothing_running(world: World) -> None:
    await world.upload(DATA)
    async with world.store.open(SHA256) as reader:
        async for _ in reader.stream():
            break
        abandoned = reader.stream()
        await anext(abandoned)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    with pytest.raises(StopAsyncIteration):
        await anext(abandoned)


async def test_cancelled_it_leaves_nothing_running(world: World) -> None:
    await world.upload(DATA)
    for turns in range(0, 120, 7):
        reading = asyncio.create_task(world.read(SHA256))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        assert asyncio.all_tasks() == {asyncio.current_task()}


Damage = Callable[[bytes], bytes]
DAMAGES: dict[str, Damage] = {
    "a flipped bit in the middle": lambda body: flip(body, len(body) // 2),
    "a flipped bit at the begin": lambda body: flip(body, 0),
    "a flipped bit at the end": lambda body: flip(body, len(body) - 1),
    "nothing but zeros": lambda body: bytes(len(body)),
}


def flip(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


@embedded_only
@pytest.mark.parametrize("kind", ["packs/", "manifests/"])
@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_on_the_way_is_read_again(world: World, kind: str, damage: str) -> None:
    await world.upload(DATA)
    damaged: set[str] = set()

    def once(key: str, body: bytes) -> bytes:
        if not key.startswith(kind) or key in damaged:
            return body
        damaged.add(key)
        return DAMAGES[damage](body)

    world.blobs.change = once
    assert await world.read(SHA256) == DATA
    assert damaged


@embedded_only
@pytest.mark.parametrize("kind", ["packs/", "manifests/"])
@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_that_stays_is_told_with_its_object(world: World, kind: str, damage: str) -> None:
    await world.upload(DATA)
    damaged = (await world.keys(kind))[-1]
    world.blobs.change = lambda key, body: DAMAGES[damage](body) if key == damaged else body
    with pytest.raises(CorruptBlob) as caught:
        await world.read(SHA256)
    assert caught.value.key == damaged


@embedded_only
async def test_nothing_comes_out_of_a_damaged_manifest(world: World) -> None:
    await world.upload(DATA)
    world.blobs.change = lambda key, body: flip(body, len(body) - 1) if key.startswith("man") else body
    async with world.store.open(SHA256) as reader:
        with pytest.raises(CorruptBlob, match="digest"):
            await anext(reader.stream())


@embedded_only
async def test_the_manifest_of_another_payload(world: World) -> None:
    other = await world.upload(DATA[:-1])
    stored = await world.upload(DATA)
    body = await world.blobs.get(other.manifest_key)
    world.blobs.change = lambda key, found: body if key == stored.manifest_key else found
    with pytest.raises(CorruptBlob):
        await world.read(SHA256)


@embedded_only
async def test_what_comes_before_damage_is_right(world: World) -> None:
    await world.upload(DATA)
    last = tables.chunk.c.digest == chunk_digest(cut(DATA)[-1])
    async with world.catalogue.reading() as transaction:
        row = await transaction.one(select(tables.chunk.c.pack_key).where(last))
    assert row is not None
    damaged = row.pack_key
    world.blobs.change = lambda key, body: bytes(len(body)) if key == damaged else body
    got: list[bytes | memoryview] = []

    async def read() -> None:
        async with world.store.open(SHA256) as reader:
            async for piece in reader.stream():
                got.append(piece)  # noqa: PERF401 - what came before the error is what is wanted

    with pytest.raises(CorruptBlob):
        await read()
    assert got
    assert DATA.startswith(b"".join(got))


async def test_a_cut_off_pack_file(world: World) -> None:
    await world.upload(DATA)
    key = (await world.keys("packs/"))[0]
    half = (await world.blobs.get(key))[:100]
    await world.blobs.delete(key)
    await world.blobs.put(key, [half], crc32c=google_crc32c.value(half))
    with pytest.raises(CorruptBlob) as caught:
        await world.read(SHA256)
    assert caught.value.key == key


@pytest.mark.parametrize("kind", ["packs/", "manifests/"])
async def test_an_object_that_is_gone_although_it_is_needed(world: World, kind: str) -> None:
    await world.upload(DATA)
    gone = (await world.keys(kind))[0]
    await world.blobs.delete(gone)
    with pytest.raises(CorruptBlob, match="it is gone") as caught:
        await world.read(SHA256)
    assert caught.value.key == gone


async def test_a_payload_that_is_removed_while_it_is_read(world: World) -> None:
    await world.upload(DATA)
    manifests = await world.keys("manifests/")

    async def remove(key: str) -> None:
        if key.startswith("packs/"):
            await world.forget_payloads()
            for gone in [*await world.keys("packs/"), *manifests]:
                await world.blobs.delete(gone)

    world.blobs.before_get = remove
    with pytest.raises(PayloadNotStored):
        await world.read(SHA256)


@embedded_only
async def test_a_store_that_goes_away_while_it_is_read(world: World) -> None:
    await world.upload(DATA)

    async def fail(key: str) -> None:
        if key.startswith("packs/"):
            raise BlobStoreUnavailable("the store is away")

    world.blobs.before_get = fail
    with pytest.raises(BlobStoreUnavailable):
        await world.read(SHA256)


@pytest.mark.parametrize("after_bytes", [0, 1, 100 * KIB])
async def test_a_payload_that_is_compacted_while_it_is_read(world: World, after_bytes: int) -> None:
    await world.upload(DATA)
    got = b""
    compacted = False
    async with world.store.open(SHA256) as reader:
        stream = reader.stream()
        if not after_bytes:
            await compact(world)
            compacted = True
        async for piece in stream:
            got += piece
            if not compacted and len(got) >= after_bytes:
                await compact(world)
                compacted = True
    assert compacted
    assert got == DATA


async def compact(world: World) -> None:
    """Write all chunks into one new pack file, name it in a new manifest, and remove what was there."""
    old = [*await world.keys("packs/"), *await world.keys("manifests/")]
    writer = PackWriter(1 << 30)
    chunks = [
        writer.add(chunk_digest(raw), Codec.RAW, raw, len(raw)).placed("packs/compacted") for raw in cut(DATA)
    ]
    pack = writer.finish()
    await world.blobs.put("packs/compacted", pack.parts, crc32c=pack.crc32c)
    header = ManifestHeader(bytes.fromhex(SHA256), len(DATA), CUTTING, ("packs/compacted",), len(chunks))
    manifest = ManifestWriter(header)
    parts = [manifest.add(chunks), manifest.finish()]
    key = f"manifests/compacted-{manifest.digest.hex()}"
    await world.blobs.put(key, parts, crc32c=manifest.crc32c)
    async with world.catalogue.transaction() as transaction:
        await packs.begin_pack(transaction, "packs/compacted")
        await packs.mark_stored(transaction, "packs/compacted", pack.size_bytes)
        await transaction.execute(update(tables.payload).values(manifest_key=key))
        await transaction.execute(tables.payload_pack.delete())
        await transaction.execute(
            insert(tables.payload_pack).values(payload_sha256=SHA256, pack_key="packs/compacted")
        )
    for key in old:
        await world.blobs.delete(key)


@embedded_only
async def test_a_large_manifest_is_read_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longshore_storage.payloads.manifest_reading._PIECE_BYTES", 200)
    await world.upload(DATA)
    assert await world.read(SHA256, 1000) == DATA[1000:]
    assert max(length for key, _, length in world.blobs.got if key.startswith("manifests/")) == 200


@embedded_only
@pytest.mark.parametrize("forged_readings", [range(2, 3), range(2, 100)], ids=["once", "from then on"])
async def test_a_large_manifest_is_the_same_when_it_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch, forged_readings: range
) -> None:
    """It is not kept, so whoever writes in the store may have put another one there since it was verified."""
    monkeypatch.setattr("longshore_storage.payloads.manifest_reading._PIECE_BYTES", 200)
    other = await world.upload(random_bytes(len(DATA), seed=9))
    stored = await world.upload(DATA)
    places = ManifestReader().feed(await world.blobs.get(other.manifest_key))
    _, forged = manifest_of(SHA256, places)
    readings = 0

    def change(key: str, body: bytes) -> bytes:
        nonlocal readings
        if key != stored.manifest_key:
            return body
        at = world.blobs.got[-1][1]
        readings += at == 0
        return forged[at : at + len(body)] if readings in forged_readings else body

    world.blobs.change = change
    async with world.store.open(SHA256) as reader:
        if 3 in forged_readings:
            with pytest.raises(CorruptBlob):
                await anext(reader.stream())
        else:
            assert b"".join([piece async for piece in reader.stream()]) == DATA
    assert readings >= 3


@embedded_only
async def test_a_payload_that_is_compacted_while_a_server_of_the_store_is_away(world: World) -> None:
    """Such a store does not say that the old objects are gone, so the row is looked at."""
    await world.upload(DATA)
    old = {*await world.keys("packs/"), *await world.keys("manifests/")}

    async def cannot_tell(key: str) -> None:
        if key in old:
            raise BlobStoreUnavailable("not all of its servers answered")

    async with world.store.open(SHA256) as reader:
        stream = reader.stream()
        got = bytes(await anext(stream))
        await compact(world)
        world.blobs.before_get = cannot_tell
        got += b"".join([piece async for piece in stream])
    assert got == DATA
    async with world.store.open(SHA256) as reader:
        await world.forget_payloads()
        old.update(await world.keys("manifests/"))
        with pytest.raises(PayloadNotStored):
            await anext(reader.stream())


@embedded_only
async def test_what_lies_together_is_handed_on_as_it_lies(open_world: OpenWorld) -> None:
    data = random_bytes(1500 * KIB) + text_bytes(600 * KIB) + random_bytes(1200 * KIB)
    sha256 = hashlib.sha256(data).hexdigest()
    async with open_world(PayloadSettings(threads=2)) as world:
        await world.upload(data, piece=KIB * KIB)
        async with world.store.open(sha256) as reader:
            for offset in (0, 1, 1400 * KIB, 1500 * KIB + 1, len(data) - 1):
                pieces = [piece async for piece in reader.stream(offset)]
                assert b"".join(pieces) == data[offset:]
                assert max(len(piece) for piece in pieces) <= KIB * KIB
            as_they_lie = [piece async for piece in reader.stream() if isinstance(piece, memoryview)]
    assert sum(len(piece) for piece in as_they_lie) > 2000 * KIB

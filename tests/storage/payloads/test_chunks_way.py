"""Uploading chunks and references: little is sent, nothing a client says is believed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import zstandard

from longshore_chunks import chunk_digest
from longshore_storage.catalogue import tables
from longshore_storage.payloads import (
    ChunkEntry,
    ChunkFrameInvalid,
    ChunkInvalid,
    ChunkMissing,
    OffsetMismatch,
    SizeMismatch,
    TooManyChunks,
    UploadRefused,
    UploadTakenOver,
    UploadWayMixed,
)

from .world import (
    CUTTING,
    KIB,
    World,
    cut,
    embedded_only,
    entries_of,
    entry_of,
    random_bytes,
    reference_to,
    send_chunks,
    text_bytes,
)


async def test_chunks_come_out_as_the_payload(world: World) -> None:
    data = text_bytes(150 * KIB) + random_bytes(150 * KIB)
    raws = cut(data)
    stored = await world.upload_chunks(entries_of(raws))
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert stored.chunk_count == len(raws)
    assert stored.received_bytes == stored.stored_bytes < len(data)
    assert await world.read(stored.sha256) == data


async def test_both_ways_store_the_same_payload(world: World) -> None:
    data = text_bytes(100 * KIB)
    first = await world.upload(data)
    second = await world.upload_chunks(entries_of(cut(data)))
    assert (second.sha256, second.manifest_key, second.stored_bytes) == (first.sha256, first.manifest_key, 0)


async def test_only_what_is_missing_is_sent(world: World) -> None:
    old = random_bytes(300 * KIB)
    new = old[: 100 * KIB] + random_bytes(20 * KIB, 9) + old[100 * KIB :]
    await world.upload(old)
    raws = cut(new)
    deployment_id = await world.begin(declared_size_bytes=len(new))
    missing = await world.store.find_missing(
        deployment_id=deployment_id, project="netops", digests=[chunk_digest(raw) for raw in raws]
    )
    assert 0 < len(missing) < len(raws) / 3
    entries = [entry_of(raw) if place in missing else reference_to(raw) for place, raw in enumerate(raws)]
    async with world.writer(deployment_id) as writer:
        await send_chunks(writer, entries)
        stored = await writer.finish(len(new), hashlib.sha256(new).hexdigest())
    assert stored.received_bytes == sum(len(raws[place]) for place in missing)
    assert stored.reused_bytes == len(new) - stored.received_bytes
    assert await world.read(stored.sha256) == new


async def test_a_payload_of_references_alone(world: World) -> None:
    data = random_bytes(200 * KIB)
    raws = cut(data)
    await world.upload(data)
    packs = await world.keys("packs/")
    stored = await world.upload_chunks([reference_to(raw) for raw in reversed(raws)])
    assert (stored.received_bytes, stored.stored_bytes) == (0, 0)
    assert await world.read(stored.sha256) == b"".join(reversed(raws))
    assert await world.keys("packs/") == packs


async def test_references_to_what_was_sent_before_in_this_upload(world: World) -> None:
    raws = cut(random_bytes(100 * KIB))
    entries = entries_of(raws)
    for again in (raws[:3], raws, raws[::-1]):
        entries += [reference_to(raw) for raw in again]
    stored = await world.upload_chunks(entries, at_a_time=3)
    assert stored.stored_bytes == sum(map(len, raws))
    assert await world.read(stored.sha256) == b"".join([*raws, *raws[:3], *raws, *raws[::-1]])


async def test_what_it_found_stays_while_the_upload_lasts(world: World) -> None:
    data = random_bytes(64 * KIB)
    await world.upload(data)
    deployment_id = await world.begin()
    assert not await world.store.find_missing(
        deployment_id=deployment_id, project="netops", digests=[chunk_digest(raw) for raw in cut(data)]
    )
    async with world.catalogue.reading() as transaction:
        pins = await transaction.all(tables.pin.select().where(tables.pin.c.deployment_id == deployment_id))
    assert {pin.pack_key for pin in pins} == set(await world.keys("packs/"))


async def test_another_projects_chunks_are_missing(world: World) -> None:
    data = random_bytes(50 * KIB)
    await world.upload(data, project="secret")
    digests = [chunk_digest(raw) for raw in cut(data)]
    deployment_id = await world.begin(project="mine")
    missing = await world.store.find_missing(deployment_id=deployment_id, project="mine", digests=digests)
    assert missing == list(range(len(digests)))
    with pytest.raises(ChunkMissing) as caught:
        await world.upload_chunks([reference_to(raw) for raw in cut(data)], project="mine", at_a_time=100)
    assert set(caught.value.digests) <= set(digests)


async def test_asking_for_very_many_at_once(world: World) -> None:
    data = random_bytes(40 * KIB)
    await world.upload(data)
    known = [chunk_digest(raw) for raw in cut(data)]
    digests = [chunk_digest(number.to_bytes(4, "big")) for number in range(10_000 - len(known))] + known
    missing = await world.store.find_missing(
        deployment_id=await world.begin(), project="netops", digests=digests
    )
    assert missing == list(range(10_000 - len(known)))


async def test_asking_for_an_upload_that_has_ended(world: World) -> None:
    data = random_bytes(10 * KIB)
    await world.upload(data)
    with pytest.raises(UploadTakenOver):
        await world.store.find_missing(
            deployment_id="none", project="netops", digests=[chunk_digest(raw) for raw in cut(data)]
        )


async def test_a_missing_reference_leaves_the_stored_part(world: World) -> None:
    raws = cut(random_bytes(200 * KIB))
    deployment_id = await world.begin()
    async with world.writer(deployment_id) as writer:
        await send_chunks(writer, entries_of(raws[:-2]))
        await writer.flush()
        durable = writer.durable_bytes
        assert durable == sum(map(len, raws[:-2]))

    async def refer_to_nothing() -> None:
        async with world.writer(deployment_id) as writer:
            await writer.add_chunks(durable, [reference_to(raws[-2]), entry_of(raws[-1])])
            await writer.finish()

    with pytest.raises(ChunkMissing) as caught:
        await refer_to_nothing()
    assert caught.value.digests == (chunk_digest(raws[-2]),)
    assert (await world.upload_row(deployment_id)).durable_bytes == durable
    async with world.writer(deployment_id) as writer:
        await send_chunks(writer, entries_of(raws))
        stored = await writer.finish()
    assert await world.read(stored.sha256) == b"".join(raws)


RAW = text_bytes(8 * KIB)
FRAME = zstandard.ZstdCompressor(level=3, write_checksum=False).compress(RAW)
GOOD = ChunkEntry(chunk_digest(RAW), len(RAW), zstd_frame=FRAME)
OTHER = random_bytes(8 * KIB)
STREAMED = zstandard.ZstdCompressor(level=3).compressobj()
UNSIZED = STREAMED.compress(RAW) + STREAMED.flush()
BOMB = zstandard.ZstdCompressor(level=19).compress(bytes(64 * 1024 * KIB))
WIDE = zstandard.ZstdCompressor(
    compression_params=zstandard.ZstdCompressionParameters(window_log=24, write_content_size=True)
)
WIDE_STREAM = WIDE.compressobj(size=len(RAW) * 3)
WIDE_FRAME = WIDE_STREAM.compress(RAW * 3) + WIDE_STREAM.flush()

LIES: dict[str, tuple[ChunkEntry, type[UploadRefused]]] = {
    "another digest": (replace(GOOD, digest=chunk_digest(OTHER)), ChunkInvalid),
    "another digest of raw bytes": (ChunkEntry(chunk_digest(RAW), len(OTHER), raw=OTHER), ChunkInvalid),
    "a digest too short": (replace(GOOD, digest=GOOD.digest[:31]), ChunkInvalid),
    "a smaller size": (replace(GOOD, raw_size=len(RAW) - 1), ChunkInvalid),
    "a larger size": (replace(GOOD, raw_size=len(RAW) + 1), ChunkInvalid),
    "a smaller size of raw bytes": (
        ChunkEntry(chunk_digest(OTHER), len(OTHER) - 1, raw=OTHER),
        ChunkInvalid,
    ),
    "no size": (replace(GOOD, raw_size=0), ChunkInvalid),
    "a negative size": (replace(GOOD, raw_size=-1), ChunkInvalid),
    "a size above the largest chunk": (replace(GOOD, raw_size=CUTTING.max_size_bytes + 1), ChunkInvalid),
    "an unknown reference": (ChunkEntry(chunk_digest(OTHER), len(OTHER)), ChunkMissing),
    "no frame at all": (replace(GOOD, zstd_frame=b"not a frame"), ChunkFrameInvalid),
    "an empty frame": (replace(GOOD, zstd_frame=b""), ChunkFrameInvalid),
    "half a frame": (replace(GOOD, zstd_frame=FRAME[: len(FRAME) // 2]), ChunkFrameInvalid),
    "bytes behind the frame": (replace(GOOD, zstd_frame=FRAME + b"!"), ChunkFrameInvalid),
    "two frames": (replace(GOOD, zstd_frame=FRAME + FRAME), ChunkFrameInvalid),
    "a bomb": (replace(GOOD, zstd_frame=BOMB), ChunkFrameInvalid),
    "a frame without its size": (replace(GOOD, zstd_frame=UNSIZED), ChunkFrameInvalid),
    "a window too large": (
        ChunkEntry(chunk_digest(RAW * 3), CUTTING.max_size_bytes, zstd_frame=WIDE_FRAME),
        ChunkFrameInvalid,
    ),
}


@embedded_only
@pytest.mark.parametrize("lie", LIES)
async def test_lies(world: World, lie: str) -> None:
    entry, error = LIES[lie]
    with pytest.raises(error) as caught:
        await world.upload_chunks([entry_of(OTHER[:4000]), entry])
    if isinstance(caught.value, ChunkInvalid):
        assert caught.value.digest == entry.digest
        assert entry.digest.hex() in str(caught.value)
    assert await world.count(tables.payload) == 0
    assert await world.count(tables.chunk) == 0


@embedded_only
async def test_a_reference_with_another_size(world: World) -> None:
    raws = cut(random_bytes(40 * KIB))
    await world.upload(b"".join(raws))
    lie = replace(reference_to(raws[0]), raw_size=len(raws[0]) - 1)
    with pytest.raises(ChunkInvalid, match=f"it has {len(raws[0])} bytes"):
        await world.upload_chunks([lie])
    with pytest.raises(ChunkInvalid, match="bytes"):
        await world.upload_chunks([entry_of(b"new" * 1000), ChunkEntry(chunk_digest(b"new" * 1000), 2999)])


@embedded_only
async def test_a_reference_before_the_bytes_is_missing(world: World) -> None:
    with pytest.raises(ChunkMissing):
        await world.upload_chunks([reference_to(OTHER), entry_of(OTHER)])


@embedded_only
async def test_more_and_smaller_chunks_than_any_cutter_makes(world: World) -> None:
    tiny = [entry_of(bytes([number % 256, number // 256])) for number in range(1500)]
    with pytest.raises(TooManyChunks):
        await world.upload_chunks(tiny, at_a_time=500)


@embedded_only
async def test_a_few_tiny_chunks_are_fine(world: World) -> None:
    stored = await world.upload_chunks([entry_of(bytes([number])) for number in range(200)])
    assert await world.read(stored.sha256) == bytes(range(200))


@embedded_only
async def test_chunks_for_another_place_are_refused(world: World) -> None:
    async with world.writer(await world.begin()) as writer:
        await writer.add_chunks(0, [GOOD])
        with pytest.raises(OffsetMismatch) as caught:
            await writer.add_chunks(0, [GOOD])
    assert (caught.value.expected, caught.value.got) == (len(RAW), 0)


@embedded_only
async def test_chunks_beyond_the_declared_size_are_refused(world: World) -> None:
    async with world.writer(await world.begin(declared_size_bytes=len(RAW))) as writer:
        with pytest.raises(SizeMismatch):
            await writer.add_chunks(0, [GOOD, GOOD])


@embedded_only
@pytest.mark.parametrize("first", ["PLAIN", "CHUNKS"])
@pytest.mark.parametrize("resumed", [False, True])
async def test_one_way_an_upload(world: World, first: str, resumed: bool) -> None:
    deployment_id = await world.begin()

    async def add(way: str) -> None:
        if way == "PLAIN":
            await writer.add_data(writer.offset, RAW)
        else:
            await writer.add_chunks(writer.offset, [GOOD])

    other = "CHUNKS" if first == "PLAIN" else "PLAIN"
    async with world.writer(deployment_id) as writer:
        await add(first)
        if not resumed:
            with pytest.raises(UploadWayMixed, match=f"began the way {first}"):
                await add(other)
    if resumed:
        async with world.writer(deployment_id) as writer:
            with pytest.raises(UploadWayMixed, match=f"began the way {first}"):
                await add(other)
    assert (await world.upload_row(deployment_id)).way == first

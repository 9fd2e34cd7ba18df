"""Compacting beside somebody who writes in the blob store: what he puts there gets into no payload."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import update

from longshore_chunks import Codec, PlacedChunk, chunk_digest
from longshore_storage.catalogue import tables
from longshore_storage.compacting import CompactionProgress
from longshore_storage.errors import CorruptBlob
from tests.storage.payloads.world import embedded_only, manifest_of

from .loose_world import LooseWorld

pytestmark = embedded_only


async def stored_as_it_is(world: LooseWorld, users: int) -> PlacedChunk:
    """A chunk of the first payload that so many use, uncompressed, in a pack file that is to be emptied."""
    packs = {candidate.key for candidate in (await world.compaction().plan()).candidates}
    payloads = sorted({sha256 for _, sha256 in await world.payload_packs()})
    chunks = {sha256: await world.chunks_of(sha256) for sha256 in payloads}
    counted = Counter(chunk for each in chunks.values() for chunk in set(each))
    return next(
        chunk
        for chunk in chunks[payloads[0]]
        if chunk.pack_key in packs and chunk.codec is Codec.RAW and counted[chunk] == users
    )


async def overwrite(world: LooseWorld, chunk: PlacedChunk, evil: bytes) -> None:
    end = chunk.offset + chunk.stored_length
    await world.change_object(chunk.pack_key, lambda body: body[: chunk.offset] + evil + body[end:])


async def name_another_manifest(world: LooseWorld, sha256: str, chunks: list[PlacedChunk]) -> str:
    """As a rebuild does, which believes the store."""
    key, body = manifest_of(sha256, chunks)
    await world.restore(key, body)
    p = tables.payload
    async with world.catalogue.transaction() as transaction:
        await transaction.execute(update(p).where(p.c.sha256 == sha256).values(manifest_key=key))
    return key


def evil_of(chunk: PlacedChunk) -> tuple[bytes, PlacedChunk]:
    """Other bytes for a place, and what a manifest says of them."""
    evil = (b"evil" * chunk.raw_length)[: chunk.raw_length]
    return evil, PlacedChunk(
        chunk_digest(evil), chunk.pack_key, chunk.offset, len(evil), len(evil), Codec.RAW
    )


async def compact_with(
    world: LooseWorld, forge: Callable[[], Awaitable[None]], *, after: int
) -> CompactionProgress:
    """Compact; once so many manifests were asked for, the first by who chooses, somebody forges."""
    manifests_read = 0

    async def before_get(key: str) -> None:
        nonlocal manifests_read
        manifests_read += key.startswith("manifests/")
        if manifests_read > after:
            world.blobs.before_get = None
            await forge()

    world.blobs.before_get = before_get
    return await world.compaction().run()


async def test_a_manifest_that_is_not_the_rows_moves_nothing(world: LooseWorld) -> None:
    left = await world.loosen()
    victim, other, forged = sorted(left)
    chunk = await stored_as_it_is(world, users=1)
    evil, said = evil_of(chunk)
    forged_key = (await world.row(forged)).manifest_key
    _, body = manifest_of(forged, [said])

    async def forge() -> None:
        await overwrite(world, chunk, evil)
        await world.change_object(forged_key, lambda _: body)

    assert (await compact_with(world, forge, after=len(left))).payloads == 1
    assert await world.read(other) == left[other]
    assert "manifest" in (await world.row(forged)).damage
    assert chunk.digest.hex() in (await world.row(victim)).damage
    with pytest.raises(CorruptBlob):
        await world.read(victim)


@pytest.mark.parametrize("is_first", [False, True])
async def test_of_one_place_where_two_chunks_are_said_to_be_nothing_moves(
    world: LooseWorld, is_first: bool
) -> None:
    left = await world.loosen()
    victim, _, forged = sorted(left, reverse=is_first)
    chunk = await stored_as_it_is(world, users=len(left))
    evil, said = evil_of(chunk)
    chunks = [said if each == chunk else each for each in await world.chunks_of(forged)]
    forged_keys: list[str] = []

    async def forge() -> None:
        await overwrite(world, chunk, evil)
        forged_keys.append(await name_another_manifest(world, forged, chunks))

    # The last one that is asked for by who chooses is the old one still.
    await compact_with(world, forge, after=len(left) - 1)
    assert [(await world.row(forged)).manifest_key] == forged_keys
    assert chunk.digest.hex() in (await world.row(victim)).damage
    with pytest.raises(CorruptBlob):
        await world.read(victim)


async def test_a_manifest_that_is_another_by_now_gets_only_its_own_chunks(world: LooseWorld) -> None:
    left = await world.loosen()
    forged = max(left)
    chunk = await stored_as_it_is(world, users=len(left))
    _, said = evil_of(chunk)
    chunks = [said if each == chunk else each for each in await world.chunks_of(forged)]
    forged_keys: list[str] = []

    async def forge(key: str) -> None:
        # The places of all chunks are known by now.
        world.blobs.before_put = None
        forged_keys.append(await name_another_manifest(world, forged, chunks))

    world.blobs.before_put = forge
    done = await world.compaction().run()
    assert done.payloads == len(left) - 1
    assert [(await world.row(forged)).manifest_key] == forged_keys
    for sha256 in left.keys() - {forged}:
        assert await world.read(sha256) == left[sha256]


async def test_a_manifest_of_more_chunks_than_the_row_counts_is_not_read_on(
    world: LooseWorld,
) -> None:
    left = await world.loosen()
    forged = max(left)
    row = await world.row(forged)
    chunk = (await world.chunks_of(forged))[0]
    _, body = manifest_of(forged, [chunk] * (row.chunk_count + 1))
    await world.change_object(row.manifest_key, lambda _: body)
    await world.compaction().run()
    assert f"more than {row.chunk_count} chunks" in (await world.row(forged)).damage

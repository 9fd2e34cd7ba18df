"""An upload whose project may not be read: nothing that is stored is told, what it sent itself counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from longshore_chunks import chunk_digest
from longshore_storage.payloads import (
    ChunkEntry,
    ChunkInvalid,
    ChunkLimitExceeded,
    ChunkMissing,
    PayloadWriter,
)

from .conftest import OpenWorld
from .world import (
    KIB,
    SMALL,
    World,
    cut,
    entries_of,
    entry_of,
    random_bytes,
    reference_to,
    send,
    send_chunks,
    until,
)

DATA = random_bytes(200 * KIB)
RAWS = cut(DATA)
OTHER = cut(random_bytes(200 * KIB, 2))


async def missing(world: World, deployment_id: str, raws: Sequence[bytes]) -> list[int]:
    return await world.store.find_missing(
        deployment_id=deployment_id,
        project="netops",
        digests=[chunk_digest(raw) for raw in raws],
        readable=False,
    )


async def refusal(world: World, entries: Sequence[ChunkEntry]) -> str:
    """What an upload of these is refused with."""
    deployment_id = await world.begin()
    with pytest.raises(ChunkMissing) as caught:
        async with world.store.writer(
            deployment_id=deployment_id, project="netops", epoch=1, readable=False
        ) as writer:
            await writer.add_chunks(0, entries)
            await writer.finish()
    return str(caught.value)


async def test_what_is_stored_and_what_is_not_look_the_same(world: World) -> None:
    await world.upload(DATA)
    deployment_id = await world.begin()
    assert await missing(world, deployment_id, RAWS) == list(range(len(RAWS)))
    assert await missing(world, deployment_id, OTHER) == list(range(len(OTHER)))
    for stored, unknown in ((RAWS[:1], OTHER[:1]), (RAWS[1:5], OTHER[1:5])):
        told = await refusal(world, [reference_to(raw) for raw in stored])
        assert told.replace(chunk_digest(stored[0]).hex(), "") == (
            await refusal(world, [reference_to(raw) for raw in unknown])
        ).replace(chunk_digest(unknown[0]).hex(), "")
    # A wrong size would tell that the right one is known.
    lying = replace(reference_to(RAWS[0]), raw_size=len(RAWS[0]) - 1)
    assert await refusal(world, [lying]) == await refusal(world, [reference_to(RAWS[0])])


async def test_what_it_sent_may_be_referred_to_and_is_stored_once(world: World) -> None:
    await world.upload(DATA)
    packs = await world.keys("packs/")
    twice = DATA + DATA
    deployment_id = await world.begin(declared_size_bytes=len(twice))
    entries = entries_of(RAWS) + [reference_to(raw) for raw in RAWS]
    async with world.store.writer(
        deployment_id=deployment_id, project="netops", epoch=1, readable=False
    ) as writer:
        await send_chunks(writer, entries)
        assert await missing(world, deployment_id, [*RAWS, *OTHER]) == [
            *range(len(RAWS), len(RAWS) + len(OTHER))
        ]
        stored = await writer.finish()
    assert stored.sha256 == hashlib.sha256(twice).hexdigest()
    # It is told what it would be if nothing had been there.
    assert (stored.received_bytes, stored.stored_bytes) == (len(DATA), len(DATA))
    assert await world.keys("packs/") == packs
    # Nobody else learns it, and neither does the same upload elsewhere.
    assert await missing(world, deployment_id, RAWS) == list(range(len(RAWS)))


async def test_a_resumed_upload_may_refer_to_its_stored_part(world: World) -> None:
    deployment_id = await world.begin()
    await self_sent(world, deployment_id, entries_of(RAWS))
    epoch = await world.take_over(deployment_id)
    async with world.store.writer(
        deployment_id=deployment_id, project="netops", epoch=epoch, readable=False
    ) as writer:
        offset = writer.durable_bytes
        assert offset > 0
        durable = raws_up_to(offset)
        rest = entries_of(RAWS[len(durable) :])
        await send_chunks(writer, [*entries_of(durable), *rest, *(reference_to(raw) for raw in durable)])
        stored = await writer.finish()
    assert stored.sha256 == hashlib.sha256(DATA + b"".join(durable)).hexdigest()


async def test_wrong_bytes_make_nothing_ones_own(world: World) -> None:
    await world.upload(DATA)
    pretended = replace(entry_of(OTHER[0]), digest=chunk_digest(RAWS[0]))
    deployment_id = await world.begin()
    with pytest.raises(ChunkInvalid):
        async with world.store.writer(
            deployment_id=deployment_id, project="netops", epoch=1, readable=False
        ) as writer:
            await send_chunks(writer, [pretended, *entries_of(OTHER), reference_to(RAWS[0])])
            await writer.finish()


@pytest.mark.parametrize("plain", [True, False])
async def test_chunks_are_counted_over_all_sessions(open_world: OpenWorld, plain: bool) -> None:
    async def go_on(writer: PayloadWriter) -> None:
        await (send(writer, DATA) if plain else send_chunks(writer, entries_of(RAWS)))

    deployment_id = ""
    async with open_world(SMALL) as world:
        deployment_id = await world.begin()
        async with world.writer(deployment_id) as writer:
            await go_on(writer)
            await until(lambda: writer.durable_bytes > len(DATA) / 2)
    async with open_world(replace(SMALL, max_chunks=len(RAWS) - 1)) as world:
        epoch = await world.take_over(deployment_id)
        with pytest.raises(ChunkLimitExceeded, match=f"more than {len(RAWS) - 1} chunks"):
            async with world.writer(deployment_id, epoch=epoch) as writer:
                await go_on(writer)
                await writer.finish()
    async with open_world(replace(SMALL, max_chunks=len(RAWS))) as world:
        epoch = await world.take_over(deployment_id)
        async with world.writer(deployment_id, epoch=epoch) as writer:
            await go_on(writer)
            assert (await writer.finish()).chunk_count == len(RAWS)


async def self_sent(world: World, deployment_id: str, entries: Sequence[ChunkEntry]) -> None:
    """An upload that breaks off when half of it is durable."""
    async with world.store.writer(
        deployment_id=deployment_id, project="netops", epoch=1, readable=False
    ) as writer:
        await send_chunks(writer, entries)
        await until(lambda: writer.durable_bytes > len(DATA) / 2)


def raws_up_to(offset: int) -> list[bytes]:
    """The chunks of the payload's first bytes."""
    found: list[bytes] = []
    while sum(map(len, found)) < offset:
        found.append(RAWS[len(found)])
    return found

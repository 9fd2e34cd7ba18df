"""Whoever follows an upload sees exactly its payload's bytes, in order, whichever way they come."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import pytest

from longshore_chunks import chunk_digest
from longshore_storage.payloads import ChunkEntry, PayloadWriter

from .world import KIB, World, cut, embedded_only, entries_of, random_bytes, send, send_chunks

DATA = random_bytes(200 * KIB)


class Follower:
    """Keeps what it is shown, as soon as it may."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.may_look = asyncio.Event()
        self.may_look.set()

    async def follow(self, raws: Sequence[bytes | memoryview]) -> None:
        await self.may_look.wait()
        for raw in raws:
            self.seen += raw


async def send_by(way: str, writer: PayloadWriter, data: bytes) -> None:
    if way == "PLAIN":
        await send(writer, data)
    else:
        await send_chunks(writer, entries_of(cut(data)))


@pytest.mark.parametrize("way", ["PLAIN", "CHUNKS"])
@embedded_only
async def test_all_of_a_payload_is_shown_before_it_is_recorded(world: World, way: str) -> None:
    follower = Follower()
    deployment_id = await world.begin()
    async with world.store.writer(
        deployment_id=deployment_id, project="netops", epoch=1, follow=follower.follow
    ) as writer:
        await send_by(way, writer, DATA)
        await writer.finish(len(DATA), hashlib.sha256(DATA).hexdigest())
        assert follower.seen == DATA


@embedded_only
async def test_what_was_stored_before_is_shown_too(world: World) -> None:
    deployment_id = await world.begin()
    async with world.writer(deployment_id) as writer:
        await send(writer, DATA[: 90 * KIB])
        await writer.flush()
        assert writer.durable_bytes
    follower = Follower()
    async with world.store.writer(
        deployment_id=deployment_id,
        project="netops",
        epoch=await world.take_over(deployment_id),
        follow=follower.follow,
    ) as writer:
        await send(writer, DATA)
        await writer.finish(len(DATA))
    assert follower.seen == DATA


@embedded_only
async def test_references_are_shown_as_what_they_stand_for(world: World) -> None:
    raws = cut(DATA)
    await world.upload_chunks(entries_of(raws))
    follower = Follower()
    deployment_id = await world.begin()
    async with world.store.writer(
        deployment_id=deployment_id, project="netops", epoch=1, follow=follower.follow
    ) as writer:
        await send_chunks(writer, [ChunkEntry(chunk_digest(raw), len(raw)) for raw in raws])
        await writer.finish(len(DATA))
    assert follower.seen == DATA


@pytest.mark.parametrize("way", ["PLAIN", "CHUNKS"])
@embedded_only
async def test_an_upload_does_not_run_ahead_of_who_follows(world: World, way: str) -> None:
    follower = Follower()
    follower.may_look.clear()
    deployment_id = await world.begin()
    async with world.store.writer(
        deployment_id=deployment_id, project="netops", epoch=1, follow=follower.follow
    ) as writer:
        sending = asyncio.create_task(send_by(way, writer, DATA))
        done, _ = await asyncio.wait([sending], timeout=0.3)
        assert not done
        assert writer.offset < len(DATA)
        follower.may_look.set()
        await sending
        await writer.finish(len(DATA))
    assert follower.seen == DATA

"""A damaged payload gets its bytes back from somebody who has them, and nothing but its own bytes."""

from __future__ import annotations

import asyncio

import pytest

from longshore_storage.catalogue import tables
from longshore_storage.errors import CorruptBlob
from longshore_storage.payloads import PayloadNotStored, Sha256Mismatch
from tests.storage.payloads.world import KIB, embedded_only, random_bytes, text_bytes

from .hurt_world import HurtWorld, blocks_of, sha256_of

DATA = text_bytes(90 * KIB) + random_bytes(90 * KIB) + bytes(60 * KIB)
SHA256 = sha256_of(DATA)


async def hurt(world: HurtWorld, what: str) -> None:
    chunks = await world.chunks_of(SHA256)
    if what == "chunk":
        await world.hurt_chunk(chunks[7])
    elif what == "pack":
        await world.blobs.delete(chunks[7].pack_key)
    elif what == "manifest":
        await world.blobs.delete((await world.row(SHA256)).manifest_key)
    else:
        for key in await world.keys(""):
            await world.blobs.delete(key)
    with pytest.raises(CorruptBlob):
        await world.read(SHA256)


@pytest.mark.parametrize("what", ["chunk", "pack", "manifest", "everything"])
async def test_repaired(world: HurtWorld, what: str) -> None:
    await world.release(DATA, "1.0.0")
    await world.upload(DATA[: 100 * KIB], project="other")
    old = await world.row(SHA256)
    await hurt(world, what)
    if what == "everything":
        # Only one is met by the reader; all are by a scrub.
        await world.scrub().run()
    packs = set(await world.pack_states())
    assert await world.repair.repair_payload(SHA256, blocks_of(DATA))
    assert await world.read(SHA256) == DATA
    row = await world.row(SHA256)
    assert (row.damage, row.size_bytes) == ("", len(DATA))
    assert old.manifest_key in await world.column(tables.condemned, "key")
    assert await world.audited("payload.repaired") == [("netops", "1.0.0")]
    states = await world.pack_states()
    new = set(states) - packs
    if what == "manifest":
        assert not new
    elif what != "everything":
        # Only what was lost is stored anew.
        assert len(new) == 1
    named = {key for key, sha256 in await world.payload_packs() if sha256 == SHA256}
    assert named == {chunk.pack_key for chunk in await world.chunks_of(SHA256)}
    assert {states[key] for key in named} == {"STORED"}
    # The project shares its chunks again.
    again = await world.upload(DATA + b"more")
    assert again.stored_bytes < 40 * KIB
    assert not await world.repair.repair_payload(SHA256, blocks_of(DATA))


@embedded_only
async def test_other_bytes_change_nothing(world: HurtWorld) -> None:
    await world.release(DATA)
    await hurt(world, "chunk")
    before = await world.row(SHA256)
    for other in (DATA[:-1], DATA + b"x", DATA[:-1] + b"x", b""):
        with pytest.raises(Sha256Mismatch):
            await world.repair.repair_payload(SHA256, blocks_of(other))
    assert await world.row(SHA256) == before
    with pytest.raises(PayloadNotStored):
        await world.repair.repair_payload(sha256_of(b"nothing"), blocks_of(b"nothing"))


async def test_several_at_once(world: HurtWorld) -> None:
    await world.release(DATA)
    await hurt(world, "pack")
    results = await asyncio.gather(
        *(world.repair.repair_payload(SHA256, blocks_of(DATA, 7_000 + number)) for number in range(3)),
        world.upload(DATA),
    )
    assert sum(result is True for result in results) <= 1
    assert await world.read(SHA256) == DATA
    assert not (await world.row(SHA256)).damage
    manifests = set(await world.keys("manifests/")) - {(await world.row(SHA256)).manifest_key}
    assert manifests == set(map(str, await world.column(tables.condemned, "key"))) & manifests
    assert await world.count(tables.manifest_draft) == 0


@embedded_only
async def test_cancelled_anywhere(world: HurtWorld) -> None:
    await world.release(DATA)
    await hurt(world, "pack")
    for turns in range(0, 300, 17):
        task = asyncio.create_task(world.repair.repair_payload(SHA256, blocks_of(DATA)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        row = await world.row(SHA256)
        if row.damage:
            with pytest.raises(CorruptBlob):
                await world.read(SHA256)
        else:
            assert await world.read(SHA256) == DATA
            await hurt(world, "pack")
    await world.repair.repair_payload(SHA256, blocks_of(DATA))
    assert await world.read(SHA256) == DATA

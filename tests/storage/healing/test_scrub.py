"""A scrub meets everything that rows name, at the rate it is given, and goes on where it broke off."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from longshore_storage.catalogue import chores, tables
from longshore_storage.errors import BlobStoreUnavailable
from longshore_storage.healing import ScrubProgress, scrub
from longshore_storage.healing.pace import Pace
from tests.storage.payloads.world import KIB, embedded_only, random_bytes, text_bytes

from .hurt_world import HurtWorld, flipped, sha256_of

ONE = text_bytes(90 * KIB) + random_bytes(90 * KIB)
TWO = random_bytes(120 * KIB, seed=2)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrub, "_PACKS_A_PAGE", 2)
    monkeypatch.setattr(scrub, "_PAYLOADS_A_PAGE", 1)


async def test_sound_stores(world: HurtWorld, small_pages: None) -> None:
    for number, data in enumerate((ONE, TWO)):
        await world.release(data, f"1.0.{number}")
    told: list[ScrubProgress] = []
    found = await world.scrub().run(tell=lambda progress: told.append(replace(progress)))
    packs = await world.keys("packs/")
    assert (found.packs, found.payloads) == (len(packs), 2)
    assert found.chunks == await world.count(tables.chunk)
    stored = sum([blob.size_bytes async for blob in world.blobs.list("")])
    assert found.read_bytes == stored
    assert await world.scrub().total_bytes() <= stored
    assert (found.damaged, found.unreadable, found.absolved) == (0, 0, 0)
    assert [progress.packs for progress in told] == sorted(progress.packs for progress in told)
    assert len(told) == 1 + -(-len(packs) // 2) + 2


async def test_every_kind_of_damage_is_found(world: HurtWorld, small_pages: None) -> None:
    await world.release(ONE)
    await world.release(TWO, project="other")
    sound = await world.release(random_bytes(40 * KIB, seed=5), project="sound")
    chunks = await world.chunks_of(sha256_of(ONE))
    packs = list(dict.fromkeys(chunk.pack_key for chunk in chunks))
    await world.hurt_chunk(chunks[0])
    await world.blobs.delete(packs[1])
    await world.change_object(packs[2], flipped(-1))
    await world.change_object((await world.row(sha256_of(TWO))).manifest_key, flipped(60))

    found = await world.scrub().run()
    states = await world.pack_states()
    assert {key for key, state in states.items() if state == "DAMAGED"} == set(packs[:3])
    assert (await world.row(sha256_of(ONE))).damage.startswith("pack file")
    assert (await world.row(sha256_of(TWO))).damage.startswith("manifest")
    assert not (await world.row(sound)).damage
    assert sorted(await world.audited("payload.damaged")) == [("netops", "1.0.0"), ("other", "1.0.0")]
    # Three pack files, a manifest, and the payload that the pack files hurt.
    assert found.damaged == 5
    assert not found.absolved

    # Found again as long as it is there, and gone after the next uploads.
    assert (await world.scrub().run()).damaged == 5
    await world.upload(ONE)
    await world.upload(TWO, project="other")
    assert (await world.scrub().run()).damaged == 3
    assert await world.read(sha256_of(ONE)) == ONE


@embedded_only
async def test_what_came_back_is_absolved(world: HurtWorld) -> None:
    """An operator copies lost objects back from a replica of the bucket."""
    await world.release(ONE)
    keys = await world.keys("")
    kept = {key: await world.blobs.get(key) for key in keys}
    lost = [(await world.row(sha256_of(ONE))).manifest_key, *(await world.keys("packs/"))[:2]]
    for key in lost:
        await world.blobs.delete(key)
    assert (await world.scrub().run()).damaged == 3
    for key in lost[:2]:
        await world.restore(key, kept[key])
    found = await world.scrub().run()
    assert (found.damaged, found.absolved) == (2, 1)
    await world.restore(lost[2], kept[lost[2]])
    found = await world.scrub().run()
    assert (found.damaged, found.absolved) == (0, 2)
    assert set((await world.pack_states()).values()) == {"STORED"}
    assert await world.read(sha256_of(ONE)) == ONE


@embedded_only
async def test_rows_that_disagree_with_the_manifest(world: HurtWorld) -> None:
    sha256 = await world.release(ONE)
    key = (await world.chunks_of(sha256))[0].pack_key
    pp = tables.payload_pack
    async with world.catalogue.transaction() as transaction:
        await transaction.execute(pp.delete().where(pp.c.pack_key == key))
    assert (await world.scrub().run()).damaged == 1
    assert "rows" in (await world.row(sha256)).damage
    assert (await world.scrub().run()).damaged == 1
    await world.upload(ONE)
    assert (await world.scrub().run()).damaged == 0


async def test_broken_off_it_goes_on(world: HurtWorld, small_pages: None) -> None:
    for number, data in enumerate((ONE, TWO)):
        await world.release(data, f"1.0.{number}")
    whole = await world.scrub().run()
    packs = sorted(await world.keys("packs/"))
    broken_at = packs[5]

    async def break_off(key: str) -> None:
        if key == broken_at:
            raise asyncio.CancelledError

    world.blobs.before_get = break_off
    with pytest.raises(asyncio.CancelledError):
        await world.scrub().run()
    world.blobs.before_get = None
    world.blobs.got.clear()
    found = await world.scrub().run(resume=True)
    assert found == whole
    read_again = {key for key, _, _ in world.blobs.got if key.startswith("packs/")}
    assert read_again == set(packs[4:])
    # Done: the next one begins anew, resumed or not.
    assert await world.scrub().run(resume=True) == whole
    async with world.catalogue.reading() as transaction:
        assert (await chores.get_chore(transaction, "scrub")).end_time is not None


@embedded_only
async def test_broken_off_among_the_manifests_it_goes_on(world: HurtWorld, small_pages: None) -> None:
    for number, data in enumerate((ONE, TWO)):
        await world.release(data, f"1.0.{number}")
    whole = await world.scrub().run()
    last = (await world.row(max(sha256_of(ONE), sha256_of(TWO)))).manifest_key

    async def break_off(key: str) -> None:
        if key == last:
            raise asyncio.CancelledError

    world.blobs.before_get = break_off
    with pytest.raises(asyncio.CancelledError):
        await world.scrub().run()
    world.blobs.before_get = None
    world.blobs.got.clear()
    assert await world.scrub().run(resume=True) == whole
    assert {key for key, _, _ in world.blobs.got} == {last}


@embedded_only
async def test_an_object_that_the_store_cannot_give(world: HurtWorld) -> None:
    """The store is well and answers an error for one object again and again: no proof, but told."""
    await world.release(ONE)
    ill = (await world.keys("packs/"))[0]

    async def fail(key: str) -> None:
        if key == ill:
            raise BlobStoreUnavailable("internal error")

    world.blobs.before_get = fail
    found = await world.scrub().run()
    assert (found.unreadable, found.damaged) == (1, 0)


@embedded_only
async def test_a_store_that_is_away_ends_it(world: HurtWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.release(ONE)

    async def away(*_: object) -> None:
        raise BlobStoreUnavailable("the store is away")

    world.blobs.before_get = away
    monkeypatch.setattr(world.blobs, "check", away)
    with pytest.raises(BlobStoreUnavailable):
        await world.scrub().run()


@embedded_only
async def test_beside_collecting(world: HurtWorld) -> None:
    """What is removed while it is looked at is no damage."""
    await world.release(ONE)
    await world.upload(TWO)
    doomed = {chunk.pack_key for chunk in await world.chunks_of(sha256_of(TWO))}

    async def collect(key: str) -> None:
        world.blobs.before_get = None
        async with world.catalogue.transaction() as transaction:
            for table, column in (
                (tables.upload, tables.upload.c.stored_payload),
                (tables.payload, tables.payload.c.sha256),
            ):
                await transaction.execute(table.delete().where(column == sha256_of(TWO)))
            for pack in doomed:
                await transaction.execute(tables.pack_file.delete().where(tables.pack_file.c.key == pack))
        for gone in doomed:
            await world.blobs.delete(gone)

    world.blobs.before_get = collect
    assert (await world.scrub().run()).damaged == 0


@embedded_only
async def test_the_rate_is_kept(world: HurtWorld) -> None:
    await world.release(TWO)
    clock = 0.0
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal clock
        slept.append(seconds)
        clock += seconds

    pace = Pace(1000.0, clock=lambda: clock, sleep=sleep)
    for _ in range(100):
        await pace.take(500)
    assert clock == pytest.approx(100 * 0.5 - 0.5, abs=1.0)
    clock += 1000
    before = clock
    for _ in range(10):
        await pace.take(500)
    # A long pause is not made up for at once.
    assert clock - before > 2

    loop = asyncio.get_running_loop()
    begun = loop.time()
    await world.scrub(rate_bytes_s=300_000).run()
    assert loop.time() - begun > 0.2

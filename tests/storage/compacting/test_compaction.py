"""Compaction halves what is stored and changes nothing that anybody reads, whatever happens beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from longshore_chunks import chunk_digest
from longshore_storage.catalogue import Catalogue, Transaction, stored_payloads, tables
from longshore_storage.compacting.live_bytes import LiveBytes
from longshore_storage.errors import BlobStoreUnavailable, CatalogueUnavailable, CommitUnknown
from tests.storage.healing.hurt_world import sha256_of
from tests.storage.payloads.world import KIB, embedded_only, entry_of, random_bytes, reference_to, send_chunks

from .loose_world import RAWS, WHOLE, LooseWorld

DAY = timedelta(days=1)


async def test_half_the_bytes_and_every_payload_right(world: LooseWorld) -> None:
    left = await world.loosen()
    before, old_packs = await world.stored_bytes(), set(await world.pack_states())
    manifests = {sha256: (await world.row(sha256)).manifest_key for sha256 in left}
    plan = await world.compaction().plan()
    assert {candidate.key for candidate in plan.candidates} < old_packs
    assert plan.live_bytes < plan.size_bytes / 2

    done = await world.compaction().run()
    assert done.planned_packs == done.done_packs == done.emptied_packs == len(plan.candidates)
    assert (done.planned_bytes, done.emptied_bytes) == (plan.size_bytes, plan.size_bytes)
    assert done.payloads == len(left)
    await world.check(left)
    assert set(await world.column(tables.condemned, "key")) == set(manifests.values())
    assert await world.count(tables.manifest_draft) == 0

    await world.collect()
    await world.check(left)
    assert await world.stored_bytes() <= before / 2
    objects = [blob async for blob in world.blobs.list("packs/")]
    assert sum(blob.size_bytes for blob in objects) == await world.stored_bytes()
    assert {blob.key for blob in objects} == set(await world.pack_states())
    # And there is nothing left to do.
    assert (await world.compaction().run()).planned_packs == 0


@embedded_only
async def test_in_many_rounds(world: LooseWorld) -> None:
    left = await world.loosen()
    told: list[int] = []
    done = await world.compaction(round_chunks=5).run(lambda progress: told.append(progress.done_packs))
    assert len(told) > 2
    assert done.emptied_packs == done.planned_packs == told[-1]
    await world.collect()
    await world.check(left)


@embedded_only
async def test_what_is_mostly_used_stays(world: LooseWorld) -> None:
    await world.release(WHOLE)
    await world.end_uploads()
    packs = await world.pack_states()
    assert (await world.compaction().run()).planned_packs == 0
    assert await world.pack_states() == packs


@embedded_only
async def test_the_index_leads_to_where_chunks_went(world: LooseWorld) -> None:
    left = await world.loosen()
    await world.compaction().run()
    await world.collect()
    new_packs = set(await world.pack_states())
    live = {raw for data in left.values() for raw in RAWS if raw in data}
    deployment_id = await world.begin()
    missing = await world.store.find_missing(
        deployment_id=deployment_id, project="netops", digests=[chunk_digest(raw) for raw in RAWS]
    )
    # What went with the old pack files is missing, and nothing that a payload uses.
    assert missing
    assert live.isdisjoint(RAWS[place] for place in missing)
    assert set(map(str, await world.column(tables.pin, "pack_key"))) <= new_packs
    stored = await world.upload(WHOLE)
    assert stored.reused_bytes == len(WHOLE) - sum(len(RAWS[place]) for place in missing)
    assert await world.read(stored.sha256) == WHOLE


@embedded_only
async def test_pinned_pack_files_are_left_alone(world: LooseWorld) -> None:
    left = await world.loosen()
    deployment_id = await world.begin()
    await world.store.find_missing(
        deployment_id=deployment_id, project="netops", digests=[chunk_digest(raw) for raw in RAWS]
    )
    assert (await world.compaction().run()).planned_packs == 0
    await world.end_uploads()
    assert (await world.compaction().run()).planned_packs > 0
    await world.check(left)


async def test_a_reader_in_the_middle(world: LooseWorld) -> None:
    left = await world.loosen()
    for sha256, data in left.items():
        async with world.store.open(sha256) as reader:
            stream = reader.stream()
            got = [await anext(stream)]
            if sha256 == min(left):
                await world.compaction().run()
                # Without any grace, the old objects are gone under the reader.
                await world.collect()
            got += [piece async for piece in stream]
        assert b"".join(got) == data


async def test_beside_an_upload_that_refers_to_an_old_pack_file(world: LooseWorld) -> None:
    """The upload pins in the midst of the compaction; what it refers to stays for it."""
    left = await world.loosen()
    deployment_id = await world.begin()
    old_packs = set(await world.pack_states())
    live = next(raw for raw in RAWS if all(raw in data for data in left.values()))
    dead = [raw for raw in RAWS if not any(raw in data for data in left.values())][:4]
    raws = [live, *dead, random_bytes(9 * KIB, seed=77)]

    async def upload_meanwhile(key: str) -> None:
        world.blobs.before_put = None
        async with world.writer(deployment_id) as writer:
            await send_chunks(writer, [reference_to(live), *map(reference_to, dead), entry_of(raws[-1])])
            # The rest of the compaction goes on before the payload is recorded.
            upload_is_pinned.set()
            await compaction_is_done.wait()
            await writer.finish()

    upload_is_pinned, compaction_is_done = asyncio.Event(), asyncio.Event()
    uploads: list[asyncio.Task[None]] = []

    async def before_put(key: str) -> None:
        if not uploads:
            uploads.append(asyncio.create_task(upload_meanwhile(key)))
            await upload_is_pinned.wait()

    world.blobs.before_put = before_put
    await world.compaction().run()
    await world.collect()
    compaction_is_done.set()
    await uploads[0]
    await world.collect()
    data = b"".join(raws)
    await world.check({**left, sha256_of(data): data})
    assert old_packs & set(await world.pack_states())
    # Later these pack files are emptied too.
    await world.name_release(sha256_of(data), len(data), "9.9.9")
    await world.end_uploads()
    await world.compaction().run()
    await world.collect()
    await world.check({**left, sha256_of(data): data})


async def test_two_compactions_at_once(world: LooseWorld) -> None:
    left = await world.loosen()
    before = await world.stored_bytes()
    await asyncio.gather(world.compaction().run(), world.compaction(round_chunks=7).run())
    await world.check(left)
    await world.collect()
    await world.check(left)
    await world.compaction().run()
    await world.collect()
    assert await world.stored_bytes() < before * 0.6
    await world.check(left)


@embedded_only
async def test_payloads_removed_and_repaired_meanwhile(world: LooseWorld) -> None:
    left = await world.loosen()
    removed, replaced = sorted(left)[:2]

    async def meddle(key: str) -> None:
        if key.startswith("manifests/"):
            world.blobs.before_put = None
            async with world.catalogue.transaction() as transaction:
                r = tables.release
                await transaction.execute(
                    r.update().where(r.c.stored_payload == removed).values(stored_payload=None)
                )
            await world.marker.mark_payload(await world.row(replaced), "somebody says so")
            await world.upload(left[replaced])
            await world.remove(removed)

    world.blobs.before_put = meddle
    await world.compaction().run()
    del left[removed]
    await world.check(left)
    await world.end_uploads()
    await world.compaction().run()
    await world.collect()
    await world.check(left)
    assert (await world.compaction().run()).planned_packs == 0


async def test_overtaken_by_the_collector(world: LooseWorld) -> None:
    """It takes a new pack file for what a crash left: the round is lost, and no payload is touched."""
    left = await world.loosen()
    manifests = {sha256: (await world.row(sha256)).manifest_key for sha256 in left}

    async def overtake(key: str) -> None:
        if key.startswith("manifests/"):
            world.blobs.before_put = None
            await world.collect(grace=DAY)

    world.blobs.before_put = overtake
    done = await world.compaction().run()
    assert done.payloads == 0
    assert {sha256: (await world.row(sha256)).manifest_key for sha256 in left} == manifests
    await world.collect()
    await world.check(left)
    assert (await world.compaction().run()).payloads == len(left)
    await world.collect()
    await world.check(left)


@embedded_only
async def test_damage_on_the_way_is_not_spread(world: LooseWorld) -> None:
    left = await world.loosen()
    victim, chunk = await world.a_chunk_of_one_payload()
    await world.hurt_chunk(chunk)
    await world.compaction().run()
    assert (await world.row(victim)).damage
    data = left.pop(victim)
    for sha256 in left:
        assert not (await world.row(sha256)).damage
        assert await world.read(sha256) == left[sha256]
    await world.upload(data)
    await world.end_uploads()
    left[victim] = data
    await world.compaction().run()
    await world.collect()
    await world.check(left)
    assert "DAMAGED" not in (await world.pack_states()).values()


@embedded_only
async def test_a_damaged_pack_file_is_emptied_however_full(world: LooseWorld) -> None:
    """Its index is hurt: every payload is whole, and leaves it at the next compaction."""
    sha256 = await world.release(WHOLE)
    await world.end_uploads()
    key = (await world.chunks_of(sha256))[0].pack_key
    await world.change_object(key, lambda body: body[:-1] + b"\x07")
    assert await world.marker.suspect(key)
    done = await world.compaction().run()
    assert (done.planned_packs, done.emptied_packs) == (1, 1)
    await world.collect()
    assert key not in await world.pack_states()
    await world.check({sha256: WHOLE})


@embedded_only
async def test_a_failing_blob_store(world: LooseWorld) -> None:
    left = await world.loosen()
    for failing_put in range(1, 30):
        puts = 0

        async def fail(key: str, failing_put: int = failing_put) -> None:
            nonlocal puts
            puts += 1
            if puts == failing_put:
                raise BlobStoreUnavailable("the store is away")

        world.blobs.before_put = fail
        try:
            await world.compaction(round_chunks=10).run()
        except BlobStoreUnavailable:
            await world.check(left)
            await world.collect()
        else:
            break
    world.blobs.before_put = None
    await world.compaction().run()
    await world.collect()
    await world.check(left)
    assert (await world.compaction().run()).planned_packs == 0


@embedded_only
async def test_cancelled_at_every_await(world: LooseWorld) -> None:
    left = await world.loosen()
    ended = False
    for turns in range(0, 4000, 89):
        task = asyncio.create_task(world.compaction(round_chunks=12).run())
        for _ in range(turns):
            if task.done():
                break
            await asyncio.sleep(0)
        ended = task.done()
        task.cancel()
        await asyncio.wait([task])
        if turns % 3 == 0:
            await world.check(left)
        if ended:
            break
    await world.collect()
    await world.check(left)
    await world.compaction().run()
    await world.collect()
    await world.check(left)
    assert await world.stored_bytes() < sum(map(len, RAWS)) / 2


class _Crash(Exception):
    """The process died here."""


class _CrashingCatalogue:
    """A catalogue that dies in front of, or right behind, the n-th commit."""

    def __init__(self, catalogue: Catalogue, crash_at: int, *, behind: bool) -> None:
        self._catalogue = catalogue
        self._left = crash_at
        self._behind = behind

    def __getattr__(self, name: str) -> object:
        return getattr(self._catalogue, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self._left -= 1
        async with self._catalogue.transaction() as transaction:
            yield transaction
            if self._left == 0 and not self._behind:
                raise _Crash
        if self._left == 0:
            raise _Crash


@pytest.mark.parametrize("behind", [False, True])
async def test_a_crash_at_every_commit(world: LooseWorld, behind: bool) -> None:
    left = await world.loosen(kept=2)
    crashes = 0
    for crash_at in range(1, 60):
        dying = _CrashingCatalogue(world.catalogue, crash_at, behind=behind)
        try:
            await world.compaction(round_chunks=20, catalogue=dying).run()  # type: ignore[arg-type]
        except _Crash:
            crashes += 1
            await world.check(left)
            if crash_at % 3 == 0:
                await world.collect()
                await world.check(left)
        else:
            break
    assert crashes > 3
    await world.collect()
    await world.check(left)


@embedded_only
@pytest.mark.parametrize("took_effect", [False, True])
async def test_a_commit_whose_outcome_is_unknown(
    world: LooseWorld, took_effect: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = await world.loosen()
    replace = stored_payloads.replace_manifest
    broken = False

    async def break_the_connection(transaction: Transaction, *args: object, **kwargs: object) -> bool:
        nonlocal broken
        swapped: bool = await replace(transaction, *args, **kwargs)  # type: ignore[arg-type]
        broken = True
        return swapped

    monkeypatch.setattr(stored_payloads, "replace_manifest", break_the_connection)
    commit: Callable[..., Awaitable[None]] = Catalogue._commit

    async def commit_and_break(catalogue: Catalogue, connection: object) -> None:
        nonlocal broken
        if not broken:
            await commit(catalogue, connection)
            return
        broken = False
        if took_effect:
            await commit(catalogue, connection)
        raise CommitUnknown("the connection broke while committing")

    monkeypatch.setattr(Catalogue, "_commit", commit_and_break)
    done = await world.compaction().run()
    assert done.payloads == (len(left) if took_effect else 0)
    await world.check(left)
    monkeypatch.undo()
    await world.compaction().run()
    await world.collect()
    await world.check(left)


@embedded_only
async def test_a_database_that_is_away(world: LooseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    left = await world.loosen()

    async def away(*_: object, **__: object) -> bool:
        raise CatalogueUnavailable("the database is away")

    monkeypatch.setattr(stored_payloads, "replace_manifest", away)
    with pytest.raises(CatalogueUnavailable):
        await world.compaction().run()
    monkeypatch.undo()
    await world.check(left)


@embedded_only
async def test_chunks_count_once_however_many_manifests_name_them(world: LooseWorld) -> None:
    left = await world.loosen()
    live = LiveBytes(table_bits=20)
    places: dict[tuple[str, int], int] = {}
    for sha256 in left:
        chunks = await world.chunks_of(sha256)
        live.add(chunks)
        live.add(chunks)
        places.update({(chunk.pack_key, chunk.offset): chunk.stored_length + 49 for chunk in chunks})
    for key in {key for key, _ in places}:
        share = live.share_of(key)
        assert share is not None
        of_pack = [size for (pack, _), size in places.items() if pack == key]
        assert (share.live_bytes, share.live_chunks) == (sum(of_pack), len(of_pack))
    assert live.share_of("packs/none") is None

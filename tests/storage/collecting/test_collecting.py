"""What collecting removes and what it leaves alone, step by step."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from dataclasses import replace
from datetime import timedelta

import google_crc32c
import pytest

from longshore_chunks import chunk_digest
from longshore_storage.catalogue import chores, journal, packs, stored_payloads, tables, uploads
from longshore_storage.collecting import CollectingSettings
from longshore_storage.collecting.orphans import SLICES
from longshore_storage.payloads import PackFileGone, PayloadNotStored, UploadTakenOver
from tests.storage.payloads.world import KIB, cut, entries_of, random_bytes, reference_to, send

from .store import ABANDONED, AT_ONCE, DAY, NO_TIME, Store, as_told

DATA = random_bytes(200 * KIB)
OTHER = random_bytes(120 * KIB, seed=2)
# Shares its first chunks with DATA.
NEXT = DATA[: 150 * KIB] + random_bytes(50 * KIB, seed=3)


async def test_an_empty_store_has_nothing_to_collect(store: Store) -> None:
    assert as_told(await store.collect()) == {}


async def test_what_a_release_names_stays(store: Store) -> None:
    await store.release(DATA)
    before = await store.objects()
    assert as_told(await store.collect()) == {}
    assert await store.objects() == before == await store.named()
    assert await store.is_readable(DATA)


async def test_what_no_release_names_goes_altogether(store: Store) -> None:
    release = await store.release(DATA)
    pack_files, chunks = await store.count(tables.pack_file), await store.count(tables.chunk)
    stored_bytes = sum(pack.size_bytes for pack in await store.rows(tables.pack_file))
    await store.reclaim(release)
    report = await store.collect()
    assert (report.payloads_dropped, report.pack_files_dropped) == (1, pack_files)
    assert report.chunks_dropped == chunks
    assert report.objects_condemned == report.objects_removed == pack_files + 1
    assert 0 <= report.condemned_bytes - stored_bytes < 10 * KIB
    assert report.removed_bytes == report.condemned_bytes
    assert await store.objects() == set()
    for table in (tables.payload, tables.payload_pack, tables.pack_file, tables.chunk, tables.condemned):
        assert await store.count(table) == 0, table.name
    assert as_told(await store.collect()) == {}


async def test_objects_stay_for_the_grace(store: Store) -> None:
    release = await store.release(DATA)
    before = await store.objects()
    await store.reclaim(release)
    waiting = replace(AT_ONCE, grace=DAY)
    assert (await store.collect(waiting)).objects_condemned == len(before)
    assert await store.objects() == before
    assert {row.key for row in await store.rows(tables.condemned)} == before
    assert as_told(await store.collect(waiting)) == {}
    await store.make_older(tables.condemned, "condemn_time")
    assert (await store.collect(waiting)).objects_removed == len(before)
    assert await store.objects() == set()
    assert await store.count(tables.condemned) == 0


async def test_now_leaves_the_grace_out(store: Store) -> None:
    await store.reclaim(await store.release(DATA))
    await store.collect(replace(AT_ONCE, grace=DAY), now=True)
    assert await store.objects() == set()


async def test_what_is_young_stays_for_another_try(store: Store) -> None:
    await store.drop(await store.begin_and_break_off(OTHER))
    await store.reclaim(await store.release(DATA))
    young = replace(AT_ONCE, keep_unnamed=timedelta(hours=1))
    assert as_told(await store.collect(young)) == {}
    assert await store.is_readable(DATA)
    for table in (tables.payload, tables.pack_file):
        await store.make_older(table, "create_time", timedelta(hours=2))
    assert (await store.collect(young)).payloads_dropped == 1
    assert await store.objects() == set()


async def test_what_an_upload_has_stored_stays(store: Store) -> None:
    deployment_id = await store.begin_and_break_off(DATA)
    assert as_told(await store.collect()) == {}
    async with store.world.writer(deployment_id) as writer:
        await send(writer, DATA)
        await writer.finish()
    assert as_told(await store.collect()) == {}
    await store.record(deployment_id, DATA, "1.0.0")
    assert await store.is_readable(DATA)


async def test_a_payload_waits_for_its_release(store: Store) -> None:
    deployment_id = await store.upload(DATA)
    await store.collect()
    assert await store.is_readable(DATA)
    await store.drop(deployment_id)
    await store.collect()
    assert not await store.is_readable(DATA)


async def test_a_payload_found_stored_is_kept_for_the_upload_that_found_it(store: Store) -> None:
    release = await store.release(DATA)
    deployment_id = await store.world.begin()
    kept = await store.world.store.keep(
        deployment_id=deployment_id, epoch=1, sha256=hashlib.sha256(DATA).hexdigest()
    )
    assert kept is not None
    await store.reclaim(release)
    assert as_told(await store.collect()) == {}
    await store.record(deployment_id, DATA, "1.0.1")
    assert await store.is_readable(DATA)


async def test_keeping_what_is_not_there_or_not_ours(store: Store) -> None:
    deployment_id = await store.world.begin()
    sha256 = hashlib.sha256(DATA).hexdigest()
    assert await store.world.store.keep(deployment_id=deployment_id, epoch=1, sha256=sha256) is None
    await store.release(DATA)
    with pytest.raises(UploadTakenOver):
        await store.world.store.keep(deployment_id=deployment_id, epoch=2, sha256=sha256)


async def test_pack_files_that_another_payload_needs_stay(store: Store) -> None:
    first = await store.release(DATA, "1.0.0")
    await store.release(NEXT, "1.0.1")
    before = await store.count(tables.pack_file)
    await store.reclaim(first)
    report = await store.collect()
    assert report.payloads_dropped == 1
    assert 0 < report.pack_files_dropped < before
    assert await store.objects() == await store.named()
    assert not await store.is_readable(DATA)
    assert await store.is_readable(NEXT)


async def test_a_payload_that_two_releases_name_stays_for_the_other(store: Store) -> None:
    first = await store.release(DATA, "1.0.0")
    await store.release(DATA, "1.0.0", project="other")
    await store.reclaim(first)
    assert as_told(await store.collect()) == {}
    assert await store.is_readable(DATA)


async def test_what_was_collected_is_missing_again_and_can_be_stored_again(store: Store) -> None:
    await store.reclaim(await store.release(DATA))
    await store.collect()
    raws = cut(DATA)
    deployment_id = await store.world.begin()
    missing = await store.world.store.find_missing(
        deployment_id=deployment_id, project="netops", digests=[chunk_digest(raw) for raw in raws]
    )
    assert missing == list(range(len(raws)))
    async with store.world.writer(deployment_id) as writer:
        await writer.add_chunks(0, entries_of(raws))
        await writer.finish()
    await store.record(deployment_id, DATA, "1.0.1")
    await store.collect()
    assert await store.is_readable(DATA)


async def test_what_find_missing_promised_stays(store: Store) -> None:
    release = await store.release(DATA)
    raws = cut(DATA)
    deployment_id = await store.world.begin()
    missing = await store.world.store.find_missing(
        deployment_id=deployment_id, project="netops", digests=[chunk_digest(raw) for raw in raws]
    )
    assert missing == []
    await store.reclaim(release)
    report = await store.collect()
    assert (report.payloads_dropped, report.pack_files_dropped) == (1, 0)
    async with store.world.writer(deployment_id) as writer:
        await writer.add_chunks(0, [reference_to(raw) for raw in raws])
        await writer.finish()
    await store.record(deployment_id, DATA, "1.0.1")
    assert await store.is_readable(DATA)


class TestDeadUploads:
    async def test_one_without_a_sign_of_life_fails_and_is_collected(self, store: Store) -> None:
        deployment_id = await store.begin_and_break_off(DATA)
        await store.silence(deployment_id)
        report = await store.collect()
        assert report.uploads_given_up == 1
        assert store.given_up == [deployment_id]
        assert await store.objects() == set()
        assert [await store.count(table) for table in (tables.upload, tables.pin)] == [0, 0]
        (deployment,) = await store.rows(tables.deployment)
        assert (deployment.status, deployment.error) == ("FAILED", ABANDONED)
        assert deployment.end_time is not None
        async with store.world.catalogue.reading() as transaction:
            events = await journal.events_after(transaction, deployment_id, 0, 10)
            audit = await journal.list_audit(transaction, deployment_id=deployment_id, limit=10)
        assert [event.sequence for event in events] == [1, 2]
        assert events[-1].body["to_status"] == "FAILED"
        assert (audit[0].action, audit[0].principal) == ("upload.abandoned", "node:one")

    async def test_one_that_is_alive_stays(self, store: Store) -> None:
        await store.begin_and_break_off(DATA)
        assert as_told(await store.collect()) == {}

    async def test_its_payload_goes_too(self, store: Store) -> None:
        await store.silence(await store.upload(DATA))
        report = await store.collect()
        assert (report.uploads_given_up, report.payloads_dropped) == (1, 1)
        assert await store.objects() == set()

    async def test_a_resumed_one_wins(self, store: Store) -> None:
        """It was found dead, and resumed before it could be given up."""
        deployment_id = await store.begin_and_break_off(DATA)
        await store.silence(deployment_id)
        resumed = asyncio.Event()
        collector = store.collector()
        original = store.world.catalogue.transaction

        def transaction() -> object:
            resumed.set()
            return original()

        async def resume() -> None:
            await resumed.wait()
            await store.world.take_over(deployment_id)

        # The take-over is in front of the first writing transaction of the run.
        store.world.catalogue.transaction = transaction  # type: ignore[method-assign,assignment]
        await store.world.take_over(deployment_id)
        assert await uploads_given_up(store, collector) == 0
        assert (await store.world.upload_row(deployment_id)).epoch == 2

    async def test_many_are_gone_through_in_pages(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("longshore_storage.collecting.dead_uploads._PAGE", 2)
        ids = [await store.world.begin() for _ in range(5)]
        for deployment_id in ids[1:]:
            await store.silence(deployment_id)
        assert (await store.collect()).uploads_given_up == 4
        assert sorted(store.given_up) == sorted(ids[1:])


async def uploads_given_up(store: Store, collector: object) -> int:
    del collector
    return (await store.collect()).uploads_given_up

"""What collecting removes and what it leaves alone, step by step."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import google_crc32c
import pytest
from sqlalchemy import update

from longshore_chunks import chunk_digest
from longshore_storage.catalogue import (
    Transaction,
    chores,
    garbage,
    journal,
    packs,
    stored_payloads,
    tables,
)
from longshore_storage.catalogue.garbage import StoredObject
from longshore_storage.catalogue.lifecycle import DeploymentKind
from longshore_storage.collecting import CollectingSettings, take_over
from longshore_storage.collecting.orphans import SLICES
from longshore_storage.errors import BlobStoreUnavailable
from longshore_storage.payloads import PackFileGone, PayloadNotStored, UploadTakenOver
from longshore_storage.ports import BlobStat
from tests.storage.payloads.world import KIB, cut, entries_of, random_bytes, reference_to, send

from .store import ABANDONED, AT_ONCE, DAY, NO_TIME, Store, as_told

DATA = random_bytes(100 * KIB)
OTHER = random_bytes(50 * KIB, seed=2)
# Shares its first chunks with DATA.
NEXT = DATA[: 70 * KIB] + random_bytes(30 * KIB, seed=3)


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
    needed = await store.objects()
    await store.release(DATA, "1.0.0", project="other")
    await store.reclaim(first)
    report = await store.collect()
    assert (report.payloads_dropped, report.pack_files_dropped) == (0, len(needed) - 1), "the second copy"
    assert await store.objects() == needed
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

    async def test_one_that_was_only_to_be_validated_leaves_no_trace(self, store: Store) -> None:
        deployment_id = await store.begin_and_break_off(DATA)
        d = tables.deployment
        async with store.world.catalogue.transaction() as transaction:
            await transaction.execute(
                update(d).where(d.c.id == deployment_id).values(kind=DeploymentKind.VALIDATION)
            )
            await transaction.execute(update(tables.project).values(only_validated=True))
        await store.silence(deployment_id)
        assert (await store.collect()).uploads_given_up == 1
        left = (tables.deployment, tables.event, tables.upload, tables.pin, tables.finding, tables.project)
        assert [await store.count(table) for table in left] == [0] * len(left)
        assert await store.objects() == set()
        async with store.world.catalogue.reading() as transaction:
            (entry, *_) = await journal.list_audit(transaction, deployment_id=deployment_id, limit=5)
        assert entry.action == "validation.ended"

    async def test_a_sign_of_life_from_the_future_is_none(self, store: Store) -> None:
        deployment_id = await store.begin_and_break_off(DATA)
        u = tables.upload
        async with store.world.catalogue.transaction() as transaction:
            later = await transaction.now() + 400 * DAY
            await transaction.execute(update(u).values(heartbeat_time=later))
        assert (await store.collect()).uploads_given_up == 1
        assert store.given_up == [deployment_id]

    async def test_one_that_is_alive_stays(self, store: Store) -> None:
        await store.begin_and_break_off(DATA)
        assert as_told(await store.collect()) == {}

    async def test_its_payload_goes_too(self, store: Store) -> None:
        await store.silence(await store.upload(DATA))
        report = await store.collect()
        assert (report.uploads_given_up, report.payloads_dropped) == (1, 1)
        assert await store.objects() == set()

    async def test_one_that_is_resumed_after_it_was_found_dead_wins(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deployment_id = await store.begin_and_break_off(DATA)
        await store.silence(deployment_id)
        transaction = store.world.catalogue.transaction

        @asynccontextmanager
        async def after_it_was_resumed() -> AsyncIterator[Transaction]:
            monkeypatch.undo()
            await store.world.take_over(deployment_id)
            async with transaction() as opened:
                yield opened

        monkeypatch.setattr(store.world.catalogue, "transaction", after_it_was_resumed)
        assert as_told(await store.collect()) == {}
        async with store.world.writer(deployment_id, epoch=2) as writer:
            await send(writer, DATA)
            await writer.finish()
        await store.record(deployment_id, DATA, "1.0.0")
        assert await store.is_readable(DATA)

    async def test_one_that_is_given_up_cannot_be_gone_on_with(self, store: Store) -> None:
        deployment_id = await store.world.begin()

        async def upload() -> None:
            async with store.world.writer(deployment_id) as writer:
                await send(writer, DATA)
                await writer.flush()
                await store.silence(deployment_id)
                await store.collect()
                await writer.finish()

        with pytest.raises(UploadTakenOver):
            await upload()
        await store.collect()
        assert await store.objects() == set()

    async def test_many_are_gone_through_in_pages(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("longshore_storage.collecting.dead_uploads._PAGE", 2)
        ids = [await store.world.begin() for _ in range(5)]
        for deployment_id in ids[1:]:
            await store.silence(deployment_id)
        assert (await store.collect()).uploads_given_up == 4
        assert sorted(store.given_up) == sorted(ids[1:])


class TestBrokenOffPuts:
    async def test_a_pack_file_that_was_never_stored_goes(self, store: Store) -> None:
        key = a_key("packs")
        async with store.world.catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, key)
        await put(store, key)
        assert as_told(await store.collect(replace(AT_ONCE, keep_unfinished=DAY))) == {}
        report = await store.collect(replace(AT_ONCE, keep_unnamed=DAY))
        assert (report.pack_files_dropped, report.objects_removed) == (1, 1)
        assert await store.objects() == set()

    async def test_an_upload_whose_pack_file_is_collected_under_its_hands_goes_on(self, store: Store) -> None:
        """It takes an hour for that, but whatever the time: nothing is named that is not there."""
        deployment_id = await store.world.begin()
        first = True

        async def collect(key: str) -> None:
            nonlocal first
            if key.startswith("packs/") and first:
                first = False
                await store.collect()

        store.world.blobs.before_put = collect

        async def upload(epoch: int) -> None:
            async with store.world.writer(deployment_id, epoch=epoch) as writer:
                await send(writer, DATA)
                await writer.finish()

        with pytest.raises(PackFileGone):
            await upload(1)
        await upload(await store.world.take_over(deployment_id))
        await store.record(deployment_id, DATA, "1.0.0")
        assert await store.is_readable(DATA)
        # The object whose row went before it was put.
        assert await store.objects() > await store.named()
        await store.collect()
        assert await store.objects() == await store.named()

    @pytest.mark.parametrize("moment", ["before", "after"])
    async def test_a_manifest_that_is_collected_under_its_upload(self, store: Store, moment: str) -> None:
        deployment_id = await store.world.begin()

        async def collect(key: str) -> None:
            if key.startswith("manifests/"):
                store.world.blobs.before_put = None
                if moment == "after":
                    await put(store, key)
                await store.collect()

        store.world.blobs.before_put = collect

        async def upload(epoch: int) -> None:
            async with store.world.writer(deployment_id, epoch=epoch) as writer:
                await send(writer, DATA)
                await writer.finish()

        with pytest.raises(PackFileGone):
            await upload(1)
        assert await store.count(tables.payload) == 0
        await upload(await store.world.take_over(deployment_id))
        await store.record(deployment_id, DATA, "1.0.0")
        await store.collect()
        assert await store.objects() == await store.named()
        assert await store.is_readable(DATA)

    async def test_a_manifest_that_nobody_named_goes(self, store: Store) -> None:
        key = a_key("manifests")
        async with store.world.catalogue.transaction() as transaction:
            await stored_payloads.begin_manifest(transaction, key)
        await put(store, key)
        assert as_told(await store.collect(replace(AT_ONCE, keep_unfinished=DAY))) == {}
        assert (await store.collect()).drafts_dropped == 1
        assert await store.objects() == set()


class TestOrphans:
    async def test_an_object_without_a_row_goes_at_its_age(self, store: Store) -> None:
        await store.release(DATA)
        orphans = {a_key("packs"), a_key("manifests"), a_key("packs")}
        for key in orphans:
            await put(store, key)
        assert as_told(await store.collect(replace(AT_ONCE, orphans_after=DAY))) == {}
        assert orphans <= await store.objects()
        report = await store.collect()
        assert (report.orphans_found, report.orphan_bytes) == (3, 3 * len(BODY))
        assert (report.objects_condemned, report.objects_removed) == (3, 3)
        assert await store.objects() == await store.named()

    async def test_it_is_noted_first_and_condemned_later(self, store: Store) -> None:
        """Whoever rebuilds rows has that time to name it."""
        orphan, named = a_key("packs"), a_key("packs")
        for key in (orphan, named):
            await put(store, key)
        noted = [StoredObject(key, len(BODY)) for key in (orphan, named)]
        async with store.world.catalogue.transaction() as transaction:
            await garbage.note_orphans(transaction, noted)
            await garbage.note_orphans(transaction, noted)
        patient = replace(AT_ONCE, orphans_after=DAY, keep_unfinished=DAY)
        assert as_told(await store.collect(patient)) == {}
        assert await store.count(tables.orphan) == 2
        async with store.world.catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, named)
        await store.make_older(tables.orphan, "find_time")
        assert as_told(await store.rehearse(patient)) == as_told(await store.collect(patient))
        assert await store.objects() == {named}
        assert await store.count(tables.orphan) == 0

    async def test_one_that_is_claimed_is_none_any_more(self, store: Store) -> None:
        orphan = a_key("packs")
        async with store.world.catalogue.transaction() as transaction:
            await garbage.note_orphans(transaction, [StoredObject(orphan, 1)])
            await garbage.claim_orphans(transaction, [orphan, a_key("packs")])
        assert as_told(await store.collect()) == {}

    async def test_every_row_that_names_a_key_keeps_its_object(self, store: Store) -> None:
        keys = [a_key("packs"), a_key("manifests"), a_key("packs")]
        async with store.world.catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, keys[0])
            await stored_payloads.begin_manifest(transaction, keys[1])
            await stored_payloads.condemn(transaction, keys[2])
        for key in keys:
            await put(store, key)
        report = await store.collect(CollectingSettings(orphans_after=NO_TIME))
        assert as_told(report) == {}
        assert await store.objects() == set(keys)

    @pytest.mark.parametrize(
        "key",
        [
            "others/file",
            "packs/file",
            "packs/0a/file",
            f"packs/0a/{'b' * 32}",
            f"packs/{'a' * 32}",
            f"manifests/aa/{'a' * 33}",
            f"packs/aa/{'a' * 32}/b",
        ],
    )
    async def test_what_longshore_did_not_make_is_left_alone(self, store: Store, key: str) -> None:
        await put(store, key)
        assert as_told(await store.collect()) == {}
        assert await store.objects() == {key}

    async def test_a_run_looks_through_its_share_and_the_next_one_goes_on(self, store: Store) -> None:
        for slice_ in SLICES:
            await put(store, a_key(*slice_.split("/")))
        share = 10 / len(SLICES)
        left = []
        for _ in range(4):
            assert (await store.collect(listed_share=share)).orphans_found <= 10
            left.append(len(await store.objects()))
        assert left == [22, 12, 2, 0]
        await put(store, a_key("manifests", "8"))
        assert (await store.collect(listed_share=share)).orphans_found == 1, "it has begun anew"

    async def test_a_broken_run_is_gone_on_with_where_it_was(self, store: Store) -> None:
        for slice_ in SLICES[:3]:
            await put(store, a_key(*slice_.split("/")))
        broken = BrokenListing(store, after=2)
        with pytest.raises(BlobStoreUnavailable):
            await broken.collect()
        assert await store.count(tables.orphan) == 2
        async with store.world.catalogue.reading() as transaction:
            assert (await chores.get_chore(transaction, "orphans")).place == SLICES[2]
        assert (await store.collect(listed_share=1 / len(SLICES))).orphans_found == 1
        assert await store.objects() == set()

    async def test_many_are_looked_up_in_batches(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("longshore_storage.collecting.orphans._BATCH", 3)
        for _ in range(10):
            await put(store, a_key("packs", "7"))
        assert (await store.collect()).orphans_found == 10
        assert await store.objects() == set()


class TestSharedStores:
    async def test_another_catalogues_objects_are_left_alone(self, store: Store) -> None:
        orphan = a_key("packs")
        await put(store, orphan)
        await put(store, "catalogues/another")
        await store.reclaim(await store.release(DATA))
        report = await store.collect()
        assert "another" in report.orphans_skipped
        assert "--take-over" in report.orphans_skipped
        assert report.orphans_found == 0
        assert report.payloads_dropped == 1, "rows are enough for everything else"
        assert await store.objects() == {orphan}
        assert (await store.rehearse()).orphans_skipped == report.orphans_skipped

    async def test_both_learn_of_each_other(self, store: Store) -> None:
        assert not (await store.collect()).orphans_skipped
        (mark,) = await store.world.keys("catalogues/")
        await store.set_all(tables.identity, {"id": "another"}, True)
        assert (await store.collect()).orphans_skipped
        assert sorted(await store.world.keys("catalogues/")) == sorted([mark, "catalogues/another"])

    async def test_one_that_takes_over_collects_again(self, store: Store) -> None:
        await put(store, a_key("packs"))
        await put(store, "catalogues/another")
        await take_over(store.world.catalogue, store.world.blobs)
        assert (await store.collect()).orphans_found == 1
        assert len(await store.world.keys("catalogues/")) == 1


class TestRehearsal:
    async def test_it_tells_what_a_run_then_does_and_changes_nothing(self, store: Store) -> None:
        first = await store.release(DATA, "1.0.0")
        await store.release(NEXT, "1.0.1")
        await store.release(OTHER, "1.0.2", project="other")
        await store.reclaim(first)
        await store.silence(await store.upload(random_bytes(70 * KIB, seed=7)))
        await store.drop(await store.begin_and_break_off(random_bytes(70 * KIB, seed=8)))
        async with store.world.catalogue.transaction() as transaction:
            await stored_payloads.begin_manifest(transaction, a_key("manifests"))
            await stored_payloads.condemn(transaction, a_key("packs"), size_bytes=11)
        await put(store, a_key("packs"))
        for settings in (replace(AT_ONCE, grace=DAY), AT_ONCE):
            rows, objects = await store.all_rows(), await store.world.keys("")
            told = await store.rehearse(settings)
            assert await store.all_rows() == rows
            assert await store.world.keys("") == objects
            assert as_told(await store.collect(settings)) == as_told(told)
            assert told.objects_removed > 0 or settings.grace
        assert await store.objects() == await store.named()

    async def test_it_can_be_repeated_on_one_connection(self, store: Store) -> None:
        await store.reclaim(await store.release(DATA))
        assert await store.rehearse() == await store.rehearse()


class TestTwoAtOnce:
    async def test_two_runs_beside_each_other_do_it_once(self, store: Store) -> None:
        kept = [await store.release(random_bytes(60 * KIB, seed=n), f"1.0.{n}") for n in range(3)]
        for number in range(10, 16):
            await store.reclaim(
                await store.release(random_bytes(60 * KIB, seed=number), f"1.1.{number}", project="gone")
            )
        reports = await asyncio.gather(*(store.collect() for _ in range(3)))
        assert sum(report.payloads_dropped for report in reports) == 6
        assert await store.objects() == await store.named()
        assert await store.count(tables.payload) == len(kept)

    async def test_collecting_beside_uploads_loses_nothing(self, store: Store) -> None:
        """Uploads of the same content come and go while everything that is not named goes at once."""
        done = asyncio.Event()

        async def collect() -> None:
            while not done.is_set():
                await store.collect()
                await asyncio.sleep(0)

        async def deploy(number: int) -> None:
            data = (DATA, NEXT, OTHER)[number % 3]
            for turn in range(3):
                project = ("netops", "other")[turn % 2]
                while True:
                    try:
                        release = await store.release(data, f"{number}.{turn}.0", project=project)
                        break
                    except (PackFileGone, UploadTakenOver):
                        continue
                assert await store.is_readable(data)
                if turn < 2:
                    await store.reclaim(release)

        collecting = asyncio.create_task(collect())
        try:
            await asyncio.gather(*(deploy(number) for number in range(4)))
        finally:
            done.set()
            await collecting
        await store.collect()
        assert await store.objects() == await store.named()
        for data in (DATA, NEXT, OTHER):
            assert await store.is_readable(data)

    async def test_a_reader_reads_on_during_the_grace(self, store: Store) -> None:
        release = await store.release(DATA)
        sha256 = hashlib.sha256(DATA).hexdigest()
        async with store.world.store.open(sha256) as reader:
            stream = reader.stream()
            got = [await anext(stream)]
            await store.reclaim(release)
            await store.collect(replace(AT_ONCE, grace=DAY))
            got += [piece async for piece in stream]
        assert b"".join(got) == DATA
        with pytest.raises(PayloadNotStored):
            await store.world.read(sha256)


class BrokenListing:
    """Collects while the blob store fails at one of its listings of packs and manifests."""

    def __init__(self, store: Store, *, after: int) -> None:
        self._store = store
        self._left = after

    async def collect(self) -> None:
        blobs = self._store.world.blobs
        original = blobs.list

        def broken(prefix: str) -> AsyncIterator[BlobStat]:
            if prefix in SLICES:
                self._left -= 1
                if self._left < 0:
                    raise BlobStoreUnavailable("it went away")
            return original(prefix)

        blobs.list = broken  # type: ignore[method-assign]
        try:
            await self._store.collect()
        finally:
            blobs.list = original  # type: ignore[method-assign]


BODY = b"whatever"


def a_key(folder: str, begin: str = "") -> str:
    name = begin + uuid.uuid4().hex[len(begin) :]
    return f"{folder}/{name[:2]}/{name}"


async def put(store: Store, key: str) -> None:
    await store.world.blobs._blobs.put(key, [BODY], crc32c=google_crc32c.value(BODY))

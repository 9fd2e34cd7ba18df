"""What collecting removes and what it leaves alone, step by step."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from longshore_chunks import chunk_digest
from longshore_storage.catalogue import stored_payloads, tables
from longshore_storage.payloads import PackFileGone, PayloadNotStored, UploadTakenOver
from tests.storage.payloads.world import KIB, cut, entries_of, random_bytes, reference_to, send

from .objects import DATA, NEXT, OTHER, a_key, put
from .store import AT_ONCE, DAY, Store, as_told


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

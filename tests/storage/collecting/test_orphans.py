"""Objects without a row go at their age, unless another catalogue may own them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from longshore_storage.catalogue import chores, garbage, packs, stored_payloads, tables
from longshore_storage.catalogue.garbage import StoredObject
from longshore_storage.collecting import CollectingSettings, take_over
from longshore_storage.collecting.orphans import SLICES
from longshore_storage.errors import BlobStoreUnavailable
from longshore_storage.ports import BlobStat

from .objects import BODY, DATA, a_key, put
from .store import AT_ONCE, DAY, NO_TIME, Store, as_told


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

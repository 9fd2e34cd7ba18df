"""Pack files and manifests whose put nobody heard the end of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longshore_storage.catalogue import packs, stored_payloads, tables
from longshore_storage.payloads import PackFileGone
from tests.storage.payloads.world import send

from .objects import DATA, a_key, put
from .store import AT_ONCE, DAY, Store, as_told


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

"""A run that dies anywhere: nothing is wrong afterwards, and the next run comes to the same end.

It dies before and after every commit, every removal of an object and every look into the store; in between
nothing can change. Cancelled in the middle of something, it leaves nothing running.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import (
    Transaction,
    open_catalogue,
    packs,
    stored_payloads,
)
from longshore_storage.catalogue.retaining import RetentionPolicy
from longshore_storage.collecting import Retention
from longshore_storage.payloads import PayloadStore
from longshore_storage.ports import BlobStat
from tests.storage.conftest import connections_in_use
from tests.storage.payloads.world import KIB, SMALL, HookedBlobs, World, random_bytes

from .objects import a_key, put
from .store import AT_ONCE, DAY, Store

KEEP_ONE = Retention(lambda project, environment: RetentionPolicy(keep_releases=1), 0)
# Of the 32 slices of the store, so that not all of the test is about listing.
SHARE = 2 / 32
KEPT = random_bytes(40 * KIB, seed=1)


class Died(Exception):
    """The process is gone."""


class Death:
    """Comes when something has passed by for the ``at``-th time."""

    def __init__(self, at: int) -> None:
        self._at = at
        self.passed = 0

    def pass_by(self) -> None:
        self.passed += 1
        if self.passed == self._at:
            raise Died

    def is_near(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let everything that changes the stores pass by."""
        transaction, delete, list_ = world.catalogue.transaction, world.blobs.delete, world.blobs.list

        @asynccontextmanager
        async def mortal_transaction() -> AsyncIterator[Transaction]:
            async with transaction() as opened:
                yield opened
                self.pass_by()
            self.pass_by()

        async def mortal_delete(key: str) -> None:
            self.pass_by()
            await delete(key)
            self.pass_by()

        async def mortal_list(prefix: str) -> AsyncIterator[BlobStat]:
            self.pass_by()
            async for blob in list_(prefix):
                yield blob

        monkeypatch.setattr(world.catalogue, "transaction", mortal_transaction)
        monkeypatch.setattr(world.blobs, "delete", mortal_delete)
        monkeypatch.setattr(world.blobs, "list", mortal_list)


@asynccontextmanager
async def opened(folder: Path, *, new: bool = True) -> AsyncIterator[Store]:
    """SQLite and files in a folder."""
    catalogue = open_catalogue(f"sqlite:///{folder}/longshore.db")
    try:
        if new:
            await catalogue.migrate()
        async with open_blob_store(f"file://{folder}/blobs") as blobs:
            hooked = HookedBlobs(blobs)
            async with PayloadStore(catalogue, hooked, settings=SMALL) as payloads:
                yield Store(World(catalogue, hooked, payloads))
        assert connections_in_use(catalogue) == 0
    finally:
        await catalogue.close()


async def litter(store: Store) -> None:
    """One of every kind of garbage, and a release that stays."""
    await store.reclaim(await store.release(KEPT[: 20 * KIB] + random_bytes(20 * KIB, seed=2), "0.9.0"))
    await store.release(KEPT, "1.0.0")
    await store.silence(await store.begin_and_break_off(random_bytes(30 * KIB, seed=3)))
    async with store.world.catalogue.transaction() as transaction:
        await stored_payloads.begin_manifest(transaction, a_key("manifests"))
        await packs.begin_pack(transaction, a_key("packs"))
    await put(store, a_key("manifests", "0"))


async def outcome(store: Store) -> dict[str, Any]:
    """Everything that must be the same however often a run was broken off."""
    rows = await store.all_rows()
    (kept,) = rows["payload"]
    assert await store.is_readable(KEPT)
    assert await store.objects() == await store.named()
    return {
        "rows": {name: len(found) for name, found in rows.items()},
        "payload": kept.sha256,
        "packs": sorted(row.key for row in rows["pack_file"]),
        "statuses": sorted(row.status for row in rows["deployment"]),
        "actions": sorted(row.action for row in rows["audit_entry"]),
        "chores": [(row.name, row.place, row.end_time is not None) for row in rows["chore"]],
    }


async def nothing_is_lost(store: Store) -> None:
    """What holds at every moment."""
    assert await store.is_readable(KEPT)
    assert await store.named() <= await store.objects()


async def test_at_every_step_on_the_embedded_stores(tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.mkdir()
    async with opened(original) as store:
        await litter(store)
    expected = None
    for at in itertools.count(0):
        folder = tmp_path / str(at)
        shutil.copytree(original, folder)
        async with opened(folder, new=False) as store:
            death = Death(at)
            with pytest.MonkeyPatch.context() as patch:
                death.is_near(store.world, patch)
                died = await dies(store.collect(retention=KEEP_ONE, listed_share=SHARE))
            await nothing_is_lost(store)
            if expected is None:
                expected = await outcome(store)
                assert not died
                continue
            if died:
                await store.collect(retention=KEEP_ONE)
                ended = await outcome(store)
                assert {**ended, "chores": []} == {**expected, "chores": []}, f"it died at step {at}"
        shutil.rmtree(folder)
        if not died:
            assert at > 25
            return


async def test_again_and_again_at_every_step(store: Store) -> None:
    """On all stores: each run dies one step later than the last, until one comes through."""
    await litter(store)
    for at in itertools.count(1):
        with pytest.MonkeyPatch.context() as patch:
            Death(at).is_near(store.world, patch)
            died = await dies(store.collect(retention=KEEP_ONE, listed_share=SHARE))
        await nothing_is_lost(store)
        if not died:
            break
    assert at > 5
    await store.collect(retention=KEEP_ONE)
    assert (await outcome(store))["rows"]["payload"] == 1
    actions = (await outcome(store))["actions"]
    assert actions.count("upload.abandoned") == 1


async def test_cancelled_at_any_moment_it_leaves_nothing_running(store: Store) -> None:
    await litter(store)
    for turns in itertools.count(0, 41):
        task = asyncio.create_task(store.collect(retention=KEEP_ONE, listed_share=SHARE))
        for _ in range(turns):
            await asyncio.sleep(0)
        was_done = task.done()
        task.cancel()
        await asyncio.wait([task])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert connections_in_use(store.world.catalogue) == 0
        await nothing_is_lost(store)
        if was_done:
            break
    await store.collect(retention=KEEP_ONE)
    assert (await outcome(store))["rows"]["payload"] == 1


async def test_a_rehearsal_that_is_cancelled_changes_nothing(store: Store) -> None:
    await litter(store)
    before = await store.all_rows()
    for turns in range(5, 400, 60):
        task = asyncio.create_task(store.rehearse(retention=KEEP_ONE))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert await store.all_rows() == before
    told = await store.rehearse(replace(AT_ONCE, grace=DAY), KEEP_ONE)
    assert told.uploads_given_up == 1


async def dies(work: Coroutine[Any, Any, Any]) -> bool:
    try:
        await work
    except Died:
        return True
    return False

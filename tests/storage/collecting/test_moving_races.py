"""Compaction and repair against uploads, collecting and damage, in every order on PostgreSQL.

Whoever gives a payload a new manifest meets others that pin, drop or mark what the old and the new one name.
Whatever comes first, a payload has one manifest that nobody condemned, over pack files that are there, and
the index leads to no others.
"""

from __future__ import annotations

from typing import Any

import pytest

from longshore_storage.catalogue import (
    chunk_index,
    damage,
    garbage,
)
from longshore_storage.payloads import PackFileGone, PayloadNotStored
from longshore_storage.payloads.pinned_index import PinnedIndex
from tests.storage.catalogue.rows import insert_an_upload

from .moving import Stores, changes, stores
from .racing import (
    catalogue,
    condemned,
    drop_packs,
    drop_payloads,
    pins,
)
from .stepping import Scene, gates, in_every_order

pytestmark = pytest.mark.usefixtures("gates")
__all__ = ["catalogue", "gates", "stores"]


async def test_compaction_and_an_upload_that_looks_chunks_up(stores: Stores) -> None:
    """It finds them at their old places or at the new ones, and has pinned what it found."""

    async def scene() -> Scene:
        payload = await stores.a_payload()
        rewriter, new_key = await stores.rewriter(payload)
        deployment_id = await insert_an_upload(stores.catalogue, project=payload.project)
        index = PinnedIndex(stores.catalogue, project=payload.project, deployment_id=deployment_id)

        async def check(rewritten: Any, found: Any) -> None:
            assert rewritten is True
            assert set(found) == set(payload.digests)
            (key,) = {chunk.pack_key for chunk in found.values()}
            assert await pins(stores.catalogue, deployment_id) == [key]
            assert key in (payload.pack_key, new_key)
            assert (await drop_packs(stores.catalogue, [payload.pack_key])).rows == (key == new_key)
            await stores.check(payload)
            assert set(await index.find(payload.digests)) == set(payload.digests)

        return Scene(
            lambda: rewriter.rewrite(payload.row),
            lambda: index.find(payload.digests),
            check,
            gated=changes("pin", "chunk"),
        )

    assert await in_every_order(stores.catalogue, scene) >= 8


async def test_compaction_that_took_too_long(stores: Stores) -> None:
    """Its new pack file is taken for what a crash left, just when it is named."""

    async def scene() -> Scene:
        payload = await stores.a_payload()
        rewriter, new_key = await stores.rewriter(payload)

        async def check(dropped: garbage.Dropped, rewritten: Any) -> None:
            row = await stores.check(payload)
            assert row is not None
            if dropped.rows:
                assert isinstance(rewritten, PackFileGone)
                assert row == payload.row
            else:
                assert rewritten is True
                assert row.manifest_key != payload.row.manifest_key

        return Scene(
            lambda: drop_packs(stores.catalogue, [new_key]),
            lambda: rewriter.rewrite(payload.row),
            check,
            gated=changes("pack_file"),
        )

    assert await in_every_order(stores.catalogue, scene) >= 12


async def test_compaction_of_a_pack_file_that_is_collected_at_once(stores: Stores) -> None:
    """The moment that its last payload leaves it, it goes; the index has moved before."""

    async def scene() -> Scene:
        payload = await stores.a_payload()
        rewriter, new_key = await stores.rewriter(payload)

        async def check(dropped: garbage.Dropped, rewritten: Any) -> None:
            assert rewritten is True
            row = await stores.check(payload)
            assert row is not None
            async with stores.catalogue.reading() as transaction:
                found = await chunk_index.find_chunks(transaction, payload.project, payload.digests)
            assert {chunk.pack_key for chunk in found.values()} == {new_key}
            assert len(found) == len(payload.digests)
            assert (payload.pack_key in await condemned(stores.catalogue)) is bool(dropped.rows)

        return Scene(
            lambda: drop_packs(stores.catalogue, [payload.pack_key]),
            lambda: rewriter.rewrite(payload.row),
            check,
            gated=changes("pack_file", "chunk"),
        )

    assert await in_every_order(stores.catalogue, scene) >= 12


async def test_compaction_of_a_payload_that_goes(stores: Stores) -> None:
    """With the payload goes the manifest that it has by then; the other one is condemned already, or now."""

    async def scene() -> Scene:
        payload = await stores.a_payload()
        rewriter, _ = await stores.rewriter(payload)

        async def check(dropped: garbage.Dropped, rewritten: Any) -> None:
            row = await stores.check(payload)
            assert (row is None) is bool(dropped.rows)
            assert rewritten is True or row is None
            assert payload.row.manifest_key in await condemned(stores.catalogue)

        return Scene(
            lambda: drop_payloads(stores.catalogue, [payload.row.sha256]),
            lambda: rewriter.rewrite(payload.row),
            check,
            gated=changes("payload", "pack_file"),
        )

    assert await in_every_order(stores.catalogue, scene) >= 12


async def test_two_compactions(stores: Stores) -> None:
    """One of them moves the payload; what the other has put is garbage."""

    async def scene() -> Scene:
        payload = await stores.a_payload()
        (one, _), (other, _) = await stores.rewriter(payload), await stores.rewriter(payload)

        async def check(first: Any, second: Any) -> None:
            assert {first, second} == {True, False}
            assert await stores.check(payload) is not None

        return Scene(
            lambda: one.rewrite(payload.row),
            lambda: other.rewrite(payload.row),
            check,
            gated=changes("payload"),
        )

    assert await in_every_order(stores.catalogue, scene) >= 12


async def test_compaction_of_a_pack_file_that_is_found_damaged(stores: Stores) -> None:
    """Its chunks were copied while they were sound: the payload is moved and sound, or marked and stays."""

    async def scene() -> Scene:
        payload = await stores.a_payload()
        rewriter, _ = await stores.rewriter(payload)

        async def check(rewritten: Any, found_damaged: Any) -> None:
            assert found_damaged is True
            row = await stores.check(payload)
            assert row is not None
            assert bool(row.damage) is not rewritten
            assert (row.manifest_key == payload.row.manifest_key) is not rewritten
            async with stores.catalogue.reading() as transaction:
                pack = await damage.get_pack(transaction, payload.pack_key)
            assert pack is not None
            assert pack.state == "DAMAGED"

        return Scene(
            lambda: rewriter.rewrite(payload.row),
            lambda: stores.marker().suspect(payload.pack_key),
            check,
            gated=changes("payload", "chunk"),
        )

    assert await in_every_order(stores.catalogue, scene) >= 12


async def test_a_repair_that_took_too_long(stores: Stores) -> None:
    """Its new pack file is taken for what a crash left, just when it is named."""

    async def scene() -> Scene:
        payload = await stores.damaged_payload()
        before = await stores.pack_keys()

        async def collect() -> garbage.Dropped:
            return await drop_packs(stores.catalogue, await stores.pack_keys() - before)

        async def check(dropped: garbage.Dropped, repaired: Any) -> None:
            row = await stores.check(payload)
            assert row is not None
            if dropped.rows:
                assert isinstance(repaired, PackFileGone)
                assert row == payload.row
            else:
                assert repaired is True
                assert not row.damage

        return Scene(collect, lambda: stores.repair(payload), check, gated=changes("pack_file"))

    assert await in_every_order(stores.catalogue, scene) >= 12


async def test_a_repair_of_a_payload_that_goes(stores: Stores) -> None:
    async def scene() -> Scene:
        payload = await stores.damaged_payload()

        async def check(dropped: garbage.Dropped, repaired: Any) -> None:
            row = await stores.check(payload)
            assert (row is None) is bool(dropped.rows)
            if row is None:
                assert repaired in (True, False) or isinstance(repaired, PayloadNotStored)
            else:
                assert repaired is True
                assert not row.damage

        return Scene(
            lambda: drop_payloads(stores.catalogue, [payload.row.sha256]),
            lambda: stores.repair(payload),
            check,
            gated=changes("payload"),
        )

    assert await in_every_order(stores.catalogue, scene) >= 8

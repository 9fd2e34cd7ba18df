"""Collecting against uploads that pin what is collected, in every order of their statements, on PostgreSQL.

The outcome is always one of two: it is pinned and kept, or it is gone and the upload knows that it is.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import select

from longshore_chunks import encode_segment
from longshore_storage.catalogue import (
    Catalogue,
    chunk_index,
    garbage,
    packs,
    tables,
    uploads,
)
from longshore_storage.payloads import PackFileGone, UploadTakenOver
from longshore_storage.payloads.pinned_index import PinnedIndex
from tests.storage.catalogue.rows import insert_an_upload

from .racing import (
    DIGESTS,
    a_payload,
    a_stored_pack,
    catalogue,
    drop_packs,
    drop_payloads,
    give_up,
    is_gone,
    is_kept,
    pins,
    silence,
    some_chunks,
)
from .stepping import Scene, about, gates, in_every_order

pytestmark = pytest.mark.usefixtures("gates")
__all__ = ["catalogue", "gates"]


async def test_looking_chunks_up(catalogue: Catalogue) -> None:
    """FindMissingChunks, and the lookup of every batch of every upload."""

    async def scene() -> Scene:
        key, project = await a_stored_pack(catalogue)
        deployment_id = await insert_an_upload(catalogue, project=project)
        index = PinnedIndex(catalogue, project=project, deployment_id=deployment_id)

        async def check(dropped: garbage.Dropped, found: Any) -> None:
            assert dropped.rows in (0, 1)
            if dropped.rows:
                assert found == {}
                assert await is_gone(catalogue, key)
            else:
                assert set(found) == set(DIGESTS)
                assert await is_kept(catalogue, key)
                assert await pins(catalogue, deployment_id) == [key]

        return Scene(lambda: drop_packs(catalogue, [key]), lambda: index.find(DIGESTS), check)

    assert await in_every_order(catalogue, scene) >= 25


async def test_referring_to_chunks_of_a_payload_that_goes(catalogue: Catalogue) -> None:
    """An upload refers to what only a payload that nothing names has, all the way to its durable offset."""

    async def scene() -> Scene:
        sha256, key, project = await a_payload(catalogue)
        deployment_id = await insert_an_upload(catalogue, project=project)
        index = PinnedIndex(catalogue, project=project, deployment_id=deployment_id)

        async def collect() -> garbage.Dropped:
            await drop_payloads(catalogue, [sha256])
            return await drop_packs(catalogue, [key])

        async def refer() -> bool:
            found = await index.find(DIGESTS)
            if len(found) < len(DIGESTS):
                return False
            segment = uploads.SegmentRow(
                0, 300, 3, encode_segment([found[one] for one in DIGESTS]), 0, 300, 0
            )
            async with catalogue.transaction() as transaction:
                return await uploads.append_segment(transaction, deployment_id, 1, segment)

        async def check(dropped: garbage.Dropped, referred: Any) -> None:
            assert bool(dropped.rows) is not referred
            if referred:
                assert await is_kept(catalogue, key)
                assert await pins(catalogue, deployment_id) == [key]
            else:
                assert await is_gone(catalogue, key)

        return Scene(collect, refer, check, gated=about("pack_file"))

    assert await in_every_order(catalogue, scene) >= 25


async def test_making_a_pack_file_stored(catalogue: Catalogue) -> None:
    """An upload commits the segment of a pack file whose row is old enough to be collected."""

    async def scene() -> Scene:
        key = f"packs/{uuid.uuid4().hex}"
        deployment_id = await insert_an_upload(catalogue)
        async with catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, key)

        async def check(dropped: garbage.Dropped, committed: Any) -> None:
            if dropped.rows:
                assert isinstance(committed, PackFileGone)
                assert await is_gone(catalogue, key)
            else:
                assert committed is None
                assert await is_kept(catalogue, key)
                assert await pins(catalogue, deployment_id) == [key]
            async with catalogue.transaction() as transaction:
                await uploads.drop_upload(transaction, deployment_id)
                await garbage.drop_packs(transaction, [key])

        return Scene(
            lambda: drop_packs(catalogue, [key]),
            lambda: commit_segment(catalogue, deployment_id, key),
            check,
            gated=about("pack_file", "pin", "chunk"),
        )

    assert await in_every_order(catalogue, scene) >= 35


async def test_resuming_an_upload_that_is_given_up(catalogue: Catalogue) -> None:
    async def scene() -> Scene:
        deployment_id = await insert_an_upload(catalogue)
        await silence(catalogue, deployment_id)

        async def resume() -> Any:
            async with catalogue.transaction() as transaction:
                return await uploads.take_over(
                    transaction, deployment_id, session_id="second", attempt=1, stale_after_s=20
                )

        async def check(given_up: int, resumed: Any) -> None:
            d = tables.deployment
            async with catalogue.transaction() as transaction:
                deployment = await transaction.one(select(d.c.status).where(d.c.id == deployment_id))
                upload = await uploads.get_upload(transaction, deployment_id)
                await uploads.drop_upload(transaction, deployment_id)
            assert deployment is not None
            if given_up:
                assert (resumed, upload, deployment.status) == (None, None, "FAILED")
            else:
                assert resumed.epoch == 2
                assert upload is not None
                assert deployment.status == "PENDING"

        return Scene(lambda: give_up(catalogue), resume, check, gated=about("upload", "deployment"))

    assert await in_every_order(catalogue, scene) >= 8


async def test_making_a_segment_durable_of_an_upload_that_is_given_up(catalogue: Catalogue) -> None:
    """The holder of an upload was away for very long, and goes on as if nothing had been."""

    async def scene() -> Scene:
        key = f"packs/{uuid.uuid4().hex}"
        deployment_id = await insert_an_upload(catalogue)
        await silence(catalogue, deployment_id)
        async with catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, key)

        async def check(given_up: int, committed: Any) -> None:
            async with catalogue.reading() as transaction:
                upload = await uploads.get_upload(transaction, deployment_id)
            if given_up:
                assert isinstance(committed, UploadTakenOver)
                assert upload is None
                assert (await drop_packs(catalogue, [key])).rows == 1
            else:
                assert committed is None
                assert upload is not None
                assert upload.durable_bytes == 300
                assert await pins(catalogue, deployment_id) == [key]
                assert (await drop_packs(catalogue, [key])).rows == 0
            async with catalogue.transaction() as transaction:
                await uploads.drop_upload(transaction, deployment_id)

        return Scene(
            lambda: give_up(catalogue),
            lambda: commit_segment(catalogue, deployment_id, key),
            check,
            gated=about("upload", "pin"),
        )

    assert await in_every_order(catalogue, scene) >= 10


async def commit_segment(catalogue: Catalogue, deployment_id: str, key: str) -> None:
    """What an upload does when a pack file was put, in one transaction."""
    segment = uploads.SegmentRow(0, 300, 3, encode_segment(some_chunks(key)), 300, 0, 300)
    async with catalogue.transaction() as transaction:
        if not await uploads.append_segment(transaction, deployment_id, 1, segment):
            raise UploadTakenOver(deployment_id)
        if not await packs.mark_stored(transaction, key, 300):
            raise PackFileGone(key)
        await chunk_index.add_chunks(transaction, "netops", some_chunks(key))
        await packs.pin_packs(transaction, deployment_id, [key])

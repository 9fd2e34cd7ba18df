"""Collecting against whoever counts on what is collected, in every order of their statements, on PostgreSQL.

The outcome is always one of two: it is kept, or it is gone and known to be gone. Never is something named
that is condemned.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from longshore_chunks import Codec, PlacedChunk, chunk_digest
from longshore_storage.catalogue import (
    Catalogue,
    chunk_index,
    garbage,
    open_catalogue,
    packs,
    projects,
    rebuilding,
    releases,
    retaining,
    stored_payloads,
    tables,
    uploads,
)
from longshore_storage.catalogue.rows import Actor
from longshore_storage.collecting.dead_uploads import give_up_dead_uploads
from longshore_storage.errors import ConstraintViolated
from longshore_storage.payloads import PackFileGone
from longshore_storage.payloads.pinned_index import PinnedIndex
from longshore_storage.payloads.recording import keep_stored_payload
from tests.storage.catalogue.rows import insert_an_upload

from .stepping import Scene, about, gates, in_every_order
from .store import ABANDONED, release_values

pytestmark = pytest.mark.usefixtures("gates")
__all__ = ["gates"]

RAWS = [bytes([number]) * 100 for number in range(3)]
DIGESTS = [chunk_digest(raw) for raw in RAWS]


@pytest.fixture
async def catalogue(postgres_database: str) -> AsyncIterator[Catalogue]:
    catalogue = open_catalogue(postgres_database)
    try:
        await catalogue.migrate()
        yield catalogue
    finally:
        await catalogue.close()


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

    assert await in_every_order(catalogue, scene) >= 30


async def test_making_a_pack_file_stored(catalogue: Catalogue) -> None:
    """An upload commits the segment of a pack file whose row is old enough to be collected."""

    async def scene() -> Scene:
        key = f"packs/{uuid.uuid4().hex}"
        deployment_id = await insert_an_upload(catalogue)
        async with catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, key)

        async def commit() -> None:
            async with catalogue.transaction() as transaction:
                if not await packs.mark_stored(transaction, key, 300):
                    raise PackFileGone(key)
                await chunk_index.add_chunks(transaction, "netops", some_chunks(key))
                await packs.pin_packs(transaction, deployment_id, [key])

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
            lambda: drop_packs(catalogue, [key]), commit, check, gated=about("pack_file", "pin", "chunk")
        )

    assert await in_every_order(catalogue, scene) >= 35


async def test_keeping_a_payload_that_is_stored_already(catalogue: Catalogue) -> None:
    """An upload finds its payload stored, while its last release was reclaimed."""

    async def scene() -> Scene:
        sha256 = await a_payload(catalogue)
        deployment_id = await insert_an_upload(catalogue)

        async def check(dropped: garbage.Dropped, kept: Any) -> None:
            await check_payload(catalogue, sha256, dropped, kept is not None)
            assert not isinstance(kept, Exception)

        return Scene(
            lambda: drop_payloads(catalogue, [sha256]),
            lambda: keep_stored_payload(catalogue, deployment_id, 1, sha256),
            check,
        )

    assert await in_every_order(catalogue, scene) >= 25


async def test_naming_a_payload_by_a_release(catalogue: Catalogue) -> None:
    """Nothing but the foreign key holds it here: recording that comes too late is refused."""

    async def scene() -> Scene:
        sha256 = await a_payload(catalogue)
        project = await a_project(catalogue)

        async def record() -> None:
            async with catalogue.transaction() as transaction:
                await releases.insert_release(
                    transaction, **release_values(project, "1.0.0", sha256, 300, "")
                )

        async def check(dropped: garbage.Dropped, recorded: Any) -> None:
            if dropped.rows:
                assert isinstance(recorded, ConstraintViolated)
                assert recorded.foreign_key
            await check_payload(catalogue, sha256, dropped, recorded is None)

        return Scene(lambda: drop_payloads(catalogue, [sha256]), record, check)

    assert await in_every_order(catalogue, scene) >= 8


async def test_inserting_a_payload(catalogue: Catalogue) -> None:
    """A payload is recorded over pack files that were pinned, while the pins' upload is given up."""

    async def scene() -> Scene:
        key, _ = await a_stored_pack(catalogue)
        sha256 = a_sha256()

        async def record() -> None:
            async with catalogue.transaction() as transaction:
                await packs.lock_packs(transaction, [key])
                await stored_payloads.insert_payload(
                    transaction,
                    sha256=sha256,
                    size_bytes=300,
                    chunk_count=3,
                    manifest_key=sha256,
                    pack_keys=[key],
                )

        async def check(dropped: garbage.Dropped, recorded: Any) -> None:
            if dropped.rows:
                assert isinstance(recorded, ConstraintViolated)
                assert recorded.foreign_key
                assert await is_gone(catalogue, key)
            else:
                assert recorded is None
                assert await is_kept(catalogue, key)

        return Scene(lambda: drop_packs(catalogue, [key]), record, check)

    assert await in_every_order(catalogue, scene) >= 20


async def test_inserting_the_payload_that_is_being_dropped(catalogue: Catalogue) -> None:
    """A second upload of the same content ends while the first one's payload goes."""

    async def scene() -> Scene:
        sha256 = await a_payload(catalogue)
        key, _ = await a_stored_pack(catalogue)
        deployment_id = await insert_an_upload(catalogue)
        manifest_key = f"manifests/{uuid.uuid4().hex}"

        async def record() -> bool:
            async with catalogue.transaction() as transaction:
                inserted = await stored_payloads.insert_payload(
                    transaction,
                    sha256=sha256,
                    size_bytes=300,
                    chunk_count=3,
                    manifest_key=manifest_key,
                    pack_keys=[key],
                )
                await uploads.keep_payload(transaction, deployment_id, 1, sha256)
            return inserted

        async def check(dropped: garbage.Dropped, inserted: Any) -> None:
            if isinstance(inserted, ConstraintViolated):
                # It took the first one's for stored, which went before it could be kept: stored again.
                assert dropped.rows
                assert inserted.foreign_key
            else:
                async with catalogue.reading() as transaction:
                    row = await stored_payloads.get_payload(transaction, sha256)
                assert row is not None
                assert (row.manifest_key == manifest_key) is inserted is bool(dropped.rows)
                assert row.manifest_key not in await condemned(catalogue)

        return Scene(lambda: drop_payloads(catalogue, [sha256]), record, check)

    assert await in_every_order(catalogue, scene) >= 20


async def test_naming_a_manifest(catalogue: Catalogue) -> None:
    """A manifest's draft is old enough to be collected when its payload is recorded at last."""

    async def scene() -> Scene:
        manifest_key = f"manifests/{uuid.uuid4().hex}"
        async with catalogue.transaction() as transaction:
            await stored_payloads.begin_manifest(transaction, manifest_key)

        async def name() -> bool:
            async with catalogue.transaction() as transaction:
                return await stored_payloads.take_manifest(transaction, manifest_key)

        async def drop() -> garbage.Dropped:
            async with catalogue.transaction() as transaction:
                return await garbage.drop_drafts(transaction, [manifest_key])

        async def check(dropped: garbage.Dropped, named: Any) -> None:
            assert bool(dropped.rows) is not named
            assert (manifest_key in await condemned(catalogue)) is bool(dropped.rows)

        return Scene(drop, name, check)

    assert await in_every_order(catalogue, scene) >= 6


async def test_naming_an_orphan(catalogue: Catalogue) -> None:
    """A rebuild gives an object its row again that was noted as an orphan long ago."""

    async def scene() -> Scene:
        key = f"packs/{uuid.uuid4().hex}"
        async with catalogue.transaction() as transaction:
            await garbage.note_orphans(transaction, [garbage.StoredObject(key, 1)])

        async def name() -> bool:
            async with catalogue.transaction() as transaction:
                await garbage.claim_orphans(transaction, [key])
                if await rebuilding.condemned_among(transaction, [key]):
                    return False
                await packs.begin_pack(transaction, key)
                return True

        async def drop() -> garbage.Dropped:
            async with catalogue.transaction() as transaction:
                return await garbage.drop_orphans(transaction, [key])

        async def check(dropped: garbage.Dropped, named: Any) -> None:
            assert bool(dropped.rows) is not named
            assert (key in await condemned(catalogue)) is bool(dropped.rows)

        return Scene(drop, name, check)

    assert await in_every_order(catalogue, scene) >= 5


async def test_resuming_an_upload_that_is_given_up(catalogue: Catalogue) -> None:
    async def scene() -> Scene:
        deployment_id = await insert_an_upload(catalogue)
        u, d = tables.upload, tables.deployment
        async with catalogue.transaction() as transaction:
            old = await transaction.now() - timedelta(days=2)
            await transaction.execute(
                update(u).where(u.c.deployment_id == deployment_id).values(heartbeat_time=old, held=False)
            )

        async def resume() -> Any:
            async with catalogue.transaction() as transaction:
                return await uploads.take_over(
                    transaction, deployment_id, session_id="second", attempt=1, stale_after_s=20
                )

        async def give_up() -> int:
            return await give_up_dead_uploads(
                catalogue,
                resume_for=timedelta(days=1),
                actor=Actor("node:one"),
                error=ABANDONED,
                given_up=lambda _: None,
            )

        async def check(given_up: int, resumed: Any) -> None:
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

        return Scene(give_up, resume, check, gated=about("upload", "deployment"))

    assert await in_every_order(catalogue, scene) >= 8


async def test_deploying_a_release_that_is_reclaimed(catalogue: Catalogue) -> None:
    """Both look under the project's lock, so one of them sees what the other did."""

    async def scene() -> Scene:
        sha256, project = await a_payload(catalogue), await a_project(catalogue)
        async with catalogue.transaction() as transaction:
            release = await releases.insert_release(
                transaction, **release_values(project, "1.0.0", sha256, 300, "")
            )

        async def deploy() -> bool:
            async with catalogue.transaction() as transaction:
                await projects.lock_project(transaction, project)
                found = await releases.get_release(transaction, release.id)
                if found.stored_payload is None:
                    return False
                await insert_queued(transaction, project, release.id)
                return True

        async def reclaim() -> bool:
            async with catalogue.transaction() as transaction:
                await projects.lock_project(transaction, project)
                if await retaining.uses_of(transaction, release, rollback_targets=5):
                    return False
                await retaining.drop_references(transaction, [release.id])
                return True

        async def check(reclaimed: Any, deployed: Any) -> None:
            assert {reclaimed, deployed} == {True, False}
            async with catalogue.reading() as transaction:
                found = await releases.get_release(transaction, release.id)
            assert (found.stored_payload is None) is reclaimed

        return Scene(reclaim, deploy, check)

    assert await in_every_order(catalogue, scene) >= 7


async def insert_queued(transaction: Any, project: str, release_id: int) -> None:
    await projects.ensure_environment(transaction, "default")
    await transaction.execute(
        insert(tables.deployment).values(
            id=str(uuid.uuid4()),
            project=project,
            environment="default",
            kind="RELEASE",
            status="QUEUED",
            request_digest="",
            deployed_by="",
            peer="",
            request_id="",
            release_id=release_id,
            create_time=await transaction.now(),
        )
    )


async def drop_packs(catalogue: Catalogue, keys: Sequence[str]) -> garbage.Dropped:
    async with catalogue.transaction() as transaction:
        return await garbage.drop_packs(transaction, keys)


async def drop_payloads(catalogue: Catalogue, sha256s: Sequence[str]) -> garbage.Dropped:
    async with catalogue.transaction() as transaction:
        return await garbage.drop_payloads(transaction, sha256s)


def a_sha256() -> str:
    return hashlib.sha256(uuid.uuid4().bytes).hexdigest()


def some_chunks(key: str) -> list[PlacedChunk]:
    return [
        PlacedChunk(digest, key, 8 + 100 * number, 100, 100, Codec.RAW)
        for number, digest in enumerate(DIGESTS)
    ]


async def a_project(catalogue: Catalogue) -> str:
    name = f"p{uuid.uuid4().hex}"
    async with catalogue.transaction() as transaction:
        await projects.ensure_project(transaction, name, name)
    return name


async def a_stored_pack(catalogue: Catalogue) -> tuple[str, str]:
    """A stored pack file that nothing names, with its chunks in a project's index."""
    key, project = f"packs/{uuid.uuid4().hex}", await a_project(catalogue)
    async with catalogue.transaction() as transaction:
        await packs.begin_pack(transaction, key)
        await packs.mark_stored(transaction, key, 300)
        await chunk_index.add_chunks(transaction, project, some_chunks(key))
    return key, project


async def a_payload(catalogue: Catalogue) -> str:
    """A stored payload that nothing names."""
    key, _ = await a_stored_pack(catalogue)
    sha256 = a_sha256()
    async with catalogue.transaction() as transaction:
        await stored_payloads.insert_payload(
            transaction,
            sha256=sha256,
            size_bytes=300,
            chunk_count=3,
            manifest_key=f"manifests/{sha256}",
            pack_keys=[key],
        )
    return sha256


async def condemned(catalogue: Catalogue) -> set[str]:
    async with catalogue.reading() as transaction:
        return {row.key for row in await transaction.all(select(tables.condemned.c.key))}


async def pins(catalogue: Catalogue, deployment_id: str) -> list[str]:
    p = tables.pin
    async with catalogue.reading() as transaction:
        rows = await transaction.all(select(p.c.pack_key).where(p.c.deployment_id == deployment_id))
    return [row.pack_key for row in rows]


async def check_payload(catalogue: Catalogue, sha256: str, dropped: garbage.Dropped, is_named: bool) -> None:
    async with catalogue.reading() as transaction:
        row = await stored_payloads.get_payload(transaction, sha256)
    assert (row is None) is bool(dropped.rows) is not is_named
    assert (f"manifests/{sha256}" in await condemned(catalogue)) is bool(dropped.rows)


async def is_kept(catalogue: Catalogue, key: str) -> bool:
    f, c = tables.pack_file, tables.chunk
    async with catalogue.reading() as transaction:
        row = await transaction.one(select(f.c.state).where(f.c.key == key))
        chunks = await transaction.all(select(c.c.digest).where(c.c.pack_key == key))
    return (
        row is not None
        and row.state == "STORED"
        and key not in await condemned(catalogue)
        and {chunk.digest for chunk in chunks} <= set(DIGESTS)
    )


async def is_gone(catalogue: Catalogue, key: str) -> bool:
    f, c = tables.pack_file, tables.chunk
    async with catalogue.reading() as transaction:
        row = await transaction.one(select(f.c.key).where(f.c.key == key))
        chunks = await transaction.all(select(c.c.digest).where(c.c.pack_key == key))
    return row is None and not chunks and key in await condemned(catalogue)

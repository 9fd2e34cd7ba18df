"""Collecting against whoever counts on what is collected, in every order of their statements, on PostgreSQL.

The outcome is always one of two: it is kept, or it is gone and known to be gone. Never is something named
that is condemned.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import insert

from longshore_storage.catalogue import (
    Catalogue,
    garbage,
    packs,
    projects,
    rebuilding,
    releases,
    retaining,
    stored_payloads,
    tables,
    uploads,
)
from longshore_storage.errors import ConstraintViolated
from longshore_storage.payloads.recording import keep_stored_payload
from tests.storage.catalogue.rows import insert_an_upload

from .racing import (
    a_payload,
    a_project,
    a_sha256,
    a_stored_pack,
    catalogue,
    check_payload,
    condemned,
    drop_packs,
    drop_payloads,
    is_gone,
    is_kept,
)
from .stepping import Scene, gates, in_every_order
from .store import release_values

pytestmark = pytest.mark.usefixtures("gates")
__all__ = ["catalogue", "gates"]


async def test_keeping_a_payload_that_is_stored_already(catalogue: Catalogue) -> None:
    """An upload finds its payload stored, while its last release was reclaimed."""

    async def scene() -> Scene:
        sha256, _, _ = await a_payload(catalogue)
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
        sha256, _, _ = await a_payload(catalogue)
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
        sha256, _, _ = await a_payload(catalogue)
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


async def test_deploying_a_release_that_is_reclaimed(catalogue: Catalogue) -> None:
    """Both look under the project's lock, so one of them sees what the other did."""

    async def scene() -> Scene:
        (sha256, _, _), project = await a_payload(catalogue), await a_project(catalogue)
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

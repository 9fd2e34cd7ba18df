"""What the database writes down about a release that lets go of its payload is what the rows say of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import insert, update

from longshore_storage.catalogue import Catalogue, Transaction, open_catalogue, projects, tables
from tests.cluster.history.records import Reclaimed, Restored
from tests.services.migrated import migrate
from tests.services.postgres_service import PostgresService

from .reclaiming import references, write_down_references
from .recording import Recorder
from .world import KEPT_RELEASES, KEPT_TARGETS

_AGES = timedelta(hours=1)
# By version, oldest first: how its deployment stands, and by whom the release is needed then.
_LATER = {f"2.0.{number}": ("FAILED", "among the last of default") for number in range(KEPT_RELEASES)}
_RELEASES = {
    "1.0.0": ("SUCCEEDED", ""),
    "1.0.1": ("SUCCEEDED", "pinned"),
    "1.0.2": ("ROLLING_OUT", "on its way to default"),
    "1.0.3": ("FAILED", "assigned in default"),
    "1.0.4": ("FAILED", ""),
    **{f"1.1.{number}": ("SUCCEEDED", "a rollback target in default") for number in range(KEPT_TARGETS)},
    **_LATER,
    "2.1.0": ("FAILED", "among the last of default, live in default"),
}
_OLDEST_OF_THE_LAST = "2.0.0"


async def test_who_needs_a_release_is_written_down(postgres_service: PostgresService) -> None:
    with postgres_service.fresh_database() as name:
        url = postgres_service.url(name)
        await migrate(url)
        await write_down_references(url)
        catalogue = open_catalogue(url)
        try:
            await _fill(catalogue)
            for version in _RELEASES:
                await _refer(catalogue, version, None)
            await _refer(catalogue, "1.0.0", "a")
            recorder = Recorder()
            found = await references(url, recorder)
        finally:
            await catalogue.close()
    needed = {one.version: one.needed for one in found if isinstance(one, Reclaimed)}
    # One more was deployed behind them, so the oldest of these is none of the last.
    expected = {version: needed for version, (_, needed) in _RELEASES.items()} | {_OLDEST_OF_THE_LAST: ""}
    assert needed == expected
    assert [one.version for one in found if isinstance(one, Restored)] == ["1.0.0"]
    times = [one.at for one in found]
    assert times == sorted(times)
    assert times[-1] <= recorder.now_s


async def _refer(catalogue: Catalogue, version: str, payload: str | None) -> None:
    r = tables.release
    async with catalogue.transaction() as transaction:
        await transaction.execute(update(r).where(r.c.version == version).values(stored_payload=payload))


async def _fill(catalogue: Catalogue) -> None:
    async with catalogue.transaction() as transaction:
        now = await transaction.now()
        await projects.ensure_environment(transaction, "default")
        await transaction.execute(
            insert(tables.project).values(name="web", display_name="web", create_time=now)
        )
        await transaction.execute(
            insert(tables.payload).values(
                sha256="a", size_bytes=1, chunk_count=1, manifest_key="manifests/a", create_time=now
            )
        )
        ids = {
            version: await _release(transaction, version, status, now)
            for version, (status, _) in _RELEASES.items()
        }
        await transaction.execute(
            insert(tables.project_environment).values(
                project="web", environment="default", live_release_id=ids["2.1.0"]
            )
        )
        await _assign(transaction, ids["1.0.3"], now)
        r = tables.release
        await transaction.execute(update(r).where(r.c.version == "1.0.1").values(pin_reason="it is needed"))


async def _release(transaction: Transaction, version: str, status: str, now: Any) -> int:
    """A release, and the one deployment of it, which ended long ago where it ended."""
    row = await transaction.one(
        insert(tables.release)
        .values(
            project="web",
            version=version,
            version_key=version,
            version_order=version,
            payload_sha256="a",
            stored_payload="a",
            content_sha256="a",
            payload_size_bytes=1,
            payload_format="TAR",
            file_name="",
            entries=1,
            unpacked_size_bytes=1,
            create_time=now,
            created_by="tests",
            deployment_id=f"of {version}",
        )
        .returning(tables.release.c.id)
    )
    assert row is not None
    release_id: int = row.id
    await transaction.execute(
        insert(tables.deployment).values(
            id=f"of {version}",
            project="web",
            environment="default",
            kind="RELEASE",
            status=status,
            request_digest="",
            deployed_by="",
            peer="",
            request_id="",
            release_id=release_id,
            create_time=now - _AGES,
            end_time=now - _AGES,
        )
    )
    return release_id


async def _assign(transaction: Transaction, release_id: int, now: Any) -> None:
    await transaction.execute(
        insert(tables.node).values(
            id="n",
            name="n",
            environment="default",
            roles=[],
            address="",
            server_version="",
            boot_number=1,
            boot_time=now,
            free_disk_bytes=0,
            report_time=now,
            installs=True,
        )
    )
    await transaction.execute(
        insert(tables.assignment).values(
            node_id="n",
            environment="default",
            project="web",
            release_id=release_id,
            generation=1,
            assign_time=now,
        )
    )

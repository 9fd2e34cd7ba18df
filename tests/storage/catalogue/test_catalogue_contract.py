"""What both databases promise: transactions, constraints by name, the schema, faults told quickly."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, delete, func, insert, select, text, update

from longshore_storage.catalogue import Catalogue, open_catalogue, packs, projects, revisions, tables
from longshore_storage.errors import (
    CatalogueUnavailable,
    CommitUnknown,
    ConstraintViolated,
    Misconfigured,
)
from tests.services.postgres_service import PostgresService
from tests.storage.conftest import connections_in_use

from .rows import insert_a_deployment, insert_a_stored_pack, insert_an_upload


async def project_names(catalogue: Catalogue) -> list[str]:
    async with catalogue.reading() as transaction:
        return [row.name for row in await transaction.all(select(tables.project.c.name))]


class TestTransactions:
    async def test_commits_all_at_the_end(self, catalogue: Catalogue) -> None:
        async with catalogue.transaction() as transaction:
            await projects.ensure_project(transaction, "one", "One")
            await projects.ensure_project(transaction, "two", "Two")
            assert await project_names(catalogue) == []
        assert sorted(await project_names(catalogue)) == ["one", "two"]

    async def test_rolls_all_back_on_an_error(self, catalogue: Catalogue) -> None:
        async def write_and_fail() -> None:
            async with catalogue.transaction() as transaction:
                await projects.ensure_project(transaction, "one", "One")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await write_and_fail()
        assert await project_names(catalogue) == []

    async def test_reading_changes_nothing(self, catalogue: Catalogue) -> None:
        async with catalogue.reading() as transaction:
            with pytest.raises(AssertionError, match="for reads"):
                await projects.ensure_project(transaction, "one", "One")
        assert await project_names(catalogue) == []

    async def test_many_writers_at_once_lose_no_update(self, catalogue: Catalogue) -> None:
        async with catalogue.transaction() as transaction:
            deployment_id = await insert_a_deployment(transaction)
        d = tables.deployment

        async def add_one() -> None:
            async with catalogue.transaction() as transaction:
                row = await transaction.one(
                    select(d.c.generation).where(d.c.id == deployment_id).with_for_update()
                )
                assert row is not None
                await transaction.execute(
                    update(d).where(d.c.id == deployment_id).values(generation=row.generation + 1)
                )

        await asyncio.gather(*(add_one() for _ in range(20)))
        async with catalogue.reading() as transaction:
            row = await transaction.one(select(d.c.generation).where(d.c.id == deployment_id))
        assert row is not None
        assert row.generation == 20

    async def test_conditional_update_has_one_winner(self, catalogue: Catalogue) -> None:
        async with catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, "packs/one")

        async def store() -> bool:
            async with catalogue.transaction() as transaction:
                return await packs.mark_stored(transaction, "packs/one", 1)

        assert sorted(await asyncio.gather(*(store() for _ in range(8)))) == [False] * 7 + [True]

    @pytest.mark.parametrize("kind", ["transaction", "reading"])
    async def test_cancelled_gives_its_connection_back(self, catalogue: Catalogue, kind: str) -> None:
        inside = asyncio.Event()

        async def wait_inside() -> None:
            async with getattr(catalogue, kind)() as transaction:
                await transaction.now()
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(wait_inside())
        await inside.wait()
        assert connections_in_use(catalogue) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert connections_in_use(catalogue) == 0
        async with catalogue.transaction() as transaction:
            await projects.ensure_project(transaction, "after", "After")

    async def test_cancelled_at_any_moment_it_is_all_or_nothing_and_holds_nobody_up(
        self, catalogue: Catalogue
    ) -> None:
        async def write(name: str) -> None:
            async with catalogue.transaction() as transaction:
                await projects.ensure_project(transaction, f"{name}-a", "A")
                await projects.ensure_project(transaction, f"{name}-b", "B")

        for turns in range(0, 800, 11):
            tasks = [asyncio.create_task(write(f"{turns}-{task}")) for task in range(2)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert connections_in_use(catalogue) == 0
            async with asyncio.timeout(5):
                await write(f"{turns}-after")
        names = await project_names(catalogue)
        assert {name[:-2] for name in names if name.endswith("-a")} == {
            name[:-2] for name in names if name.endswith("-b")
        }

    async def test_the_clock_is_the_databases_in_utc(self, catalogue: Catalogue) -> None:
        async with catalogue.transaction() as transaction:
            now = await transaction.now()
            assert await transaction.now() is now
            await projects.ensure_project(transaction, "one", "One")
        assert now.tzinfo is UTC
        assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
        async with catalogue.reading() as transaction:
            project = await projects.get_project(transaction, "one")
        assert project is not None
        assert project.create_time == now


class TestConstraints:
    async def test_unique_tells_its_name(self, catalogue: Catalogue) -> None:
        async with catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, "packs/one")
        with pytest.raises(ConstraintViolated) as caught:
            async with catalogue.transaction() as transaction:
                await packs.begin_pack(transaction, "packs/one")
        assert caught.value.constraint == "pk_pack_file"
        assert not caught.value.foreign_key

    async def test_unique_index_tells_its_name(self, catalogue: Catalogue) -> None:
        async with catalogue.transaction() as transaction:
            for _ in range(2):
                await insert_a_deployment(transaction)
        with pytest.raises(ConstraintViolated) as caught:
            async with catalogue.transaction() as transaction:
                await transaction.execute(update(tables.deployment).values(status="ROLLING_OUT"))
        assert caught.value.constraint == "uq_deployment_rollout"

    async def test_check_tells_its_name(self, catalogue: Catalogue) -> None:
        async with catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, "packs/one")
        with pytest.raises(ConstraintViolated) as caught:
            async with catalogue.transaction() as transaction:
                await transaction.execute(update(tables.pack_file).values(state="LOST"))
        assert caught.value.constraint == "ck_pack_file_state"

    async def test_foreign_key_says_so(self, catalogue: Catalogue) -> None:
        with pytest.raises(ConstraintViolated) as caught:
            async with catalogue.transaction() as transaction:
                await transaction.execute(insert(tables.pin).values(deployment_id="none", pack_key="none"))
        assert caught.value.foreign_key

    async def test_a_pinned_pack_file_cannot_be_collected(self, catalogue: Catalogue) -> None:
        deployment_id = await insert_an_upload(catalogue)
        async with catalogue.transaction() as transaction:
            key = await insert_a_stored_pack(transaction)
            await packs.pin_packs(transaction, deployment_id, [key])
        with pytest.raises(ConstraintViolated) as caught:
            async with catalogue.transaction() as transaction:
                await transaction.execute(delete(tables.pack_file))
        assert caught.value.foreign_key
        async with catalogue.transaction() as transaction:
            await transaction.execute(delete(tables.upload))
            assert await transaction.changed(delete(tables.pack_file)) == 1

    async def test_a_payloads_pack_file_cannot_be_collected(self, catalogue: Catalogue) -> None:
        async with catalogue.transaction() as transaction:
            key = await insert_a_stored_pack(transaction)
            await transaction.execute(
                insert(tables.payload).values(
                    sha256="0" * 64,
                    size_bytes=1,
                    chunk_count=1,
                    manifest_key="m",
                    create_time=await transaction.now(),
                )
            )
            await transaction.execute(
                insert(tables.payload_pack).values(payload_sha256="0" * 64, pack_key=key)
            )
        with pytest.raises(ConstraintViolated) as caught:
            async with catalogue.transaction() as transaction:
                await transaction.execute(delete(tables.pack_file))
        assert caught.value.foreign_key

    async def test_chunks_go_with_their_pack_file(self, catalogue: Catalogue) -> None:
        async with catalogue.transaction() as transaction:
            await projects.ensure_project(transaction, "one", "One")
            key = await insert_a_stored_pack(transaction)
            await transaction.execute(
                insert(tables.chunk).values(
                    project="one",
                    digest=b"d" * 32,
                    pack_key=key,
                    offset=8,
                    stored_length=1,
                    raw_length=1,
                    codec=0,
                )
            )
            await transaction.execute(delete(tables.pack_file))
            count = await transaction.one(select(func.count()).select_from(tables.chunk))
        assert count is not None
        assert count[0] == 0


class TestSchema:
    async def test_migrating_twice_is_harmless(self, catalogue: Catalogue) -> None:
        assert await catalogue.migrate() == revisions.newest().name
        await catalogue.check()

    async def test_two_migrating_at_once(self, empty_database_url: str) -> None:
        first, second = open_catalogue(empty_database_url), open_catalogue(empty_database_url)
        try:
            reached = await asyncio.gather(first.migrate(), second.migrate())
            assert set(reached) == {revisions.newest().name}
        finally:
            await first.close()
            await second.close()

    async def test_check_names_the_command_on_an_empty_database(self, empty: Catalogue) -> None:
        with pytest.raises(Misconfigured, match="longshore admin migrate"):
            await empty.check()

    async def test_a_later_versions_schema_is_refused(self, catalogue: Catalogue) -> None:
        async with catalogue.transaction() as transaction:
            await transaction.execute(text("UPDATE alembic_version SET version_num = 'later'"))
        with pytest.raises(Misconfigured, match="upgrade this server"):
            await catalogue.check()
        with pytest.raises(Misconfigured, match="upgrade this server"):
            await catalogue.migrate()

    async def test_a_query_on_an_empty_database_names_the_command(self, empty: Catalogue) -> None:
        with pytest.raises(Misconfigured, match="longshore admin migrate"):
            await project_names(empty)

    async def test_migrations_make_exactly_the_tables(self, catalogue: Catalogue) -> None:
        def differences(connection: Connection) -> list[object]:
            # SQLite gives defaults back as text, which is not comparable.
            defaults = connection.dialect.name == "postgresql"
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": defaults}
            )
            return list(compare_metadata(context, tables.metadata))

        async with catalogue._engine.connect() as connection:
            assert await connection.run_sync(differences) == []

    @pytest.fixture
    async def empty(self, empty_database_url: str) -> AsyncIterator[Catalogue]:
        catalogue = open_catalogue(empty_database_url)
        yield catalogue
        assert connections_in_use(catalogue) == 0
        await catalogue.close()


class TestFaults:
    async def test_an_unreachable_database_is_told_quickly(self) -> None:
        catalogue = open_catalogue("postgresql://user:hunter2@127.0.0.1:1/none", connect_timeout_s=2)
        began = time.monotonic()
        with pytest.raises(CatalogueUnavailable) as caught:
            await catalogue.check()
        assert time.monotonic() - began < 5
        assert "127.0.0.1:1" in str(caught.value)
        assert "hunter2" not in str(caught.value)
        await catalogue.close()

    async def test_a_database_that_goes_away_is_told_and_comes_back(
        self, postgres_service: PostgresService, postgres_database: str
    ) -> None:
        catalogue = open_catalogue(postgres_database, connect_timeout_s=2)
        try:
            await catalogue.migrate()
            postgres_service.kill()
            began = time.monotonic()
            with pytest.raises(CatalogueUnavailable):
                # The killed server's own processes notice its death a moment later, and answer till then.
                while time.monotonic() - began < 5:
                    await catalogue.check()
            assert time.monotonic() - began < 5
            postgres_service.ensure_running()
            await catalogue.check()
            assert connections_in_use(catalogue) == 0
        finally:
            await catalogue.close()

    async def test_a_backend_that_ends_in_a_transaction(self, postgres_database: str) -> None:
        catalogue = open_catalogue(postgres_database)
        try:
            await catalogue.migrate()

            async def write_and_write() -> None:
                async with catalogue.transaction() as transaction:
                    await projects.ensure_project(transaction, "one", "One")
                    await terminate_backend_of(catalogue, transaction)
                    await projects.ensure_project(transaction, "two", "Two")

            with pytest.raises(CatalogueUnavailable):
                await write_and_write()
            assert await project_names(catalogue) == []
            assert connections_in_use(catalogue) == 0
        finally:
            await catalogue.close()

    async def test_a_backend_that_ends_before_the_commit_leaves_it_unknown(
        self, postgres_database: str
    ) -> None:
        catalogue = open_catalogue(postgres_database)
        try:
            await catalogue.migrate()

            async def write_and_commit() -> None:
                async with catalogue.transaction() as transaction:
                    await projects.ensure_project(transaction, "one", "One")
                    await terminate_backend_of(catalogue, transaction)

            with pytest.raises(CommitUnknown):
                await write_and_commit()
            assert await project_names(catalogue) == []
            assert connections_in_use(catalogue) == 0
        finally:
            await catalogue.close()

    async def test_a_wrong_password_is_a_setting(self, postgres_database: str) -> None:
        user, _, rest = postgres_database.rpartition("@")
        catalogue = open_catalogue(f"{user}wrong@{rest}")
        with pytest.raises(Misconfigured, match=r"database\.url"):
            await catalogue.check()
        await catalogue.close()

    async def test_a_missing_database_is_a_setting(self, postgres_database: str) -> None:
        catalogue = open_catalogue(f"{postgres_database}_none")
        with pytest.raises(Misconfigured, match=r"database\.url"):
            await catalogue.check()
        await catalogue.close()

    async def test_an_unwritable_database_is_a_setting(self, tmp_path: Path) -> None:
        (tmp_path / "longshore.db").mkdir()
        catalogue = open_catalogue(f"sqlite:///{tmp_path}/longshore.db")
        with pytest.raises(Misconfigured, match="cannot be opened"):
            await catalogue.migrate()
        await catalogue.close()
        # The driver's thread for a connection that could not be opened ends a moment after its error.
        while any("_connection_worker" in thread.name for thread in threading.enumerate()):
            await asyncio.sleep(0)

    @pytest.mark.parametrize(
        "url", ["", "none", "mysql://host/name", "sqlite://", "sqlite:////no/such/folder/longshore.db"]
    )
    def test_a_wrong_url_is_a_setting(self, url: str) -> None:
        with pytest.raises(Misconfigured, match=r"database\.url|folder of the database"):
            open_catalogue(url)


async def terminate_backend_of(catalogue: Catalogue, transaction: object) -> None:
    """End the server process behind an open transaction and wait until it is gone."""
    pid = (await transaction.execute(text("SELECT pg_backend_pid()"))).scalar()  # type: ignore[attr-defined]
    async with catalogue.reading() as other:
        await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)").bindparams(pid=pid))

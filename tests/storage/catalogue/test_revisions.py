"""Two versions on one database: what revisions promise, and what each version makes of the other's schema."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection, String, text

from longshore_storage.backup import back_up
from longshore_storage.catalogue import Catalogue, open_catalogue, revisions
from longshore_storage.errors import CatalogueUnavailable, Misconfigured

from .expanding import broken, shape_of

NEXT_VERSION: Final = Path(__file__).with_name("next_version")
EXPANDED, CONTRACTED = "0002_from_0001", "0003_from_0002"


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """``next_version(True)`` makes this process the next version, ``next_version(False)`` this one again."""
    this = revisions.FOLDERS

    def become(later: bool) -> None:
        monkeypatch.setattr(revisions, "FOLDERS", (*this, NEXT_VERSION) if later else this)

    yield become
    become(False)


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncIterator[Catalogue]:
    catalogue = open_catalogue(empty_database_url)
    yield catalogue
    await catalogue.close()


async def upgraded_to(catalogue: Catalogue, name: str) -> None:
    """Apply revisions up to one."""

    def upgrade(connection: Connection) -> None:
        command.upgrade(revisions.configuration(connection), name)

    async with catalogue._engine.begin() as connection:
        await connection.run_sync(upgrade)


async def test_what_expands_keeps_what_servers_rely_on(
    empty: Catalogue, next_version: Callable[[bool], None]
) -> None:
    next_version(True)
    before = None
    for revision in revisions.known():
        await upgraded_to(empty, revision.name)
        async with empty._engine.connect() as connection:
            after = await connection.run_sync(shape_of)
        if before is not None:
            assert bool(broken(before, after)) is revision.contracts, broken(before, after)
        before = after


def test_names_tell_who_can_work_with_what(next_version: Callable[[bool], None]) -> None:
    next_version(True)
    known = revisions.known()
    assert [revision.number for revision in known] == list(range(1, len(known) + 1))
    assert all(revision.oldest <= revision.number for revision in known)
    assert sorted(revision.oldest for revision in known) == [revision.oldest for revision in known]
    assert [revision.contracts for revision in known[-2:]] == [False, True]
    assert (revisions.needed(), revisions.newest()) == (known[-2], known[-1])


async def test_this_version_works_with_what_the_next_one_expands(
    catalogue: Catalogue, next_version: Callable[[bool], None]
) -> None:
    next_version(True)
    with pytest.raises(
        Misconfigured, match="has schema 0001, this server needs 0002: run `longshore admin mi"
    ):
        await catalogue.check()
    assert [str(one) for one in await catalogue.ahead(contract=False)] == ["0002"]
    assert await catalogue.migrate() == EXPANDED
    assert await catalogue.migrate() == EXPANDED
    await catalogue.check()
    next_version(False)
    await catalogue.check()
    assert await catalogue.migrate() == EXPANDED
    assert await catalogue.migrate(contract=True) == EXPANDED
    assert await catalogue.ahead(contract=True) == []


async def test_this_version_is_refused_where_the_next_one_has_contracted(
    catalogue: Catalogue, next_version: Callable[[bool], None]
) -> None:
    next_version(True)
    assert [str(one) for one in await catalogue.ahead(contract=True)] == ["0002", "0003"]
    assert await catalogue.migrate(contract=True) == CONTRACTED
    await catalogue.check()
    assert await catalogue.migrate() == CONTRACTED
    next_version(False)
    for ask in (catalogue.check, catalogue.migrate):
        with pytest.raises(Misconfigured) as caught:
            await ask()
        assert "has schema 0003" in str(caught.value)
        assert "for servers that know 0002 at least; this one knows 0001: upgrade this server" in str(
            caught.value
        )


async def test_an_empty_database_gets_everything_at_once(
    empty: Catalogue, next_version: Callable[[bool], None]
) -> None:
    next_version(True)
    assert await empty.migrate() == CONTRACTED


async def test_a_backup_is_not_taken_by_a_version_that_would_leave_something_out(
    catalogue: Catalogue, next_version: Callable[[bool], None], tmp_path: Path
) -> None:
    next_version(True)
    await catalogue.migrate()
    next_version(False)
    with pytest.raises(Misconfigured, match="use the version of Longshore that has migrated it"):
        await back_up(catalogue, tmp_path / "backup", server_version="1")
    assert not (tmp_path / "backup").exists()


async def test_a_change_that_waits_for_a_lock_gives_way(
    postgres_database: str, next_version: Callable[[bool], None]
) -> None:
    """Nodes that come behind it would wait as well."""
    catalogue, other = open_catalogue(postgres_database), open_catalogue(postgres_database)
    try:
        await catalogue.migrate()
        next_version(True)
        async with other.transaction() as transaction:
            await transaction.execute(text("LOCK TABLE deployment IN ROW SHARE MODE"))
            with pytest.raises(CatalogueUnavailable, match="try again"):
                await catalogue.migrate()
        assert await catalogue.migrate() == EXPANDED
    finally:
        await catalogue.close()
        await other.close()


TRESPASSES: Final[dict[str, Callable[[Any], object]]] = {
    "a table goes": lambda op: op.drop_table("notification"),
    "a table has another name": lambda op: op.rename_table("notification", "notice"),
    "a column goes": lambda op: altered(op, lambda table: table.drop_column("event")),
    "a column has another name": lambda op: (
        op.alter_column("notification", "event", new_column_name="what")
        if op.get_bind().dialect.name == "postgresql"
        else altered(op, lambda table: table.alter_column("event", new_column_name="what"))
    ),
    "a column must be filled": lambda op: altered(
        op, lambda table: table.add_column(Column("more", String, nullable=False))
    ),
    "NULL is refused": lambda op: altered(
        op, lambda table: table.alter_column("end_time", nullable=False), "chore"
    ),
    "a default goes": lambda op: altered(op, lambda table: table.alter_column("tries", server_default=None)),
    "another type": lambda op: altered(
        op, lambda table: table.alter_column("tries", type_=String(), postgresql_using="tries::text")
    ),
    "an index goes": lambda op: op.drop_index("ix_notification_receiver_next_try_time", "notification"),
    "an index refuses": lambda op: op.create_index("one", "notification", ["event"], unique=True),
    "a check refuses": lambda op: altered(
        op, lambda table: table.create_check_constraint("few", "tries < 3")
    ),
    "a check admits less": lambda op: altered(op, less_severe, "finding"),
    "a key refuses": lambda op: altered(
        op, lambda table: table.create_foreign_key("known", "project", ["event"], ["name"])
    ),
    "a trigger refuses": lambda op: op.execute(
        "CREATE TRIGGER stop BEFORE INSERT ON notification BEGIN SELECT RAISE(ABORT, 'no'); END"
        if op.get_bind().dialect.name == "sqlite"
        else "CREATE TRIGGER stop BEFORE INSERT ON notification EXECUTE FUNCTION "
        "suppress_redundant_updates_trigger()"
    ),
}


def altered(op: Any, change: Callable[[Any], object], name: str = "notification") -> None:
    with op.batch_alter_table(name) as table:
        change(table)


def less_severe(table: Any) -> None:
    table.drop_constraint("ck_finding_severity", type_="check")
    table.create_check_constraint("ck_finding_severity", "severity IN ('INFO', 'WARNING')")


async def test_what_an_expanding_revision_may_not_do(catalogue: Catalogue) -> None:
    async with catalogue._engine.connect() as connection:
        before = await connection.run_sync(shape_of)

    def changed(connection: Connection, trespass: Callable[[Any], object]) -> list[str]:
        trespass(Operations(MigrationContext.configure(connection)))
        return broken(before, shape_of(connection))

    for what, trespass in TRESPASSES.items():
        async with catalogue._engine.connect() as connection, connection.begin() as transaction:
            found = await connection.run_sync(changed, trespass)
            await transaction.rollback()
        assert {line.partition(":")[0] for line in found} < {"notification", "chore", "finding"}, what
        assert len(found) in (1, 2), (what, found)

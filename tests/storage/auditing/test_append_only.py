"""The database itself refuses whatever would change the trail."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from longshore_storage.catalogue import Transaction
from longshore_storage.catalogue.audit_seals import entries_between, lock_old_seals, remove_entries
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.grants import install_grants
from longshore_storage.errors import ConstraintViolated, StorageError

from .trails import ANNA, Trail

REFUSED = {
    "an entry changed": "UPDATE audit_entry SET message = 'other'",
    "an entry changed to the same": "UPDATE audit_entry SET message = message",
    "an entry removed": "DELETE FROM audit_entry WHERE id = 1",
    "all entries removed": "DELETE FROM audit_entry",
    "a seal changed": "UPDATE audit_seal SET head = 'other'",
    "a seal moved": "UPDATE audit_seal SET last_id = last_id + 1",
    "a seal removed": "DELETE FROM audit_seal",
    "a seal not anchored": "UPDATE audit_seal SET anchor_time = NULL",
    "a young batch removed": "UPDATE audit_seal SET removal_id = 3 WHERE number = 1",
}
SEAL = {
    "number": "2",
    "first_id": "3",
    "last_id": "3",
    "entry_count": "1",
    "rows_sha256": "''",
    "previous_head": "(SELECT head FROM audit_seal)",
    "head": "'other'",
    "time": "(SELECT time FROM audit_seal)",
    "anchor_time": "NULL",
    "removal_id": "NULL",
}
REFUSED_SEALS = {
    "one left out": {"number": "3"},
    "another chain": {"previous_head": "''"},
    "entries that are not there": {"last_id": "4611686018427387904"},
    "entries that are sealed": {"last_id": "2"},
    "of an old time": {"time": "'2020-01-01 00:00:00.000000'"},
    "of a time to come": {"time": "'2120-01-01 00:00:00.000000'"},
    "anchored already": {"anchor_time": "CURRENT_TIMESTAMP"},
    "removed already": {"removal_id": "3"},
}
ON_POSTGRESQL = {
    "entries truncated": "TRUNCATE audit_entry",
    "seals truncated": "TRUNCATE audit_seal",
    "both truncated": "TRUNCATE audit_entry, audit_seal CASCADE",
}
ON_SQLITE = {
    "an entry replaced": "INSERT OR REPLACE INTO audit_entry SELECT * FROM audit_entry WHERE id = 1",
    "a seal replaced": "INSERT OR REPLACE INTO audit_seal SELECT * FROM audit_seal WHERE number = 1",
}


async def refuses(trail: Trail, statement: str) -> None:
    before = await trail.copy()
    with pytest.raises(ConstraintViolated, match="append-only"):
        async with trail.catalogue.transaction() as transaction:
            await transaction.execute(text(statement))
    assert await trail.copy() == before


async def test_nothing_is_changed_or_removed(trail: Trail) -> None:
    await trail.sealed(["one", "two"])
    await trail.write("not sealed yet")
    async with trail.catalogue.reading() as transaction:
        own = ON_SQLITE if transaction.dialect == "sqlite" else ON_POSTGRESQL
    for statement in (*REFUSED.values(), *own.values()):
        await refuses(trail, statement)


async def test_a_seal_follows_from_the_last_one_and_has_its_time(trail: Trail) -> None:
    await trail.sealed(["one", "two"])
    await trail.write("not sealed yet")
    for changed in REFUSED_SEALS.values():
        values = {**SEAL, **changed}
        await refuses(
            trail, f"INSERT INTO audit_seal ({', '.join(values)}) SELECT {', '.join(values.values())}"
        )
    async with trail.catalogue.transaction() as transaction:
        await transaction.execute(
            text(f"INSERT INTO audit_seal ({', '.join(SEAL)}) SELECT {', '.join(SEAL.values())}")
        )


async def test_entries_that_a_removal_tells_of_may_go_and_no_others(trail: Trail) -> None:
    await trail.sealed_before(timedelta(days=2), ["one"], ["two"])
    first, second = await trail.entries()
    for told_by in (first.id, second.id, 99):
        await refuses(trail, f"UPDATE audit_seal SET removal_id = {told_by} WHERE number = 1")
    async with trail.catalogue.transaction() as transaction:
        await record_audit(transaction, ANNA, "audit.removed")
        (told,) = await entries_between(transaction, second.id, since=None, until=None, limit=1)
        told_by = told.id
        await transaction.execute(text(f"UPDATE audit_seal SET removal_id = {told_by} WHERE number = 1"))
        await transaction.execute(text(f"DELETE FROM audit_entry WHERE id = {first.id}"))
    await refuses(trail, f"DELETE FROM audit_entry WHERE id = {second.id}")
    await refuses(trail, "UPDATE audit_seal SET removal_id = NULL WHERE number = 1")
    assert [entry.id for entry in await trail.entries()] == [second.id, told_by]


Role = Callable[[Transaction], Awaitable[object]]


@asynccontextmanager
async def role_with(trail: Trail, grants: Callable[[str], Sequence[str]]) -> AsyncIterator[Role]:
    """A user who does not own the tables; what comes is had a transaction be his from there on."""
    role = f"node_{uuid.uuid4().hex}"
    async with trail.catalogue.transaction() as transaction:
        for statement in (f"CREATE ROLE {role}", *grants(role)):
            await transaction.execute(text(statement.strip().removesuffix(";")))
    try:
        yield lambda transaction: transaction.execute(text(f"SET LOCAL ROLE {role}"))
    finally:
        async with trail.catalogue.transaction() as transaction:
            await transaction.execute(text(f"DROP OWNED BY {role}"))
            await transaction.execute(text(f"DROP ROLE {role}"))


def documented(role: str) -> Sequence[str]:
    """The grants of docs/operations.md."""
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    grants = page.partition("## The audit trail")[2].partition("```sql\n")[2].partition("```")[0]
    return grants.replace("longshore_node", role).strip().split(";\n")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestUserWhoDoesNotOwnTheTables:
    async def test_enough_to_write_seal_and_remove_and_for_nothing_else(self, trail: Trail) -> None:
        await trail.sealed_before(timedelta(days=2), ["one"])
        statements = (
            "UPDATE audit_entry SET message = 'other'",
            "DELETE FROM audit_seal",
            "TRUNCATE audit_entry",
            "UPDATE identity SET id = 'another'",
            "DELETE FROM identity",
            "SELECT setval('audit_entry_id_seq', 1000000)",
            "ALTER TABLE audit_entry DISABLE TRIGGER USER",
            "DROP TRIGGER audit_entry_kept ON audit_entry",
            "SET session_replication_role = replica",
        )
        async with role_with(trail, documented) as become:
            for statement in statements:
                with pytest.raises(StorageError, match=r"denied|must be owner"):
                    async with trail.catalogue.transaction() as transaction:
                        await become(transaction)
                        await transaction.execute(text(statement))
            async with trail.catalogue.transaction() as transaction:
                await become(transaction)
                await record_audit(transaction, ANNA, "release.pinned")
                seals = await lock_old_seals(transaction, before=await transaction.now(), limit=1)
                assert await remove_entries(transaction, seals, ANNA) == 1

    async def test_a_temporary_table_is_not_taken_for_the_trail(self, trail: Trail) -> None:
        """Everybody may make one, and its name would be looked up first."""
        await trail.sealed(["one"])
        async with role_with(trail, documented) as become:
            with pytest.raises(ConstraintViolated, match="append-only"):
                async with trail.catalogue.transaction() as transaction:
                    await become(transaction)
                    await transaction.execute(
                        text("CREATE TEMPORARY TABLE audit_seal AS SELECT 9 AS last_id, 9 AS removal_id")
                    )
                    await transaction.execute(text("DELETE FROM public.audit_entry"))

    @pytest.mark.parametrize("grants", [documented, install_grants])
    async def test_an_entry_takes_the_next_id(
        self, trail: Trail, grants: Callable[[str], Sequence[str]]
    ) -> None:
        """Neither one above all that there will be, nor one that is sealed by the time it is used."""
        await trail.sealed(["one"])
        columns = "time, principal, peer, request_id, action, project, environment, deployment_id, version, "
        columns += "from_status, to_status, result, reason, message"
        copied = f"INSERT INTO audit_entry (id, {columns}) SELECT %s, {columns} FROM audit_entry LIMIT 1"
        async with role_with(trail, grants) as become:
            with pytest.raises(ConstraintViolated, match="next id"):
                async with trail.catalogue.transaction() as transaction:
                    await become(transaction)
                    await transaction.one(text("SELECT nextval('audit_entry_id_seq')"))
                    await transaction.execute(text(copied % (1 << 62)))
            with pytest.raises(ConstraintViolated, match="next id"):
                async with trail.catalogue.transaction() as transaction:
                    await become(transaction)
                    await transaction.one(text("SELECT nextval('audit_entry_id_seq')"))
                    await trail.sealed(["later"])
                    await transaction.execute(text(copied % "currval('audit_entry_id_seq')"))
        await trail.sealed(["last"])
        assert await trail.faults() == []

"""A connection to SQLite: when its transactions begin, and that nothing of a statement stays open."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from longshore_storage.catalogue.sqlite_connection import SqliteConnection


@pytest.fixture
async def connections(tmp_path: Path) -> AsyncIterator[tuple[SqliteConnection, SqliteConnection]]:
    """Two on one database with an empty table, neither of which waits for the other."""
    connect = partial(
        sqlite3.connect, tmp_path / "x.db", timeout=0, isolation_level=None, check_same_thread=False
    )
    async with AsyncExitStack() as stack:
        one, other = SqliteConnection(connect), SqliteConnection(connect)
        for connection in (one, other):
            await stack.enter_async_context(connection)
        await one.cursor().execute("PRAGMA journal_mode=WAL")
        await one.cursor().execute("CREATE TABLE number (value INTEGER)")
        yield one, other


async def _numbers(connection: SqliteConnection) -> list[int]:
    cursor = connection.cursor()
    await cursor.execute("SELECT value FROM number ORDER BY value")
    return [value for (value,) in await cursor.fetchall()]


async def _insert(connection: SqliteConnection, *values: int) -> None:
    await connection.cursor().executemany("INSERT INTO number VALUES (?)", [(value,) for value in values])


async def test_a_transaction_begins_with_its_first_statement(
    connections: tuple[SqliteConnection, SqliteConnection],
) -> None:
    one, other = connections
    one.begin_with_next("BEGIN IMMEDIATE")
    await _insert(other, 1)
    await _insert(one, 2)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        await _insert(other, 3)
    await one.commit()
    assert await _numbers(other) == [1, 2]


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_one_without_statements_never_began(
    connections: tuple[SqliteConnection, SqliteConnection], end: str
) -> None:
    one, _ = connections
    one.begin_with_next("BEGIN IMMEDIATE")
    await getattr(one, end)()
    await _insert(one, 1)
    assert not one.in_transaction


async def test_what_is_rolled_back_was_never_there(
    connections: tuple[SqliteConnection, SqliteConnection],
) -> None:
    one, other = connections
    one.begin_with_next("BEGIN IMMEDIATE")
    await _insert(one, 1, 2)
    await one.rollback()
    assert await _numbers(other) == []


async def test_a_short_statement_goes_to_the_thread_only_where_it_may_wait(
    connections: tuple[SqliteConnection, SqliteConnection],
) -> None:
    one, _ = connections
    await one.create_function("thread", 0, threading.get_ident)

    async def runs_here() -> bool:
        cursor = one.cursor()
        await cursor.execute_short("SELECT thread()")
        return bool(await cursor.fetchall() == [(threading.get_ident(),)])

    assert await runs_here()
    one.begin_with_next("BEGIN IMMEDIATE")
    assert not await runs_here()
    assert one.in_transaction
    assert await runs_here()
    await one.rollback()


async def test_a_statement_that_nobody_awaits_any_more_locks_nothing(
    connections: tuple[SqliteConnection, SqliteConnection],
) -> None:
    one, other = connections
    one.begin_with_next("BEGIN IMMEDIATE")
    abandoned = asyncio.create_task(
        one.cursor().execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
            " INSERT INTO number SELECT i FROM n RETURNING value"
        )
    )
    await asyncio.sleep(0)
    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    await one.rollback()
    await _insert(other, 1)
    assert await _numbers(one) == [1]


async def test_one_that_cannot_be_opened_has_nothing_more_to_tell(tmp_path: Path) -> None:
    """A thread that tells a closed loop of its end writes a traceback of it."""
    connection = SqliteConnection(partial(sqlite3.connect, tmp_path / "missing" / "x.db"))
    with pytest.raises(sqlite3.OperationalError):
        await connection
    assert connection._thread_ended is not None
    assert connection._thread_ended.done()

"""A connection to SQLite that goes to its thread once a statement, or not at all.

aiosqlite goes there five times: to make a cursor, to begin, to execute, to fetch, to close. Each time costs
two threads' wake-ups; measured, they were half of what the catalogue costs an upload. Here a statement is
executed, fetched whole and closed in one go, and what begins a transaction goes with its first statement.
What waits, for the disk or for another process that writes, is in the thread: the begin and the commit. A
short statement between them, or one that only reads, does not wait (the log is written ahead, so no writer
keeps a reader waiting), and runs on the event loop.

What the thread does cannot be stopped, so a cancellation is raised when it has ended: whoever goes on with
the connection, or closes it, finds it at rest. A task for each statement would take a quarter of its time.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import aiosqlite


class SqliteConnection(aiosqlite.Connection):
    """What SQLAlchemy's dialect for aiosqlite needs of a connection. ``await`` it to open it."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect, iter_chunk_size=1)
        # A process that ends without closing its connections must not wait for their threads.
        self._thread.daemon = True
        self._thread_ended: asyncio.Future[Any] | None = None
        self._begin = ""

    def stop(self) -> asyncio.Future[Any] | None:
        """Have the thread end."""
        self._thread_ended = super().stop()
        return self._thread_ended

    async def _connect(self) -> aiosqlite.Connection:
        try:
            return await super()._connect()
        except BaseException:
            # It tells the event loop so, which may be closed as soon as whoever could not connect is told.
            if self._thread_ended is not None:
                await self._thread_ended
            raise

    def begin_with_next(self, statement: str) -> None:
        """Run ``statement``, a BEGIN, right before the next one."""
        self._begin = statement

    def cursor(self) -> SqliteCursor:  # type: ignore[override]
        """A cursor for one statement; takes no time."""
        return SqliteCursor(self)

    async def commit(self) -> None:
        """Commit; nothing where nothing ran since the begin."""
        if self._begin:
            self._begin = ""
        else:
            await super().commit()

    async def rollback(self) -> None:
        """Roll back; nothing where nothing ran since the begin, or nothing was begun."""
        if self._begin:
            self._begin = ""
        elif self.in_transaction:
            await super().rollback()

    async def in_thread(self, work: Callable[[sqlite3.Cursor], None]) -> None:
        """Do work with a cursor of its own, which is closed whether or not somebody still waits for it."""
        begin, self._begin = self._begin, ""
        await self._execute(self._with_cursor, work, begin)

    async def at_once(self, work: Callable[[sqlite3.Cursor], None]) -> None:
        """Do the same here and now, except for what waits for other writers: that is never done here."""
        if self._begin:
            await self.in_thread(work)
        else:
            self._with_cursor(work, "")

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self._running or not self._connection:
            raise ValueError("Connection closed")
        done = asyncio.get_running_loop().create_future()
        self._tx.put_nowait((done, partial(fn, *args, **kwargs)))
        cancelled: asyncio.CancelledError | None = None
        while not done.done():
            try:
                await asyncio.shield(done)
            except asyncio.CancelledError as error:
                cancelled = error
            except Exception:
                break
        if cancelled is None:
            return done.result()
        done.exception()
        raise cancelled

    def _with_cursor(self, work: Callable[[sqlite3.Cursor], None], begin: str) -> None:
        cursor = self._conn.cursor()
        try:
            if begin:
                # One that fails, because another process writes, is still to be run before anything else.
                self._begin = begin
                cursor.execute(begin)
                self._begin = ""
            work(cursor)
        finally:
            cursor.close()


class SqliteCursor:
    """One statement's cursor; its rows are there when it has run."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement once."""
        await self._connection.in_thread(partial(self._run, operation, parameters))

    async def execute_short(self, operation: str, parameters: Sequence[Any] = ()) -> None:
        """Run once a statement of microseconds, which is less than the thread's wake-up."""
        await self._connection.at_once(partial(self._run, operation, parameters))

    async def executemany(self, operation: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Run a statement that gives no rows once for each of ``parameters``."""
        await self._connection.in_thread(partial(self._run_many, operation, parameters))

    async def fetchall(self) -> Sequence[Any]:
        """The rows."""
        return self._rows

    async def close(self) -> None:
        """Nothing: it was closed when it had run."""

    def _run(self, operation: str, parameters: Sequence[Any], cursor: sqlite3.Cursor) -> None:
        cursor.execute(operation, parameters)
        self._rows = cursor.fetchall()
        self._note(cursor)

    def _run_many(self, operation: str, parameters: Sequence[Sequence[Any]], cursor: sqlite3.Cursor) -> None:
        cursor.executemany(operation, parameters)
        self._note(cursor)

    def _note(self, cursor: sqlite3.Cursor) -> None:
        self.description = cursor.description
        self.rowcount = cursor.rowcount
        self.lastrowid = cursor.lastrowid

"""Opens the catalogue: the engine for SQLite or PostgreSQL, with what each needs to keep the promises."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import tenacity
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from longshore_storage.errors import Misconfigured

from .asking import ask_before_use
from .catalogue import Catalogue
from .sqlite_connection import SqliteConnection

# Shorter than a lease by default: whoever takes over what another one held must get at its rows.
LONGEST_IDLE_IN_TRANSACTION_S = 10
# How long SQLite waits for another process (an `admin` command beside a server) to finish writing.
_SQLITE_BUSY_TIMEOUT_MS = 10_000
# A deployment is seventy different ones, and the driver keeps 128 if it is not told.
_SQLITE_KEPT_STATEMENTS = 512


def open_catalogue(
    url: str,
    *,
    pool_size: int = 10,
    connect_timeout_s: int = 10,
    idle_in_transaction_s: float = LONGEST_IDLE_IN_TRANSACTION_S,
) -> Catalogue:
    """Open ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST:PORT/NAME``; connects lazily.

    ``pool_size`` bounds PostgreSQL's connections; after ``idle_in_transaction_s`` it ends a writing
    transaction in which nothing happens. Raises ``Misconfigured`` for any other URL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # A port that is none is quoted, and may be a password whose user was forgotten.
        raise Misconfigured(
            "`database.url` is no database URL; write sqlite:///PATH or postgresql://USER@HOST/NAME"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(parsed)
    if backend == "postgresql":
        return _open_postgresql(parsed, pool_size, connect_timeout_s, idle_in_transaction_s)
    raise Misconfigured(
        f"`database.url` names {backend!r}; Longshore keeps its catalogue in sqlite or postgresql"
    )


def _open_sqlite(url: URL) -> Catalogue:
    if not url.database or url.database == ":memory:":
        raise Misconfigured("`database.url` names no file; write sqlite:///PATH")
    if not Path(url.database).parent.is_dir():
        raise Misconfigured(f"the folder of the database {url.database} does not exist")

    async def connect() -> SqliteConnection:
        _made_for_its_owner(url)
        arguments, options = engine.dialect.create_connect_args(url)
        options["cached_statements"] = _SQLITE_KEPT_STATEMENTS
        connection = SqliteConnection(partial(sqlite3.connect, *arguments, **options))
        await connection
        return connection

    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        async_creator=connect,
        pool_size=8,
        max_overflow=8,
        # Each connection prepares a statement for itself and keeps pages of its own.
        pool_use_lifo=True,
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return Catalogue(engine, shown_database_url(url), one_writer=True)


def _made_for_its_owner(url: URL) -> None:
    """Make the file where it is not there: SQLite would let others read it, and what it writes beside it."""
    if not str(url.database).startswith("file:"):
        # What forbids it forbids SQLite the same, which says so.
        with suppress(OSError):
            os.close(os.open(str(url.database), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions are switched off: they begin too late, at the first write.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_SQLITE_BUSY_TIMEOUT_MS}")
    # Of several that open a new database at once, SQLite tells all but one at once that it is locked.
    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_locked),
        wait=tenacity.wait_fixed(0.01),
        stop=tenacity.stop_after_delay(_SQLITE_BUSY_TIMEOUT_MS / 1000),
        reraise=True,
    ):
        with attempt:
            cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _begin_sqlite(connection: Connection) -> None:
    # Reads are promised no more than each statement for itself, so nothing is begun and ended for them.
    options = connection.get_execution_options()
    driver: Any = connection.connection.driver_connection
    if options.get("longshore_writing", True):
        driver.begin_with_next("BEGIN IMMEDIATE")
    elif options.get("longshore_rehearsing"):
        driver.begin_with_next("BEGIN")


def _open_postgresql(
    url: URL, pool_size: int, connect_timeout_s: int, idle_in_transaction_s: float
) -> Catalogue:
    end_idle = f"SET LOCAL idle_in_transaction_session_timeout = {round(1000 * idle_in_transaction_s)}"

    def begin(connection: Connection) -> None:
        # A process that is stopped in the middle of a transaction must not keep its row locks from others.
        # For this transaction only: session state does not go through a pooler.
        if connection.get_execution_options().get("longshore_writing", True):
            connection.exec_driver_sql(end_idle)

    engine: AsyncEngine = create_async_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_recycle=1800,
        pool_timeout=30,
        isolation_level="READ COMMITTED",
        # Server-side prepared statements are session state, which a pooler does not keep.
        connect_args={"prepare_threshold": None, "connect_timeout": connect_timeout_s},
    )
    event.listen(engine.sync_engine, "begin", begin)
    ask_before_use(engine.sync_engine)
    return Catalogue(engine, shown_database_url(url), one_writer=False)


def shown_database_url(url: URL) -> str:
    """For people, without its password and its options, where a password may stand, too."""
    return url.set(query={}).render_as_string(hide_password=True)


if sqlite3.sqlite_version_info < (3, 35):  # RETURNING
    raise ImportError(f"SQLite 3.35 or later is needed, this is {sqlite3.sqlite_version}")

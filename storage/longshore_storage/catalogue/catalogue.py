"""The catalogue: transactions on the one SQL database that is the truth.

Owns connections, how a transaction begins and ends on each database, and the database's clock. What is
read and written inside stands in the modules beside it, one for each kind of row, as functions that take
a ``Transaction``.

Promises, on both databases: a ``transaction`` is atomic; a row locked in it (by the functions named
``lock_…``) is not changed by others until its end; READ COMMITTED is assumed and no more, so whatever must
not be skewed is one conditional UPDATE or happens under a row lock. Rows are locked in one order everywhere:
project, upload, live row, deployment, assignment, activation; and with FOR NO KEY UPDATE, which lets rows
that refer to a locked one be inserted meanwhile. No session state is kept between transactions,
so a pooler may stand before PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import Executable, Row, SelectBase, TextClause, exc, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from longshore_storage.errors import CommitUnknown

from . import migration
from .direct import Answer, run_prepared
from .prepared import Prepared
from .revisions import Revision
from .vendor_errors import translated

R = TypeVar("R")
_FOR_READS = "reading() is for reads: write in a transaction()"


class Transaction:
    """One open transaction. Its methods raise this package's errors, never the vendor's."""

    def __init__(
        self,
        connection: AsyncConnection,
        database: str,
        *,
        reads_only: bool = False,
        timed: Callable[[float], None] | None = None,
    ) -> None:
        self._connection = connection
        self._reads_only = reads_only
        self._timed = timed
        self._database = database
        self._now: datetime | None = None
        self.told: set[str] = set()

    def tells_of(self, deployment_id: str) -> None:
        """Note that a deployment has a new event: who listens to the catalogue hears of it at the end."""
        self.told.add(deployment_id)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._connection.dialect.name

    async def execute(
        self,
        statement: Executable | Prepared,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> Answer:
        """Run a statement. Raises ``ConstraintViolated`` and what ``errors`` names for the rest."""
        begun_s = monotonic()
        answer: Answer
        with translated(self._database):
            if isinstance(statement, Prepared):
                assert statement.reads or not self._reads_only, _FOR_READS
                answer = await run_prepared(self._connection, statement, parameters)
            else:
                # Anything else would be committed at once.
                assert not self._reads_only or isinstance(statement, SelectBase | TextClause), _FOR_READS
                answer = await self._connection.execute(statement, parameters)
        if self._timed is not None:
            self._timed(monotonic() - begun_s)
        return answer

    async def one(
        self, statement: Executable | Prepared, parameters: Mapping[str, Any] | None = None
    ) -> Row[Any] | None:
        """The first row, or None."""
        return (await self.execute(statement, parameters)).first()

    async def all(
        self, statement: Executable | Prepared, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """Every row; the statement bounds how many."""
        return (await self.execute(statement, parameters)).all()

    async def changed(
        self, statement: Executable | Prepared, parameters: Mapping[str, Any] | None = None
    ) -> int:
        """Run an UPDATE or DELETE and tell how many rows it met."""
        return (await self.execute(statement, parameters)).rowcount

    async def now(self) -> datetime:
        """The database's clock in UTC, read once a transaction."""
        if self._now is None:
            if self.dialect == "sqlite":
                # Its clock is this machine's, in milliseconds.
                now = datetime.now(UTC)
                self._now = now.replace(microsecond=now.microsecond // 1000 * 1000)
            else:
                clock = await self.one(select(func.clock_timestamp()))
                assert clock is not None
                self._now = clock[0].astimezone(UTC)
        return self._now


class Catalogue:
    """Opens transactions on one database. Made by ``open_catalogue``."""

    def __init__(self, engine: AsyncEngine, database: str, *, one_writer: bool) -> None:
        self._engine = engine
        # Reads are promised no more than each statement for itself, so nothing is begun and ended for them.
        own: dict[str, Any] = {} if one_writer else {"isolation_level": "AUTOCOMMIT"}
        self._reading = engine.execution_options(longshore_writing=False, **own)
        self._rehearsing = engine.execution_options(longshore_writing=False, longshore_rehearsing=True)
        snapshot: dict[str, Any] = {} if one_writer else {"isolation_level": "REPEATABLE READ"}
        self._snapshot = self._rehearsing.execution_options(**snapshot)
        self._database = database
        # SQLite has one writer; waiting here is fair, waiting in its busy handler is not.
        self._writer: AbstractAsyncContextManager[Any] = asyncio.Lock() if one_writer else nullcontext()
        self._hear: Callable[[str], None] = lambda _: None
        self._timed: Callable[[float], None] | None = None

    def listen(self, hear: Callable[[str], None]) -> None:
        """Let ``hear`` be told, from now on, of each deployment to which an event was written here.

        It is told when the transaction has ended, perhaps without having been committed: look.
        """
        self._hear = hear

    def time_statements(self, timed: Callable[[float], None]) -> None:
        """Let ``timed`` be told, from now on, how many seconds each statement took that succeeded."""
        self._timed = timed

    @property
    def database(self) -> str:
        """The database's address without secrets, for people."""
        return self._database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Read and write; commits at the end of the block, rolls back when it raises.

        Raises ``CommitUnknown`` when the connection broke while committing: find out by reading.
        """
        async with self._writer, self._connection(self._engine, begins=True) as connection:
            transaction = Transaction(connection, self._database, timed=self._timed)
            yield transaction
            try:
                await self._commit(connection)
            finally:
                for deployment_id in transaction.told:
                    self._hear(deployment_id)

    @asynccontextmanager
    async def rehearsing(self) -> AsyncIterator[Transaction]:
        """Whatever is written, temporary tables say, is rolled back at the end; no writer waits for it."""
        async with self._connection(self._rehearsing, begins=True) as connection:
            yield Transaction(connection, self._database, timed=self._timed)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """Read only; takes no lock that a writer would wait for, and each statement sees what is new."""
        async with self._connection(self._reading, begins=False) as connection:
            yield Transaction(connection, self._database, reads_only=True, timed=self._timed)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Transaction]:
        """Read only, and every statement sees the same instant; no writer waits for it."""
        async with self._connection(self._snapshot, begins=True) as connection:
            yield Transaction(connection, self._database, reads_only=True, timed=self._timed)

    async def check(self) -> None:
        """Return when the database answers and has a schema that this version works with; raise otherwise."""
        async with self.reading() as transaction:
            revision = (await transaction.execute(text("SELECT version_num FROM alembic_version"))).scalar()
        migration.check_revision(revision, self._database)

    async def migrate(self, *, contract: bool = False) -> str:
        """Bring the schema to what this version needs and tell its revision; does nothing the second time.

        With ``contract`` also take away what older versions need. None that ``ahead`` would shut out may run.
        """
        async with self._writer:
            return await _to_the_end(self._migrate(contract))

    async def _migrate(self, contract: bool) -> str:
        with translated(self._database):
            async with self._engine.begin() as connection:
                return await connection.run_sync(
                    partial(migration.upgrade, database=self._database, contract=contract)
                )

    async def ahead(self, *, contract: bool) -> Sequence[Revision]:
        """What ``migrate`` would apply, in order."""
        with translated(self._database):
            async with self._engine.connect() as connection:
                name = await connection.run_sync(migration.revision_of)
        return migration.ahead(name, contract=contract)

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _connection(self, engine: AsyncEngine, *, begins: bool) -> AsyncIterator[AsyncConnection]:
        """An open connection; ``begins`` says whether it is to have a transaction."""
        connection = engine.connect()
        try:
            with translated(self._database):
                # A half-open connection would linger, in the driver and in the server, until it is collected.
                await _to_the_end(_open(connection, begins=begins))
            yield connection
        finally:
            # To the end, so that a cancelled caller never leaves a connection checked out.
            await _to_the_end(_give_back(connection))

    async def _commit(self, connection: AsyncConnection) -> None:
        try:
            # A commit under way is not to be torn apart by a cancellation: its outcome would be unknown.
            await _to_the_end(connection.commit())
        except exc.IntegrityError:
            with translated(self._database):
                raise
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise CommitUnknown(f"the connection to {self._database} broke while committing") from error
            with translated(self._database):
                raise


async def _to_the_end(work: Coroutine[Any, Any, R]) -> R:
    """Await ``work`` to its end even when cancelled meanwhile; the cancellation goes on afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as error:
        cancelled = error
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled():
        task.exception()
    raise cancelled


async def _open(connection: AsyncConnection, *, begins: bool) -> None:
    await connection.start()
    if begins:
        await connection.begin()


async def _give_back(connection: AsyncConnection) -> None:
    if connection.sync_connection is None:
        return
    try:
        await connection.close()
    except (exc.DBAPIError, OSError):
        # The transaction's own outcome is known by now; a connection that cannot even be closed is dropped,
        # unless it was on the way: that would hide what ended the transaction, a cancellation say.
        if not connection.closed:
            await connection.invalidate()

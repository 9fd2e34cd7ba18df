"""Running a prepared statement on the driver's own connection, below SQLAlchemy's.

SQLAlchemy keeps the pool, how a transaction begins and ends, and the names of what goes wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Row, exc
from sqlalchemy.ext.asyncio import AsyncConnection

from .prepared import Form, Prepared
from .sqlite_connection import SqliteCursor


class Answer(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows an INSERT, UPDATE or DELETE met."""
        ...

    def first(self) -> Row[Any] | None:
        """The first row, or None."""
        ...

    def all(self) -> Sequence[Row[Any]]:
        """Every row."""
        ...

    def scalar(self) -> Any:
        """What the first row begins with, or None."""
        ...


class DirectAnswer:
    """An answer as the driver gave it."""

    def __init__(self, form: Form, rows: Sequence[Sequence[Any]], rowcount: int) -> None:
        self._form = form
        self._rows = rows
        self.rowcount = rowcount

    def first(self) -> Row[Any] | None:
        """See ``Answer``."""
        return self._form.result(self._rows[:1]).first() if self._rows else None

    def all(self) -> Sequence[Row[Any]]:
        """See ``Answer``."""
        return self._form.result(self._rows).all()

    def scalar(self) -> Any:
        """See ``Answer``."""
        return self._form.result(self._rows[:1]).scalar()


async def run_prepared(
    connection: AsyncConnection,
    statement: Prepared,
    parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
) -> Answer:
    """Run a statement, once for each of ``parameters`` where they are a sequence.

    The connection is open, and its transaction begun where it has one. Raises what SQLAlchemy would.
    """
    dialect = connection.dialect
    form = statement.form(dialect)
    pooled = connection.sync_connection
    assert pooled is not None, "it is open"
    driver: Any = pooled.connection.driver_connection
    try:
        cursor = driver.cursor()
        if parameters is not None and not isinstance(parameters, Mapping) and len(parameters) == 1:
            (parameters,) = parameters
        if parameters is None or isinstance(parameters, Mapping):
            values = form.values(parameters or {})
            is_short = isinstance(cursor, SqliteCursor) and not statement.is_long
            await (cursor.execute_short if is_short else cursor.execute)(form.sql, values)
        else:
            await cursor.executemany(form.sql, [form.values(each) for each in parameters])
        rows = await cursor.fetchall() if cursor.description else ()
        answer = DirectAnswer(form, rows, cursor.rowcount)
        await cursor.close()
    except asyncio.CancelledError:
        # Psycopg closes a connection on which it can take no statement back; the pool is not to mend it.
        if getattr(driver, "closed", False):
            await connection.invalidate()
        raise
    except dialect.loaded_dbapi.Error as error:
        broken = dialect.is_disconnect(error, pooled.connection.dbapi_connection, None)
        if broken:
            await connection.invalidate(error)
        raise exc.DBAPIError.instance(
            form.sql,
            None,
            error,
            dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=broken,
            dialect=dialect,
        ) from error
    return answer

"""Translates what SQLAlchemy and its drivers raise into this package's errors, at one place."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint, exc

from longshore_storage.errors import (
    CatalogueUnavailable,
    ConstraintViolated,
    Misconfigured,
    StorageError,
)

from .tables import metadata

# Classes of SQLSTATE that pass by themselves: connections, resources, operator intervention, and
# transactions that the database itself rolled back (deadlock, serialisation).
_PASSING_SQLSTATE_CLASSES = ("08", "53", "57", "40", "55")


@contextmanager
def translated(database: str) -> Iterator[None]:
    """Raise this package's errors in place of the vendor's; ``database`` names it without secrets."""
    try:
        yield
    except exc.IntegrityError as error:
        raise _constraint_violated(error) from error
    except exc.DBAPIError as error:
        raise _fault(error, database) from error
    except exc.TimeoutError as error:
        raise CatalogueUnavailable(f"no free connection to the database {database}") from error
    except (OSError, psycopg.OperationalError) as error:
        raise CatalogueUnavailable(f"the database {database} cannot be reached: {error}") from error


def _fault(error: exc.DBAPIError, database: str) -> StorageError:
    vendor = error.orig
    if isinstance(vendor, psycopg.OperationalError) and vendor.sqlstate is None:
        return _refused_connection(vendor, database)
    if isinstance(vendor, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return _lacking(database)
    if isinstance(vendor, psycopg.errors.LockNotAvailable):
        return CatalogueUnavailable(
            f"somebody who is at work in the database {database} keeps what this waits for: try again"
        )
    if isinstance(vendor, psycopg.errors.InsufficientPrivilege):
        return Misconfigured(
            f"the user of `database.url` may not do this in the database {database}: {_first_line(vendor)}"
        )
    if isinstance(vendor, psycopg.Error):
        state = vendor.sqlstate
        if state is None or state[:2] in _PASSING_SQLSTATE_CLASSES:
            return CatalogueUnavailable(f"the database {database} does not answer: {_first_line(vendor)}")
    if isinstance(vendor, sqlite3.OperationalError):
        text = str(vendor)
        if "no such table" in text or "no such column" in text:
            return _lacking(database)
        if "unable to open" in text and _no_file_is_left():
            return CatalogueUnavailable(
                f"this process may open no more files, the database {database} neither"
            )
        if "unable to open" in text or "readonly" in text:
            return Misconfigured(f"the database {database} cannot be opened for writing: {text}")
        return CatalogueUnavailable(f"the database {database} gave up: {text}")
    if error.connection_invalidated:
        return CatalogueUnavailable(f"the connection to the database {database} broke")
    return StorageError(f"the database {database} refused a statement: {_first_line(vendor)}")


def _no_file_is_left() -> bool:
    """SQLite does not tell why it cannot open a file."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False


def _lacking(database: str) -> Misconfigured:
    return Misconfigured(
        f"the database {database} lacks tables or columns: run `longshore admin migrate`, or upgrade this "
        "server where a later version has taken them away"
    )


def _refused_connection(error: psycopg.OperationalError, database: str) -> StorageError:
    # While connecting, libpq passes on the server's words but not its SQLSTATE.
    text = str(error)
    if "authentication failed" in text or ("role " in text and "does not exist" in text):
        return Misconfigured(f"the database {database} refuses the user or password of `database.url`")
    if "database " in text and "does not exist" in text:
        return Misconfigured(f"the database {database} does not exist: create it, or mend `database.url`")
    return CatalogueUnavailable(f"the database {database} does not answer: {_first_line(error)}")


def _constraint_violated(error: exc.IntegrityError) -> ConstraintViolated:
    vendor = error.orig
    if isinstance(vendor, psycopg.Error):
        foreign = isinstance(vendor, psycopg.errors.ForeignKeyViolation | psycopg.errors.RestrictViolation)
        name = vendor.diag.constraint_name or ""
        return ConstraintViolated(_first_line(vendor), constraint=name, foreign_key=foreign)
    text = str(vendor)
    return ConstraintViolated(text, constraint=_sqlite_constraint(text), foreign_key="FOREIGN KEY" in text)


def _sqlite_constraint(text: str) -> str:
    """Find the name of a unique constraint; SQLite tells only its columns, as ``table.a, table.b``."""
    kind, _, columns = text.partition(" constraint failed: ")
    if kind == "CHECK":
        return columns
    if kind != "UNIQUE":
        return ""
    names = [column.split(".") for column in columns.split(", ") if "." in column]
    table = metadata.tables.get(names[0][0]) if names else None
    if table is None:
        return ""
    wanted = [name[1] for name in names]
    for index in sorted(table.indexes, key=lambda index: index.name or ""):
        if index.unique and [column.name for column in index.columns] == wanted:
            return index.name or ""
    for constraint in table.constraints:
        if not isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            continue
        if [column.name for column in constraint.columns] == wanted:
            return str(constraint.name or "")
    return ""


def _first_line(error: BaseException | None) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

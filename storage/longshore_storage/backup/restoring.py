"""Restoring a backup, in one transaction: whatever happens meanwhile, the database is the one or the other.

Every table is filled, those too that only say how far chores are: the database is what it was in that
instant. So an object that was condemned since is named again by its row, and nothing condemns it any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import delete, func, insert, literal, select, text

from longshore_storage.catalogue import Catalogue, Transaction, revisions, tables
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import BackupUnusable, ConstraintViolated

from .cells import bound, decoder
from .file import BackupHeader, BackupReader, Batch, reading
from .taking import Tell

# Whoever is still connected is told of, rather than waited for.
_LOCK_TIMEOUT_MS: Final = 10_000


def check_backup(path: Path) -> BackupHeader:
    """Read a backup to its end; tells what stands at its head.

    Raises ``BackupUnusable`` for one that is damaged, or that this version's schema does not fit.
    """
    with reading(path) as reader:
        _check_schema(path, reader.header)
        for batch in reader.batches():
            _rows(path, batch)
        _check_whole(path, reader)
        return reader.header


async def is_empty(transaction: Transaction) -> bool:
    """Whether no table of a database has a row."""
    for table in tables.metadata.sorted_tables:
        if await transaction.one(select(literal(1)).select_from(table).limit(1)) is not None:
            return False
    return True


async def restore(
    catalogue: Catalogue, path: Path, *, replace: bool, actor: Actor, tell: Tell = lambda *_: None
) -> BackupHeader:
    """Make a migrated database what the backup at ``path`` tells; nothing is changed unless all of it is.

    ``replace`` removes what is there before; ``actor`` stands in the audit trail, behind the backup's part
    of it. No node may use the database meanwhile. Raises
    ``BackupUnusable``, also for a database with rows where ``replace`` is not set, and what the database
    raises.
    """
    async with catalogue.transaction() as transaction:
        if not (replace or await is_empty(transaction)):
            raise BackupUnusable(
                f"the database {catalogue.database} is not empty: restore into a new one, or add --replace"
            )
        with reading(path) as reader:
            _check_schema(path, reader.header)
            async with _without_triggers(transaction):
                if replace:
                    await _clear(transaction)
                try:
                    for batch in reader.batches():
                        await _insert(transaction, path, batch)
                        rows = sum(reader.rows.values())
                        tell(len(reader.rows), len(tables.metadata.tables), f"{rows} rows")
                except ConstraintViolated as error:
                    raise BackupUnusable(f"{path} is no backup that Longshore took: {error}") from error
            _check_whole(path, reader)
        await _count_on(transaction)
        await record_audit(
            transaction,
            actor,
            "database.restored",
            message=f"from a backup of {reader.header.time.isoformat()}",
        )
    return reader.header


@asynccontextmanager
async def _without_triggers(transaction: Transaction) -> AsyncIterator[None]:
    """Let the block write what triggers keep from whoever does not own the tables."""
    if transaction.dialect == "postgresql":
        await transaction.execute(text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}"))
        for table in tables.metadata.sorted_tables:
            await transaction.execute(text(f'ALTER TABLE "{table.name}" DISABLE TRIGGER USER'))
        yield
        for table in tables.metadata.sorted_tables:
            await transaction.execute(text(f'ALTER TABLE "{table.name}" ENABLE TRIGGER USER'))
        return
    triggers = await transaction.all(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
    for trigger in triggers:
        await transaction.execute(text(f'DROP TRIGGER "{trigger.name}"'))
    yield
    for trigger in triggers:
        await transaction.execute(text(trigger.sql.replace(":", "\\:")))


async def _clear(transaction: Transaction) -> None:
    ordered = tables.metadata.sorted_tables
    if transaction.dialect == "postgresql":
        await transaction.execute(text("TRUNCATE " + ", ".join(f'"{table.name}"' for table in ordered)))
        return
    for table in reversed(ordered):
        await transaction.execute(delete(table))


async def _insert(transaction: Transaction, path: Path, batch: Batch) -> None:
    table = tables.metadata.tables[batch.table]
    values = {column.name: bound(column, transaction.dialect) for column in _columns(path, batch)}
    await transaction.execute(insert(table).values(values), _rows(path, batch))


def _rows(path: Path, batch: Batch) -> Sequence[dict[str, Any]]:
    """The rows as parameters of their insert."""
    decoders = [(f"new_{column.name}", decoder(column)) for column in _columns(path, batch)]
    try:
        return [
            {name: decode(value) for (name, decode), value in zip(decoders, row, strict=True)}
            for row in batch.rows
        ]
    except ValueError as error:
        raise BackupUnusable(f"{path} is damaged: table {batch.table}: {error}") from None


def _columns(path: Path, batch: Batch) -> Sequence[Any]:
    table = tables.metadata.tables.get(batch.table)
    if table is None or sorted(batch.columns) != sorted(table.columns.keys()):
        raise BackupUnusable(
            f"{path} has a table {batch.table[:80]!r} that this version's schema does not have"
        )
    return [table.columns[name] for name in batch.columns]


def _check_schema(path: Path, header: BackupHeader) -> None:
    needed = revisions.needed().name
    if header.schema != needed:
        raise BackupUnusable(
            f"{path} was written by Longshore {header.server_version[:40]}, with schema "
            f"{header.schema[:40]!r}; this version has {needed!r}: restore it with that version, then run "
            "`longshore admin migrate` with this one"
        )


def _check_whole(path: Path, reader: BackupReader) -> None:
    if missing := tables.metadata.tables.keys() - reader.rows.keys():
        raise BackupUnusable(f"{path} lacks tables: {', '.join(sorted(missing))}")


async def _count_on(transaction: Transaction) -> None:
    """Have numbers that count up by themselves go on behind the highest; SQLite does by itself."""
    if transaction.dialect != "postgresql":
        return
    for table in tables.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        found = await transaction.one(
            select(
                (func.coalesce(func.max(column), 0) + 1).label("next"),
                func.pg_get_serial_sequence(table.name, column.name).label("sequence"),
            )
        )
        assert found is not None
        # Unlike setval() it is undone with the transaction.
        await transaction.execute(text(f"ALTER SEQUENCE {found.sequence} RESTART WITH {found.next}"))

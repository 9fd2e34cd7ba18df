"""Taking a backup: all rows of one instant, while nodes go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy import Row, Table, select, text, tuple_

from longshore_storage.catalogue import Catalogue, Transaction, migration, revisions, tables
from longshore_storage.collecting.ownership import catalogue_id

from .cells import encoder, selected
from .file import BackupHeader, BackupWriter, writing

_FIRST_PAGE: Final = 16
_LARGEST_PAGE: Final = 2000
# Rows are of a hundred bytes or of a megabyte: pages grow and shrink with what they come to.
_PAGE_BYTES: Final = 1 << 20

Tell: TypeAlias = Callable[[int, int, str], None]
"""Is told how many tables are done, of how many, and a few words."""


async def back_up(
    catalogue: Catalogue, path: Path, *, server_version: str, tell: Tell = lambda *_: None
) -> BackupHeader:
    """Write a backup of every table to the new file ``path``; tells what stands at its head.

    Raises ``Misconfigured`` for a database of another schema, ``OSError`` and what the database raises; then
    there is no file.
    """
    with writing(path) as writer:
        async with catalogue.snapshot() as transaction:
            if transaction.dialect == "postgresql":
                # Rows that its user may not see are an error, rather than left out.
                await transaction.execute(text("SET LOCAL row_security = off"))
            revision = (await transaction.execute(text("SELECT version_num FROM alembic_version"))).scalar()
            migration.check_whole(revision, catalogue.database)
            header = BackupHeader(
                schema=revisions.needed().name,
                catalogue=await catalogue_id(transaction),
                time=await transaction.now(),
                server_version=server_version,
                database=transaction.dialect,
            )
            writer.header(header)
            ordered = tables.metadata.sorted_tables
            for done, table in enumerate(ordered):
                async for rows in _write_table(transaction, table, writer):
                    tell(done, len(ordered), f"{rows} rows")
    return header


async def _write_table(transaction: Transaction, table: Table, writer: BackupWriter) -> AsyncIterator[int]:
    """Write all rows, page by page; tells how many there are in the file by now."""
    columns = list(table.columns)
    encoders = [encoder(column) for column in columns]
    key = list(table.primary_key.columns)
    places = [columns.index(column) for column in key]
    writer.table(table.name, [column.name for column in columns])
    statement = select(*map(selected, columns)).order_by(*key)
    limit, after = _FIRST_PAGE, None
    while True:
        page: Sequence[Row[Any]] = await transaction.all(
            (statement if after is None else statement.where(tuple_(*key) > tuple_(*after))).limit(limit)
        )
        size_bytes = 0
        for row in page:
            values = [encode(value) for encode, value in zip(encoders, row, strict=True)]
            size_bytes += writer.row(values)
        yield sum(writer.rows.values())
        if len(page) < limit:
            return
        after = [page[-1][place] for place in places]
        limit = min(limit * 2, _LARGEST_PAGE) if size_bytes < _PAGE_BYTES else max(limit // 2, 1)

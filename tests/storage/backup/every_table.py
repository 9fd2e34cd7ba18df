"""Rows in every table that there is, whatever tables there will be."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    Table,
    Text,
    cast,
    func,
    insert,
    null,
    select,
)

from longshore_storage.catalogue import Catalogue, append_only, tables
from longshore_storage.catalogue.columns import UtcTime

BEGUN = datetime(2026, 1, 31, 23, 59, 59, 123456, UTC)


async def fill(catalogue: Catalogue, rows: int = 3) -> None:
    """Put rows into every table: NULL and ``null``, wide numbers, odd letters, bytes."""
    made: dict[str, list[dict[str, Any]]] = {}
    async with catalogue.transaction() as transaction, append_only.lifted(transaction):
        for table in tables.metadata.sorted_tables:
            made[table.name] = [_row(table, number, made) for number in range(rows)]
            for row in made[table.name]:
                await transaction.execute(insert(table).values(row))
        if transaction.dialect == "postgresql":
            last = select(func.max(tables.audit_entry.c.id)).scalar_subquery()
            await transaction.execute(select(func.setval("audit_entry_id_seq", last)))


async def all_rows(catalogue: Catalogue) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, JSON as its text."""
    found = {}
    async with catalogue.reading() as transaction:
        for table in tables.metadata.sorted_tables:
            columns = [cast(each, Text) if isinstance(each.type, JSON) else each for each in table.columns]
            rows = await transaction.all(select(*columns))
            found[table.name] = sorted((tuple(row) for row in rows), key=repr)
    return found


def _row(table: Table, number: int, made: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    row = {column.name: _value(table, column, number) for column in table.columns}
    for constraint in table.foreign_key_constraints:
        parent = made[constraint.referred_table.name][number]
        for column, element in zip(constraint.columns, constraint.elements, strict=True):
            row[column.name] = parent[element.column.name]
    return row


def _value(table: Table, column: Column[Any], number: int) -> Any:
    if column.nullable and number == 1:
        return null()
    if isinstance(column.type, JSON):
        return None if number == 2 else {"list": [1.5, None, True], "text": "ü\u2028'\"\\"}
    if isinstance(column.type, UtcTime):
        return BEGUN + timedelta(seconds=number)
    if isinstance(column.type, Boolean):
        return bool(number % 2)
    if isinstance(column.type, LargeBinary):
        return bytes([number, 0, 255, 10]) * 8
    if isinstance(column.type, Integer):
        # Above what a double keeps, where there is room.
        return number + 1 + ((1 << 53) if column.type.__visit_name__ == "big_integer" else 0)
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            allowed = re.match(rf"{column.name} IN \('([^']*)'", str(constraint.sqltext))
            if allowed:
                return allowed[1]
    return f"{column.name} {number} ü\u2028'\"\\"

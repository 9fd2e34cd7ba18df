"""What a revision that expands may not do: all that servers built before it rely on is still there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, inspect, text

_VALUE = re.compile(r"'(?:[^']|'')*'")
_TRIGGERS = {
    "sqlite": "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": (
        "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger "
        "WHERE NOT tgisinternal"
    ),
}


@dataclass(slots=True)
class _Table:
    """What there is by name: ``strict`` refuses rows, ``plain`` does not."""

    columns: dict[str, tuple[str, bool, str | None]] = field(default_factory=dict)
    strict: dict[str, str] = field(default_factory=dict)
    plain: dict[str, str] = field(default_factory=dict)


Shape = Mapping[str, _Table]


def shape_of(connection: Connection) -> Shape:
    """Everything that a database has, as it says itself."""
    # One question about all tables, where there is one, and not hundreds.
    found, tables = inspect(connection), dict[str, _Table]()
    columns, indexes = found.get_multi_columns(), found.get_multi_indexes()
    keys, foreigns = found.get_multi_pk_constraint(), found.get_multi_foreign_keys()
    uniques, checks = found.get_multi_unique_constraints(), found.get_multi_check_constraints()
    for name in found.get_table_names():
        table, place = tables.setdefault(name, _Table()), (None, name)
        for column in columns[place]:
            table.columns[column["name"]] = (str(column["type"]), column["nullable"], column["default"])
        table.strict["the primary key"] = str(keys[place]["constrained_columns"])
        for unique in uniques[place]:
            table.strict[str(unique["name"])] = f"UNIQUE {unique['column_names']}"
        for foreign in foreigns[place]:
            told = {part: foreign.get(part) for part in ("constrained_columns", "referred_table", "options")}
            table.strict[str(foreign["name"])] = f"FOREIGN KEY {told}"
        for check in checks[place]:
            table.strict[str(check["name"])] = check["sqltext"]
        for index in indexes[place]:
            where = {option: str(value) for option, value in index.get("dialect_options", {}).items()}
            kind = table.strict if index["unique"] else table.plain
            kind[str(index["name"])] = f"INDEX {index['column_names']} {where}"
    for name, trigger, words in connection.execute(text(_TRIGGERS[connection.dialect.name])):
        tables[name].strict[trigger] = words
    return tables


def broken(before: Shape, after: Shape) -> list[str]:
    """What older servers would trip over, in words."""
    return [f"{name}: {what}" for name in before for what in _broken(before[name], after.get(name))]


def _broken(before: _Table, after: _Table | None) -> Iterator[str]:
    if after is None:
        yield "the table is gone"
        return
    for name, column in before.columns.items():
        if name not in after.columns:
            yield f"column {name} is gone"
        elif after.columns[name] != column:
            yield f"column {name} was {column}, is {after.columns[name]}"
    for name, (_, nullable, default) in after.columns.items():
        if name not in before.columns and not nullable and default is None:
            yield f"column {name} is new, and rows without it are refused"
    for name, words in {**before.strict, **before.plain}.items():
        now = {**after.strict, **after.plain}.get(name)
        if now is None:
            yield f"{name} is gone"
        elif now != words and not _admits_more(words, now):
            yield f"{name} was {words}, is {now}"
    yield from (f"{name} is new: {after.strict[name]}" for name in after.strict.keys() - before.strict.keys())


def _admits_more(before: str, now: str) -> bool:
    """Whether a CHECK admits all the values that it did, and others."""
    values: list[set[Any]] = [set(_VALUE.findall(words)) for words in (before, now)]
    skeletons = {re.sub(r"\s*,\s*|''::[a-z ]+", "", _VALUE.sub("''", words)) for words in (before, now)}
    skeletons = {re.sub(r"('')+", "''", words) for words in skeletons}
    return bool(values[0]) and values[0] < values[1] and len(skeletons) == 1

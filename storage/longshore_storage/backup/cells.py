"""One value of a row, between a database and a line of a backup, so that both databases read it alike."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, ColumnElement, Integer, LargeBinary, Text, bindparam, cast

from longshore_storage.catalogue.columns import UtcTime


def selected(column: Column[Any]) -> ColumnElement[Any]:
    """What is read of a column; of JSON its text, in which NULL and ``null`` are two things."""
    return cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column


def bound(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    """What is written into a column; the parameter is ``new_`` and its name."""
    if not isinstance(column.type, JSON):
        return bindparam(f"new_{column.name}", type_=column.type)
    text = bindparam(f"new_{column.name}", type_=Text())
    # SQLite keeps JSON as text, and would make a number of what is cast to it.
    return text if dialect == "sqlite" else cast(text, JSON)


def encoder(column: Column[Any]) -> Callable[[Any], Any]:
    """Makes what JSON can tell of a value that was read."""
    if isinstance(column.type, UtcTime):
        return lambda value: None if value is None else value.isoformat()
    if isinstance(column.type, LargeBinary):
        return lambda value: None if value is None else b64encode(value).decode()
    return lambda value: value


def decoder(column: Column[Any]) -> Callable[[Any], Any]:
    """Makes a value to be written of what stood in a backup. Raises ``ValueError``."""
    types, decode = _told_as(column)

    def decoded(value: Any) -> Any:
        if value is None and column.nullable:
            return None
        # A bool is an int to Python.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ValueError(f"{column}: a value of another type")
        return decode(value)

    return decoded


def _told_as(column: Column[Any]) -> tuple[tuple[type, ...], Callable[[Any], Any]]:
    match column.type:
        case UtcTime():
            return (str,), _time
        case LargeBinary():
            return (str,), lambda value: b64decode(value, validate=True)
        case Boolean():
            return (bool,), bool
        case Integer():
            return (int,), int
    return (str,), str


def _time(value: str) -> datetime:
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time

"""Takes fields out of a mapping as long as they have the right type.

A wrong type counts as not written: the shape's check has told about it, and the other rules go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from .document import JsonValue

Fields: TypeAlias = Mapping[str, JsonValue]
Pointer: TypeAlias = tuple[str | int, ...]
"""Where something stands in a document: keys and indices from its root."""


def text(fields: Fields, key: str, most: int | None = None) -> str:
    """A text, or the empty one; no more than its first ``most`` characters."""
    value = fields.get(key)
    return value[:most] if isinstance(value, str) else ""


def mapping(fields: Fields, key: str) -> Fields | None:
    """A mapping, or None."""
    value = fields.get(key)
    return value if isinstance(value, dict) else None


def items(fields: Fields, key: str) -> list[JsonValue]:
    """A list, or the empty one."""
    value = fields.get(key)
    return value if isinstance(value, list) else []


def texts(value: JsonValue, most: int | None = None, most_characters: int | None = None) -> tuple[str, ...]:
    """The texts of a list, cut to ``most_characters``; of no more than its first ``most`` items."""
    if not isinstance(value, list):
        return ()
    return tuple(each[:most_characters] for each in value[:most] if isinstance(each, str))

"""Takes the fields out of a mapping that only workflows have, as long as they have the right type."""

from __future__ import annotations

from longshore_bundles.documents import JsonValue
from longshore_bundles.documents.fields import Fields

from .model import Count, Publish, Seconds

NOTHING: Fields = {}


def count(fields: Fields, key: str) -> Count | None:
    """A whole number or an expression; a number like ``2.0`` is one, as JSON Schema has it."""
    value = fields.get(key)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def seconds(fields: Fields, key: str) -> Seconds | None:
    """A number or an expression."""
    value = fields.get(key)
    return value if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None


def published(value: JsonValue) -> Publish:
    """What is published: written as a mapping, or as a list of mappings."""
    parts = value if isinstance(value, list) else [value]
    return tuple(pair for part in parts if isinstance(part, dict) for pair in part.items())

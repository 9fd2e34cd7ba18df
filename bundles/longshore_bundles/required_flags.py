"""Schemas in which each value says itself whether it is required, as JSON Schemas of today.

StackStorm writes ``required: true`` in the schema of a parameter or a setting, and of what is inside it, as
draft 3 of JSON Schema did; since draft 4 the object that holds them lists their names.
"""

from __future__ import annotations

from collections.abc import Mapping

from .documents import JsonValue

_FLAG = "required"
_SCHEMAS_BY_NAME = ("properties", "patternProperties")
_SCHEMAS = ("items", "additionalProperties", "allOf", "anyOf", "oneOf", "not")
"""Hold a schema, or a list of them."""


def flags_as_lists(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """``schema`` without its own flag, and with the flags inside it as lists of names."""
    made: dict[str, JsonValue] = {}
    for key, value in schema.items():
        if key in _SCHEMAS_BY_NAME and isinstance(value, dict):
            made[key] = {name: _converted(each) for name, each in value.items()}
        elif key in _SCHEMAS:
            made[key] = [_converted(each) for each in value] if isinstance(value, list) else _converted(value)
        elif key != _FLAG or not isinstance(value, bool):
            made[key] = value
    properties = schema.get("properties")
    if _FLAG not in made and isinstance(properties, dict) and (names := required_names(properties)):
        made[_FLAG] = names
    return made


def required_names(schemas: Mapping[str, JsonValue]) -> list[JsonValue]:
    """The names whose schemas have the flag."""
    return [name for name, each in schemas.items() if isinstance(each, dict) and each.get(_FLAG) is True]


def _converted(value: JsonValue) -> JsonValue:
    return flags_as_lists(value) if isinstance(value, dict) else value

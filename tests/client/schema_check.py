"""Checks values against the JSON Schemas that the command line prints, without their leniency."""

from __future__ import annotations

from datetime import datetime
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
}
_KEYWORDS = {
    *("$schema", "$defs", "$ref", "title", "description", "anyOf", "enum", "const", "type", "format"),
    *("properties", "required", "additionalProperties", "items"),
}


class Violation(Exception):
    """A value that its schema does not allow."""


def check(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, at: str = "$") -> None:
    """Raises ``Violation``, also for a field that the schema does not name."""
    root = root or schema
    assert schema.keys() <= _KEYWORDS, schema.keys() - _KEYWORDS
    if "$ref" in schema:
        check(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    if "anyOf" in schema:
        _check_any(value, schema["anyOf"], root, at)
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        raise Violation(f"{at}: {value!r} is none of the values")
    if "type" in schema:
        fits = isinstance(value, _TYPES[schema["type"]])
        if not fits or (isinstance(value, bool) and schema["type"] != "boolean"):
            raise Violation(f"{at}: {value!r} is no {schema['type']}")
    if schema.get("format") == "date-time":
        assert str(value).endswith("Z")
        datetime.fromisoformat(value)
    if isinstance(value, list) and schema:
        for number, each in enumerate(value):
            check(each, schema["items"], root, f"{at}[{number}]")
    if isinstance(value, dict) and schema.get("type") == "object":
        _check_fields(value, schema, root, at)


def _check_any(value: Any, schemas: list[dict[str, Any]], root: dict[str, Any], at: str) -> None:
    violations = []
    for schema in schemas:
        try:
            check(value, schema, root, at)
        except Violation as violation:
            violations.append(str(violation))
        else:
            return
    raise Violation(" / ".join(violations))


def _check_fields(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> None:
    properties = schema.get("properties", {})
    if missing := set(schema.get("required", ())) - value.keys():
        raise Violation(f"{at}: lacks {sorted(missing)}")
    for name, each in value.items():
        if name not in properties and "additionalProperties" not in schema:
            raise Violation(f"{at}: has {name}, which is not described")
        check(each, properties.get(name, schema.get("additionalProperties")), root, f"{at}.{name}")

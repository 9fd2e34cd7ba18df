"""Whether a value that does not fit would, if its author had written it in quotes, or without them."""

from __future__ import annotations

import re

from longshore_bundles.documents.yaml_scalars import plain_value

from .vocabulary import Schema


def quotes_hint(value: object, part: Schema) -> str:
    """What to do about the quotes of a value that breaks a part of a schema; empty where that is no help."""
    if isinstance(value, str):
        return ": take the quotes off" if _fits(plain_value(value), part) else ""
    if isinstance(value, (bool, int, float)):
        return ": write it in quotes" if _fits(str(value).lower(), part) else ""
    return ""


def _fits(value: object, part: Schema) -> bool:
    types = part.get("type", ())
    types = (types,) if isinstance(types, str) else types
    match value:
        case bool():
            return "boolean" in types
        case int() | float():
            is_number = "number" in types or ("integer" in types and value == int(value))
            return is_number and part.get("minimum", value) <= value <= part.get("maximum", value)
        case str():
            is_long = len(value) > part.get("maxLength", len(value))
            return "string" in types and not is_long and re.search(part.get("pattern", ""), value) is not None
        case _:
            return False

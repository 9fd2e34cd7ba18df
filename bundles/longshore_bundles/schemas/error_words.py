"""What a validator found wrong, in our own words: what it is about, what stands there, what must."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from longshore_bundles.findings import printable

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}


def type_words(types: Iterable[str]) -> str:
    """Types of JSON, any of which will do."""
    return " or ".join(dict.fromkeys(_TYPES[each] for each in types))


def rule_words(kind: Any) -> str:
    """The end of a sentence "it must be …" for a rule of a schema that was broken."""
    match kind.name:
        case "enum":
            return "one of " + ", ".join(repr(option) for option in kind.options)
        case "const":
            return repr(kind.expected_value)
        case "minimum":
            return f"at least {kind.limit}"
        case "maximum":
            return f"at most {kind.limit}"
        case "exclusiveMinimum":
            return f"above {kind.limit}"
        case "minLength" | "minItems" | "minProperties" if kind.limit == 1:
            return "there, not empty"
        case "maxLength":
            return f"at most {kind.limit} characters"
        case "maxItems" | "maxProperties":
            return f"of at most {kind.limit} entries"
        case "uniqueItems":
            return "without repetitions"
        case "type":
            return type_words(kind.types)
        case _:
            return f"as {kind.name} {kind.value} has it"


def pointer_words(pointer: Sequence[str | int]) -> str:
    """Where it is, as people write it: ``tasks[2].retry.count``, counted from 0 as programs do."""
    text = ""
    for step in pointer:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return printable(text)


def value_words(value: object) -> str:
    """What stands there, in short."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case str() if not value:
            return "empty"
        case str():
            return repr(printable(value[:100]))
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
        case _:
            return str(value)[:100]

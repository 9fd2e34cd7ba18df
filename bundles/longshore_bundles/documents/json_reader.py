"""Reads JSON as RFC 8259 has it: no duplicate keys, no ``NaN``, bounded in size and depth."""

from __future__ import annotations

import json
import math

from longshore_bundles.findings import Finding, FindingLog, Severity, quoted

from .decoding import MAX_DOCUMENT_BYTES, DocumentRefused, decoded, writable
from .document import MAX_DEPTH, Document, JsonValue
from .json_places import Duplicate, find_duplicates, find_places

# More of them tell nobody more.
_MOST_DUPLICATES = 1000


def read_json(
    data: bytes, path: str, log: FindingLog, *, max_bytes: int = MAX_DOCUMENT_BYTES
) -> Document | None:
    """Read one JSON document; ``path`` is the file's, for the findings.

    None when it cannot be read, for a reason that is then in ``log``. A key that is there twice is an
    error, and the last of its values counts.
    """
    try:
        text = decoded(data, max_bytes)
        value, duplicates = _parsed(text)
    except DocumentRefused as refused:
        refused.note(path, log)
        return None
    for twice in duplicates:
        message = (
            f"the key {quoted(twice.key)} stands in line {twice.first_line} already: keep one of the two"
        )
        log.add(Finding("KEY_DUPLICATE", Severity.ERROR, message, path, twice.line))
    return Document(value, path, lambda: find_places(text))


def _parsed(text: str) -> tuple[JsonValue, list[Duplicate]]:
    has_duplicates = False

    def to_object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        nonlocal has_duplicates
        found = dict(pairs)
        has_duplicates |= len(found) < len(pairs)
        return found

    if not text.strip():
        raise DocumentRefused("DOCUMENT_EMPTY", "the file holds nothing: write it, or remove it")
    try:
        value: JsonValue = json.loads(
            text, object_pairs_hook=to_object, parse_constant=_refused_constant, parse_float=_finite
        )
        duplicates = find_duplicates(text)[:_MOST_DUPLICATES] if has_duplicates else []
    except json.JSONDecodeError as error:
        raise DocumentRefused("JSON_INVALID", f"this is no JSON: {error.msg}", error.lineno) from None
    except ValueError:
        raise DocumentRefused("JSON_INVALID", "a number has too many digits: shorten it") from None
    except RecursionError:
        raise _too_deep() from None
    _check(value)
    return value, duplicates


def _refused_constant(name: str) -> JsonValue:
    raise DocumentRefused("JSON_INVALID", f"this is no JSON: {name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise DocumentRefused("JSON_INVALID", f"the number {text[:40]} is too large: shorten it")
    return number


def _check(root: JsonValue) -> None:
    """Hold depth and texts against what the rest of the program can take."""
    level: list[JsonValue] = [root]
    for _ in range(MAX_DEPTH + 1):
        below: list[JsonValue] = []
        for value in level:
            if isinstance(value, str):
                writable(value)
            elif isinstance(value, dict):
                for key in value:
                    writable(key)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        if not below:
            return
        level = below
    raise _too_deep()


def _too_deep() -> DocumentRefused:
    return DocumentRefused(
        "DOCUMENT_TOO_DEEP", f"lists and objects are nested more than {MAX_DEPTH} deep: flatten them"
    )

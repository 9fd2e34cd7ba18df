"""What a scalar of YAML stands for, as far as JSON can hold it.

Booleans are those of YAML 1.1 (``yes``, ``on``), because the packs of other systems are written so. Numbers
are what YAML 1.1 and 1.2 agree on: what they read differently (``0644``, ``1:30``, ``1_000``, ``1e3``), and
what JSON has no word for (dates, ``.inf``), is text as written.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from longshore_bundles.findings import printable

from .decoding import DocumentRefused, writable
from .document import JsonValue

_MAX_NUMBER_CHARACTERS = 40
_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_TRUE = frozenset(["true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"])
_FALSE = frozenset(["false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"])
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)\.[0-9]*)(?:[eE][-+][0-9]+)?")

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = (None, "!", f"{_TAG}str")
_TAGS_BY_TYPE: dict[type, tuple[str, ...]] = {
    type(None): (f"{_TAG}null",),
    bool: (f"{_TAG}bool",),
    int: (f"{_TAG}int", f"{_TAG}float"),
    float: (f"{_TAG}float",),
}


def plain_value(text: str) -> JsonValue:
    """The value of a scalar that is written without quotes."""
    return text if len(text) > _MAX_NUMBER_CHARACTERS else _short_value(text)


@lru_cache(maxsize=4096)
def _short_value(text: str) -> JsonValue:
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if not text.isascii():
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 16 if text.startswith("0x") else 10)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def tagged_value(text: str, tag: str | None, line: int) -> JsonValue:
    """The value of a scalar that is written with quotes, as a block, or with a tag.

    Raises ``DocumentRefused`` for a tag that JSON has no value for, and for text that it cannot hold.
    """
    if tag in _TEXT_TAGS:
        return writable(text, line)
    value = plain_value(text)
    if tag in _TAGS_BY_TYPE.get(type(value), ()):
        return value
    raise DocumentRefused(
        "YAML_UNSUPPORTED",
        f"the tag {printable(str(tag))!r} does not make {printable(text)!r} a value that JSON has: remove it",
        line,
    )

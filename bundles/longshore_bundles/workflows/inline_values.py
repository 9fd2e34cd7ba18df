"""Values that orquesta lets one write in one line: ``core.local cmd="ls -l"``, ``a=<% ctx(b) %> c=1``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from longshore_bundles.documents import JsonValue

from .model import Publish

_NAME = re.compile(r"\s*(\w+)=")
_ENDS = {'"': '"', "'": "'", "<%": "%>", "{{": "}}"}
_WORD = re.compile(r"\S*")


def inline_action(text: str) -> tuple[str, dict[str, JsonValue]]:
    """An action and the inputs behind it."""
    written = text.strip()
    action, _, inputs = written.partition(" ")
    if not is_expression(action) and _NAME.match(inputs):
        return action, dict(inline_values(inputs))
    return written, {}


def inline_values(text: str) -> Publish:
    """The names and values of a text, as far as it has this form; quotes are taken off."""
    values: list[tuple[str, JsonValue]] = []
    position = 0
    # Known beforehand, so that what never ends is not searched for again and again.
    last_ends = {begin: text.rfind(end) for begin, end in _ENDS.items()}
    while found := _NAME.match(text, position):
        value, position = _value(text, found.end(), last_ends)
        values.append((found[1], value))
    return tuple(values)


def is_expression(text: str) -> bool:
    """Whether a text is an expression, of YAQL or Jinja, or has one in it."""
    return "<%" in text or "{{" in text


def _value(text: str, start: int, last_ends: Mapping[str, int]) -> tuple[str, int]:
    """The value that begins at ``start``, and where it ends."""
    for begin, end in _ENDS.items():
        if text.startswith(begin, start) and last_ends[begin] >= start + len(begin):
            closed = text.index(end, start + len(begin))
            stop = closed + len(end)
            return (text[start + 1 : closed] if len(begin) == 1 else text[start:stop]), stop
    word = _WORD.match(text, start)
    assert word is not None
    return word[0], word.end()

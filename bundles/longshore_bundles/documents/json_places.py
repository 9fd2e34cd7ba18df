"""Where in a JSON text everything stands. Looked for only when somebody asks, as parsing does not tell."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from .document import MAX_DEPTH, Place, line_of, moved

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s{}\[\],:"]+|\n')


def find_places(text: str) -> Place:
    """The places in a text that is known to be valid JSON and not nested too deeply."""
    tokens = _Tokens(text)
    return _value(tokens, tokens.next(), 0)


class Duplicate(NamedTuple):
    """A key that its object has already; ``depth`` is how many lists and objects that object is inside."""

    key: str
    line: int
    first_line: int
    depth: int


def find_duplicates(text: str) -> list[Duplicate]:
    """The keys of a valid JSON text that are there twice, in their order. Raises ``RecursionError``.

    That is for more levels than a document may have: a value that another of its key has taken the place of
    is in no document, and nothing has looked how deep it goes.
    """
    tokens = _Tokens(text)
    _value(tokens, tokens.next(), 0)
    return tokens.duplicates


class _Tokens:
    """The tokens one after another, without commas and colons, and the line each stands in."""

    def __init__(self, text: str) -> None:
        self._found = _TOKEN.finditer(text)
        self.line = 1
        self.duplicates: list[Duplicate] = []

    def next(self) -> str:
        for match in self._found:
            if match[0] != "\n":
                return match[0]
            self.line += 1
        return ""


def _value(tokens: _Tokens, first: str, depth: int) -> Place:
    line = tokens.line
    if depth > MAX_DEPTH + 1:
        raise RecursionError
    if first == "[":
        items: list[Place] = []
        while (token := tokens.next()) != "]":
            items.append(_value(tokens, token, depth + 1))
        return line, items
    if first == "{":
        fields: dict[str, Place] = {}
        while (token := tokens.next()) != "}":
            key_line, key = tokens.line, json.loads(token)
            if key in fields:
                tokens.duplicates.append(Duplicate(key, key_line, line_of(fields[key]), depth))
            fields[key] = moved(_value(tokens, tokens.next(), depth + 1), key_line)
        return line, fields
    return line

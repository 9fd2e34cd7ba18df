"""Where in a JSON text everything stands. Looked for only when somebody asks, as parsing does not tell."""

from __future__ import annotations

import json
import re

from .document import Place, moved

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s{}\[\],:"]+|\n')


def find_places(text: str) -> Place:
    """The places in a text that is known to be valid JSON and not nested too deeply."""
    tokens = _Tokens(text)
    return _value(tokens, tokens.next())


class _Tokens:
    """The tokens one after another, without commas and colons, and the line each stands in."""

    def __init__(self, text: str) -> None:
        self._found = _TOKEN.finditer(text)
        self.line = 1

    def next(self) -> str:
        for match in self._found:
            if match[0] != "\n":
                return match[0]
            self.line += 1
        return ""


def _value(tokens: _Tokens, first: str) -> Place:
    line = tokens.line
    if first == "[":
        items: list[Place] = []
        while (token := tokens.next()) != "]":
            items.append(_value(tokens, token))
        return line, items
    if first == "{":
        fields: dict[str, Place] = {}
        while (key := tokens.next()) != "}":
            key_line = tokens.line
            fields[json.loads(key)] = moved(_value(tokens, tokens.next()), key_line)
        return line, fields
    return line

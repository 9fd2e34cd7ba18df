"""Where everything that the contract declares stands in the pages, and links to it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from .contract import File

_WELL_KNOWN = "google.protobuf."
_WELL_KNOWN_PAGE = "https://protobuf.dev/reference/protobuf/google.protobuf/#"


class Names:
    """The names of services, rpcs, messages, enums and error reasons. Raises ``ValueError`` for two alike."""

    def __init__(self, files: Sequence[File]) -> None:
        self._places: dict[str, tuple[str, str]] = {}
        self._rpcs: set[str] = set()
        self._other_values: set[str] = set()
        self._users: dict[str, list[str]] = defaultdict(list)
        for file in files:
            self._note(file)

    def _note(self, file: File) -> None:
        for service in file.services:
            self._place(service.name, file)
            for method in service.methods:
                self._place(method.name, file)
                self._rpcs.add(method.name)
        for message in file.messages:
            self._place(message.name, file)
            for used in {name: None for field in message.fields for name in field.types}:
                self._users[used].append(message.name)
        for enum in file.enums:
            self._place(enum.name, file)
            for value in enum.values:
                if enum.tells_errors:
                    self._place(enum.short(value), file)
                else:
                    self._other_values.add(enum.short(value))

    def _place(self, name: str, file: File) -> None:
        place = (file.page, name.lower())
        if place in self._places.values():
            raise ValueError(f"{name}: something else in {file.path} has the same anchor")
        self._places[name] = place

    def users(self, name: str) -> list[str]:
        """The messages with a field of this type."""
        return [user for user in self._users[name] if user != name]

    def link(self, name: str, *, page: str) -> str:
        """A link from a page to what has this name."""
        target, anchor = self._places[name]
        return f"[{name}]({'' if target == page else target}#{anchor})"

    def type(self, name: str, *, page: str) -> str:
        """A field's type: linked, where it is no scalar."""
        if name in self._places:
            return self.link(name, page=page)
        if name.startswith(_WELL_KNOWN):
            short = name.removeprefix(_WELL_KNOWN)
            anchor = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", short).lower()
            return f"[{short}]({_WELL_KNOWN_PAGE}{anchor})"
        return f"`{name}`"

    def linked(self, comment: str, *, page: str, within: str = "") -> str:
        """A comment with the names in it linked, but for its own (``within``) and for inline code."""

        def link(found: re.Match[str]) -> str:
            word = found[0]
            return self.link(word, page=page) if word != within and self._is_meant(word) else word

        return "".join(
            piece if piece.startswith("`") else re.sub(r"\b[A-Z][A-Za-z_]+\b", link, piece)
            for piece in re.split(r"(`[^`]+`)", comment)
        )

    def _is_meant(self, word: str) -> bool:
        """Whether a word in prose means what is declared; `Node` at the beginning of a sentence does not."""
        if word not in self._places:
            return False
        if word.isupper():
            return word not in self._other_values
        return word in self._rpcs or re.search(r"[a-z][A-Z]", word) is not None

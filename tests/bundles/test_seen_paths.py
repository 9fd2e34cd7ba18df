"""The paths of an archive against a plain list of them; and how much work one is, however it is made."""

from __future__ import annotations

import sys
import unicodedata
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore_bundles import entry_rules
from longshore_bundles.entry_rules import EntryKind, SeenPaths, case_folded_path
from longshore_bundles.errors import EntryRefused

# Letters that differ in case, grow when they are folded, compose with what follows, or change their order.
LETTERS: Final = "aAéeÉßſKİıΣς\u0301\u0327\u0345\u0338ff한\u1100\u1161\u11a8／∕"
NAMES: Final = st.text(LETTERS, min_size=1, max_size=3)
ANY_NAMES: Final = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1)
PATHS: Final = st.lists(st.sampled_from(["a", "A", "é", "e\u0301", "É", "b"]), min_size=1, max_size=4).map(
    "/".join
)
KINDS: Final = st.sampled_from([EntryKind.FILE, EntryKind.DIRECTORY, EntryKind.LINK])


class Plain:
    """What ``SeenPaths`` does, by folding every directory above every entry."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, EntryKind]] = {}

    def add(self, path: str, kind: EntryKind) -> int:
        parts = path.split("/")
        implied = sum(self._add("/".join(parts[:end]), EntryKind.DIRECTORY) for end in range(1, len(parts)))
        self._add(path, kind)
        return implied

    def _add(self, path: str, kind: EntryKind) -> bool:
        folded = whole_folded(path)
        if folded not in self.known:
            self.known[folded] = path, kind
            return True
        exact, known = self.known[folded]
        if exact != path:
            raise EntryRefused("CASE_COLLISION", path)
        if (known is EntryKind.DIRECTORY) is not (kind is EntryKind.DIRECTORY):
            raise EntryRefused("PATH_CONFLICT", path)
        if kind is not EntryKind.DIRECTORY:
            raise EntryRefused("PATH_DUPLICATE", path)
        return False


def whole_folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def told(seen: SeenPaths | Plain, path: str, kind: EntryKind) -> int | str:
    try:
        return seen.add(path, kind)
    except EntryRefused as error:
        return error.reason


@given(st.lists(NAMES | ANY_NAMES, min_size=1))
def test_names_fold_by_themselves(names: list[str]) -> None:
    path = "/".join(names)
    assert case_folded_path(path) == whole_folded(path) == "/".join(map(case_folded_path, names))


def test_no_character_becomes_a_slash_or_joins_one() -> None:
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        if character != "/" and not 0xD800 <= number < 0xE000:
            assert whole_folded(f"e/{character}/e") == f"e/{whole_folded(character)}/e"
            assert "/" not in whole_folded(character)


@given(st.lists(st.tuples(PATHS, KINDS), max_size=30))
def test_finds_what_a_plain_list_finds(entries: list[tuple[str, EntryKind]]) -> None:
    seen, plain = SeenPaths(), Plain()
    for path, kind in entries:
        assert told(seen, path, kind) == told(plain, path, kind), (path, kind)
    for path, _ in entries:
        is_file = plain.known.get(whole_folded(path)) == (path, EntryKind.FILE)
        assert seen.is_file(path) is is_file


def test_deep_paths_are_not_folded_level_by_level(monkeypatch: pytest.MonkeyPatch) -> None:
    folded = 0

    def counting(path: str) -> str:
        nonlocal folded
        folded += len(path)
        return case_folded_path(path)

    monkeypatch.setattr(entry_rules, "case_folded_path", counting)
    seen = SeenPaths()
    deep = "/".join(["é" * 10] * 90)
    for number in range(100):
        # Each in another directory, and in one that is there, by turns.
        seen.add(f"{deep}/{number}/f", EntryKind.FILE)
        seen.add(f"{deep}/f{number}", EntryKind.FILE)
    assert folded < 201 * (len(deep) + 10)

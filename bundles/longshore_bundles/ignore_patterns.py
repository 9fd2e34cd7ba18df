"""What the lines of an ignore file leave out, as git reads them (its ``dir.c`` and ``wildmatch.c``).

The last line that matches a path decides. A path is asked about only where none of the directories above it
is left out, as git does it too: so a line is matched against the path alone, and never against what it is in.

A character is one of Unicode, where git counts bytes (``?`` stands for ``é``), and a line that could never
match anything is refused, where git passes over it: whoever wrote it believes that it leaves something out.

Lines of one kind that follow each other are one expression of RE2, whose time is bounded by the length of a
path and of the lines, where that of Python's own grows by the power of the stars.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import re2

Ignored = Callable[[str], bool]
"""Says of a path from the walked directory on (a directory's with its slash) whether it is left out."""

_LONGEST_PATTERN = 1000
# So long an expression always is one that RE2 takes, and what it learns of it fits into the memory that it
# may use: from four times the length on it learns anew with every path, which takes twenty times as long.
_LONGEST_PIECE = 4 << 10
_MAX_PIECE_BYTES = 4 << 20
_SET_ITEM = r"\\.|\[:[a-z]+:\]|[^\]\\]"
_TOKEN = re.compile(
    r"\\(?P<escaped>.)|(?P<stars>\*+)|(?P<any>\?)"
    rf"|\[(?P<negated>[!^]?)(?P<set>(?>\]|{_SET_ITEM})(?:{_SET_ITEM})*+)\]"
    r"|(?P<literal>[^\\*?\[]+)",
    re.DOTALL,
)
# Those of RE2's kinds that have it.
_WITHOUT_SLASH = {
    "[:ascii:]": r"\x00-.0-\x7f",
    "[:graph:]": r"!-.0-~",
    "[:print:]": r" -.0-~",
    "[:punct:]": r"!-.:-@\[-`{-~",
}
_IN_A_SET = re.compile(r"\\(?P<escaped>.)|(?P<kind>\[:[a-z]+:\])|(?P<range>(?!^)-)|(?P<literal>.)", re.DOTALL)


class _Rule(NamedTuple):
    """A line: whether it leaves out or keeps, what, and whether that is a name or a path from the root on."""

    ignores: bool
    is_name: bool
    regex: str


def ignoring(lines: Sequence[str]) -> Ignored:
    """What the lines leave out.

    Raises ``ValueError`` with the number of the first line that is no pattern.
    """
    pieces = [
        (ignores, _compiled(_either(piece)))
        for ignores, run in groupby(_rules(lines), key=lambda rule: rule.ignores)
        for piece in _pieces(run)
    ][::-1]

    def is_ignored(path: str) -> bool:
        # A name that is no UTF-8 is refused by whoever walks, if it is not left out.
        text = os.fsencode(path).decode("utf-8", "replace")
        return next((ignores for ignores, regex in pieces if regex.fullmatch(text)), False)

    return is_ignored


def _rules(lines: Sequence[str]) -> Iterator[_Rule]:
    for number, line in enumerate(lines, start=1):
        pattern = _without_spaces(line.removesuffix("\r"))
        if not pattern or pattern.startswith("#"):
            continue
        if len(pattern) > _LONGEST_PATTERN:
            raise ValueError(f"line {number} is longer than {_LONGEST_PATTERN:,} characters")
        try:
            yield _rule(pattern)
        except (ValueError, re2.error):
            raise ValueError(f"line {number} is no pattern") from None


def _without_spaces(line: str) -> str:
    """The line without the spaces at its end; the first of them stays where a backslash says so."""
    stripped = line.rstrip(" ")
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if backslashes % 2 and len(stripped) < len(line) else stripped


def _rule(pattern: str) -> _Rule:
    glob = pattern.removeprefix("!")
    if not glob:
        raise ValueError("it says nothing")
    slash = "/" if glob.endswith("/") else "/?"
    glob = glob.removesuffix("/")
    is_name = "/" not in glob
    *folders, name = glob.removeprefix("/").split("/")
    regex = "".join("(?:.+/)?" if _is_any_depth(folder) else _segment(folder) + "/" for folder in folders)
    regex += (".+" if _is_any_depth(name) else _segment(name)) + slash
    return _Rule(not pattern.startswith("!"), is_name, regex)


def _is_any_depth(segment: str) -> bool:
    return len(segment) > 1 and not segment.strip("*")


def _segment(glob: str) -> str:
    """The expression for a part of a path. Raises ``ValueError`` or ``re2.error`` if there is none."""
    if glob == "*":
        return "[^/]+"
    regex = ""
    end = 0
    while end < len(glob):
        token = _TOKEN.match(glob, end)
        if token is None:
            raise ValueError("a bracket is left open, or nothing follows a backslash")
        end = token.end()
        if token["stars"]:
            regex += "[^/]*"
        elif token["any"]:
            regex += "[^/]"
        elif token["set"]:
            regex += _set(token["set"], is_negated=bool(token["negated"]))
        else:
            regex += re2.escape(token["escaped"] or token["literal"])
    return regex


def _set(items: str, *, is_negated: bool) -> str:
    found = list(_IN_A_SET.finditer(items))
    regex, at = "", 0
    while at < len(found):
        item = found[at]
        at += 1
        if item["kind"]:
            regex += _WITHOUT_SLASH.get(item["kind"], item["kind"])
        elif at + 1 < len(found) and found[at]["range"] and not found[at + 1]["kind"]:
            regex += _range(_character(item), _character(found[at + 1]))
            at += 2
        else:
            regex += re2.escape(_character(item))
    regex = f"[^/{regex}]" if is_negated else f"[{regex}]"
    # Of all that a line can hold only this can be refused; alone, so that its line is known.
    _compiled(regex)
    return regex


def _character(item: re.Match[str]) -> str:
    return item["escaped"] or item["literal"] or item["range"]


def _range(first: str, last: str) -> str:
    """A range without the slash, which no set matches."""
    if not first <= "/" <= last:
        return f"{re2.escape(first)}-{re2.escape(last)}"
    return "".join(
        f"{re2.escape(low)}-{re2.escape(high)}" for low, high in ((first, "."), ("0", last)) if low <= high
    )


def _pieces(rules: Iterable[_Rule]) -> Iterator[list[_Rule]]:
    piece: list[_Rule] = []
    length = 0
    for rule in rules:
        length += len(rule.regex)
        if piece and length > _LONGEST_PIECE:
            yield piece
            piece, length = [], len(rule.regex)
        piece.append(rule)
    if piece:
        yield piece


def _either(rules: Sequence[_Rule]) -> str:
    names = "|".join(rule.regex for rule in rules if rule.is_name)
    paths = [rule.regex for rule in rules if not rule.is_name]
    return "|".join([f"(?:.+/)?(?:{names})", *paths] if names else paths)


def _compiled(regex: str) -> Any:
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    options.max_mem = _MAX_PIECE_BYTES
    return re2.compile(regex, options)

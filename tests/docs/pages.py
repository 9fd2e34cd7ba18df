"""The pages as their readers meet them: headings with anchors, links, tables, code blocks and inline code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`|<code>(.+?)</code>")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_ANCHOR = re.compile(r'<a id="([^"]+)">')


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    language: str
    text: str


class Page:
    """One page in Markdown; its name is its path from the root on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.relative_to(ROOT).as_posix()
        self._text = path.read_text()
        self._prose = _FENCE.sub("", self._text)

    @cached_property
    def blocks(self) -> list[Block]:
        return [Block(language, text) for language, text in _FENCE.findall(self._text)]

    @cached_property
    def inline_code(self) -> list[str]:
        return [quoted or tagged for quoted, tagged in _INLINE.findall(self._prose)]

    @cached_property
    def links(self) -> list[str]:
        return _LINK.findall(_INLINE.sub("", self._prose))

    @cached_property
    def anchors(self) -> set[str]:
        """Of every heading, as GitHub makes them, and those that are written out."""
        of_headings = {
            re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
            for heading in _HEADING.findall(self._prose)
        }
        return of_headings | set(_ANCHOR.findall(self._prose))

    def table(self, first_column: str) -> list[list[str]]:
        """The rows, without the header, of the table whose first column has this name."""
        lines = self._prose.splitlines()
        begin = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_column} |"))
        rows = []
        for line in lines[begin + 2 :]:
            if not line.startswith("|"):
                break
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        return rows


def pages() -> Iterator[Page]:
    """Every page that a reader of the repository is pointed to."""
    for path in (*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))):
        yield Page(path)


def page(name: str) -> Page:
    return Page(ROOT / name)


def unquoted(cell: str) -> str:
    """A cell that holds one piece of inline code, maybe with a remark in brackets behind it."""
    found = re.fullmatch(r"`([^`]+)`(?: \([^)]*\))?", cell)
    assert found is not None, f"{cell!r} is no inline code"
    return found[1]

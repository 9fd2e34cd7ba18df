"""Tables that fit the terminal: less important columns go first, then the widest text is cut.

Elsewhere (a pipe, a file) nothing is left out and nothing is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import click

from .wording import cell_width, safe, shortened, wrapped

_Row = TypeVar("_Row")
_GAP = "  "
_LEAST_FLEXIBLE_WIDTH = 12


@dataclass(frozen=True, slots=True)
class Column(Generic[_Row]):
    """One column: its heading, its text, and what may happen to it where room is short.

    ``importance`` 0 stays always; the highest number goes first. ``flexible`` text may be cut. A ``remark``
    is there only when it is about some row.
    """

    heading: str
    text: Callable[[_Row], str]
    importance: int = 0
    flexible: bool = False
    right: bool = False
    remark: bool = False
    color: Callable[[_Row], str | None] | None = None


def draw(columns: Sequence[Column[_Row]], rows: Sequence[_Row], *, width: int | None) -> list[str]:
    """The lines of a table: a heading, and one for each row."""
    drawn = [_DrawnColumn(column, [safe(column.text(row)) for row in rows]) for column in columns]
    drawn = [each for each in drawn if not each.column.remark or any(each.texts)]
    if width is not None:
        drawn = _fitting(drawn, width)
    if not drawn[-1].column.right:
        drawn[-1].padded = False
    lines = [_GAP.join(click.style(column.heading(), bold=True) for column in drawn)]
    for index, row in enumerate(rows):
        lines.append(_GAP.join(column.cell(index, row) for column in drawn).rstrip())
    return lines


class Fact(NamedTuple):
    """Something known about one thing; ``text`` is empty where it is not."""

    name: str
    text: str
    color: str | None = None


def draw_facts(facts: Sequence[Fact], *, width: int | None) -> list[str]:
    """The lines of what is known about one thing: names, and beside them texts, made safe, that wrap."""
    known = [fact for fact in facts if fact.text]
    longest = max(len(fact.name) for fact in known)
    lines = []
    for name, text, color in known:
        texts = [safe(text)] if width is None else wrapped(safe(text), max(width - longest - len(_GAP), 10))
        for index, each in enumerate(texts):
            head = click.style((name if index == 0 else "").ljust(longest), bold=True)
            lines.append(f"{head}{_GAP}{click.style(each, fg=color, bold=True) if color else each}")
    return lines


class _DrawnColumn(Generic[_Row]):
    """A column with the texts of its rows, and the width it has come down to."""

    def __init__(self, column: Column[_Row], texts: Sequence[str]) -> None:
        self.column = column
        self.texts = texts
        self.width = max(map(cell_width, [column.heading, *texts]))
        self.padded = True

    def least_width(self, floor: int = _LEAST_FLEXIBLE_WIDTH) -> int:
        if not self.column.flexible:
            return self.width
        return min(self.width, max(floor, cell_width(self.column.heading)))

    def heading(self) -> str:
        return self._padded(self.column.heading)

    def cell(self, index: int, row: _Row) -> str:
        text = self._padded(shortened(self.texts[index], self.width))
        color = self.column.color(row) if self.column.color else None
        return click.style(text, fg=color) if color and text.strip() else text

    def _padded(self, text: str) -> str:
        padding = " " * (self.width - cell_width(text)) if self.padded else ""
        return padding + text if self.column.right else text + padding


def _fitting(columns: list[_DrawnColumn[_Row]], width: int) -> list[_DrawnColumn[_Row]]:
    """The columns that fit into ``width``, with flexible ones made as narrow as needed."""
    shown = list(columns)

    def overflow(widths: Iterable[int]) -> int:
        return sum(widths) + len(_GAP) * (len(shown) - 1) - width

    while overflow(column.least_width() for column in shown) > 0:
        least = max(shown, key=lambda column: column.column.importance)
        if least.column.importance == 0:
            break
        shown.remove(least)
    # A heading's width is left to every column only where nothing else helps.
    for floor in (_LEAST_FLEXIBLE_WIDTH, 0):
        while (surplus := overflow(column.width for column in shown)) > 0:
            widest = max(shown, key=lambda column: column.width - column.least_width(floor))
            room = widest.width - widest.least_width(floor)
            if room == 0:
                break
            widest.width -= min(room, surplus)
    return shown

"""A table on a terminal that changes in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

from .tables import Column, draw

_Row = TypeVar("_Row")

_REFRESHED_A_SECOND: Final = 2


def live_table(
    columns: Callable[[int], Sequence[Column[_Row]]], rows: Callable[[], Sequence[_Row]], *, nothing: str
) -> Live:
    """Show ``rows`` as they are, while the block runs, in the columns for a width; ``nothing`` without any.

    Both are called in another thread.
    """
    console = Console(highlight=False, markup=False, emoji=False)

    def table() -> Text:
        shown = rows()[: console.height - 2]
        if not shown:
            return Text(nothing, "dim")
        lines = draw(columns(console.width), shown, width=console.width)
        return Text("\n").join(map(Text.from_ansi, lines))

    return Live(
        console=console,
        get_renderable=table,
        refresh_per_second=_REFRESHED_A_SECOND,
        vertical_overflow="crop",
    )

"""What a person sees: a line for every step, with its time, and on a terminal what is under way.

Piped, it is the same lines, without colours and without anything that moves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

_NAME_WIDTH = 12


class Step:
    """One step; ``found`` is what there is to know about it once it is done."""

    def __init__(self) -> None:
        self.found = ""


class Screen:
    """Writes to standard output."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, name: str, doing: str) -> Iterator[Step]:
        """Show ``doing`` while the block runs, and then a line about the step; none when it failed."""
        step = Step()
        started = time.monotonic()
        with self._console.status(Text(f"{name}: {doing}", style="dim")):
            yield step
        took = f"{time.monotonic() - started:.1f} s"
        self._line(("  ✓ ", "green"), f"{name:<{_NAME_WIDTH}}", step.found, (f"  {took}", "dim"))

    def say(self, line: str) -> None:
        """One line of news."""
        self._line(f"  {line}")

    def title(self, line: str) -> None:
        """One line that begins something."""
        self._line()
        self._line((line, "bold"))

    def table(self, rows: Sequence[tuple[str, str]]) -> None:
        """Names, and beside each what goes with it."""
        for name, text in rows:
            self._line(f"  {name:<{_NAME_WIDTH}}", (text, "cyan"))

    def bad(self, line: str) -> None:
        """One line about what went wrong."""
        self._line(("  ✗ ", "red"), line)

    def _line(self, *pieces: str | tuple[str, str]) -> None:
        self._console.print(Text.assemble(*pieces))

"""How results are printed: for people, for programs, or next to nothing."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import click

from .options import OutputFormat
from .printing import print_object
from .tables import Column, Fact, draw, draw_facts
from .wording import safe

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Printer:
    """How the results of one command are printed: for people, for programs, or next to nothing.

    ``quiet`` leaves only what a script goes on with: an id, a version, a name, a path. ``width`` is what
    tables have to fit into, None for any.
    """

    output: OutputFormat
    quiet: bool
    plain: bool
    width: int | None

    @property
    def for_people(self) -> bool:
        """Whether results are sentences and tables."""
        return self.output is OutputFormat.TABLE and not self.quiet

    @property
    def for_programs(self) -> bool:
        """Whether results are objects."""
        return self.output is not OutputFormat.TABLE

    def print_object(self, value: object) -> None:
        """Print one object for programs."""
        print_object(value, self.output)

    def result(self, value: object, *, sentence: str = "", name: str = "") -> None:
        """Print one result: its object, its ``sentence``, or what a script goes on with, its ``name``.

        Both may hold what a server says: they are one line, safe for a terminal.
        """
        if self.for_programs:
            self.print_object(value)
        elif text := safe(name if self.quiet else sentence):
            click.echo(text)

    async def rows(
        self,
        rows: AsyncIterable[_Row],
        columns: Sequence[Column[_Row]],
        *,
        name: Callable[[_Row], str],
        nothing: str,
    ) -> None:
        """Print rows as a table, or one object or one ``name`` a line as they come; ``nothing`` to people."""
        if self.for_programs or self.quiet:
            async for row in rows:
                self.result(row, name=name(row))
            return
        listed = [row async for row in rows]
        if not listed:
            click.echo(nothing, err=True)
        else:
            self.table(columns, listed)

    def table(self, columns: Sequence[Column[_Row]], rows: Sequence[_Row]) -> None:
        """Print rows as a table."""
        for line in draw(columns, rows, width=self.width):
            click.echo(line)

    def facts(self, facts: Sequence[Fact]) -> None:
        """Print what is known about one thing, a line for each fact that is not empty."""
        for line in draw_facts(facts, width=self.width):
            click.echo(line)

"""Numbers that options take: no larger than what a call can carry, and no seconds without an end."""

from __future__ import annotations

import math
from typing import Any, Final

import click

LARGEST_COUNT: Final = 2**31 - 1
LARGEST_SIZE: Final = 2**63 - 1


class Count(click.IntRange):
    """So many of something: ``least`` or more, ``most`` at most."""

    def __init__(self, least: int, most: int = LARGEST_COUNT) -> None:
        # Nobody comes near the most: help is silent about it.
        super().__init__(least)
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; fails the command for another."""
        number: int = super().convert(value, param, ctx)
        return at_most(number, self._most)


class Seconds(click.FloatRange):
    """A time in seconds: 0 or more, ``most`` at most where that is given."""

    def __init__(self, most: float | None = None) -> None:
        super().__init__(0, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds; fails the command for what is no time, or has no end."""
        seconds: float = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


def at_most(number: int, most: int) -> int:
    """The number. Raises ``click.BadParameter`` for a larger one than ``most``."""
    if number > most:
        raise click.BadParameter(f"{number} is more than {most}")
    return number

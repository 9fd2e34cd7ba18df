"""How far a long command is: a bar on a terminal, else a plain line now and then, both on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import click

_LINE_EVERY_S = 10.0

Tell: TypeAlias = Callable[[int, int, str], None]
"""Takes how much is done by now, of how much, and a few words."""


@contextmanager
def meter(label: str) -> Iterator[Tell]:
    """Show how far the block is."""
    if sys.stderr.isatty():
        with click.progressbar(
            length=1, label=label, file=sys.stderr, item_show_func=lambda words: words
        ) as bar:

            def move(done: int, total: int, words: str) -> None:
                bar.length = max(total, done, 1)
                bar.update(done - bar.pos, words)

            yield move
        return
    told_at = time.monotonic()

    def say(done: int, total: int, words: str) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _LINE_EVERY_S:
            told_at = time.monotonic()
            click.echo(f"{label}: {done * 100 // max(total, done, 1)} %, {words}", err=True)

    yield say

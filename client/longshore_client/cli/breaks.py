"""What is said while a connection is broken: what is wrong once, and again at intervals that grow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from longshore_client.errors import LongshoreError, ProgressCompacted

from .wording import duration, safe

_FIRST_AGAIN_S: Final = 10.0
_LONGEST_AGAIN_S: Final = 600.0
# Tries follow one another faster: what was not heard for so long is over.
_OVER_S: Final = 45.0
_MOST_REMEMBERED: Final = 20


@dataclass(slots=True)
class _Told:
    """One line: since when it holds, when it was heard and told last, and in how long it is told again."""

    since_s: float
    heard_s: float
    told_s: float
    again_s: float = _FIRST_AGAIN_S


class Breaks:
    """The breaks of one connection, as they are told."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._told: dict[str, _Told] = {}

    def over(self) -> None:
        """The connection works: what breaks it next is new."""
        self._told.clear()

    def line(self, error: LongshoreError | None, server: str = "") -> str | None:
        """What is said now, if anything; ``server`` is where it is tried again, where that is known."""
        words, now_s = broken_words(error, server), self._clock_s()
        told = self._told.get(words)
        if told is None or now_s - told.heard_s > _OVER_S:
            if len(self._told) >= _MOST_REMEMBERED:
                self._told.clear()
            self._told[words] = _Told(now_s, now_s, now_s)
            return words
        told.heard_s = now_s
        if now_s - told.told_s < told.again_s:
            return None
        told.told_s, told.again_s = now_s, min(2 * told.again_s, _LONGEST_AGAIN_S)
        return f"{words}, for {duration(now_s - told.since_s)} now"


def broken_words(error: LongshoreError | None, server: str = "") -> str:
    """What is said when a connection broke; ``server`` is where it is tried again, where that is known."""
    if isinstance(error, ProgressCompacted):
        return "older events were compacted: of those behind the last number the changes of status are left"
    what = safe(error.message) if error else "the connection broke"
    return f"{what}; trying again" + (f" at {server}" if server and server not in what else "")

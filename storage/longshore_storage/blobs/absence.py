"""Whether somebody who failed is left out for now, so that not every request waits for him in vain."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# Shorter than a person takes to look, longer than all the requests of a batch take to fail.
_AWAY_S: Final = 10.0


class Absence:
    """One server's. After a while a single request looks whether it is back, and the others wait for that."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until_s: float | None = None

    @property
    def noted(self) -> bool:
        """Whether there was a failure, and no answer since."""
        return self._until_s is not None

    def lasts(self) -> bool:
        """Whether to ask somebody else; False makes the caller the one who looks."""
        if self._until_s is None:
            return False
        now_s = self._clock()
        if now_s < self._until_s:
            return True
        self._until_s = now_s + _AWAY_S
        return False

    def begin(self) -> bool:
        """Note a failure; True when it is the first one."""
        first = self._until_s is None
        self._until_s = self._clock() + _AWAY_S
        return first

    def end(self) -> bool:
        """Note an answer; True when there was a failure before."""
        absent = self.noted
        self._until_s = None
        return absent

"""How much one transaction takes: as much as is done in a moment, so that nobody waits long behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# A server's own writes wait for about this long, on a database with one writer.
_TARGET_S = 0.25


class Pace:
    """A number of rows that grows while batches are quick and shrinks when they are slow."""

    def __init__(self, first: int, *, most: int) -> None:
        self.limit = first
        self._most = most

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Run a batch of ``limit`` rows and learn from how long it takes."""
        begun = time.monotonic()
        yield
        took_s = time.monotonic() - begun
        if took_s < _TARGET_S / 2:
            self.limit = min(self.limit * 2, self._most)
        elif took_s > _TARGET_S:
            self.limit = max(int(self.limit * _TARGET_S / took_s), 1)

"""Whose turn it is of a hook's pushes: one is deployed at a time, and one waits for that, the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class LastTurn:
    """The turns of one hook."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._last = 0
        self._busy = False

    @asynccontextmanager
    async def of(self, number: int) -> AsyncIterator[bool]:
        """Wait for a turn, which lasts as long as the block; False at once where there is a later one.

        Pushes are numbered as they come.
        """
        async with self._changed:
            self._last = max(self._last, number)
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._last > number or not self._busy)
            if has_come := self._last == number:
                self._busy = True
        try:
            yield has_come
        finally:
            if has_come:
                async with self._changed:
                    self._busy = False
                    self._changed.notify_all()

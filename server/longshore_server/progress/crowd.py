"""Those who wait for the same news: woken in turn, a few at a time.

Ten thousand tasks that are ready at once would keep everything else on the event loop waiting for most of a
second, the reading of the next news included. Who wakes the crowd never waits, and who leaves it leaves
nothing behind.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Final

_WOKEN_AT_ONCE: Final = 64


class Crowd:
    """Followers of one thing. Who waits is woken by the next ``wake``, perhaps without news: look again."""

    def __init__(self) -> None:
        # In the order in which they began to wait: who waited longest comes first.
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._due = 0
        self._waking: asyncio.Task[None] | None = None

    async def wait(self) -> None:
        """Return after the next ``wake``; what was looked at before, without a pause, is not missed."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        try:
            await turn
        finally:
            self._waiting.pop(turn, None)

    def wake(self) -> None:
        """Wake all who wait now."""
        self._due = len(self._waiting)
        if self._waking is None and self._wake_some():
            self._waking = asyncio.create_task(self._wake_the_rest())

    def close(self) -> None:
        """Wake nobody any more."""
        if self._waking is not None:
            self._waking.cancel()

    async def _wake_the_rest(self) -> None:
        try:
            due = True
            while due:
                await asyncio.sleep(0)
                due = self._wake_some()
        finally:
            self._waking = None

    def _wake_some(self) -> bool:
        """Wake the next few; tells whether others are due."""
        turns = list(islice(self._waiting, min(self._due, _WOKEN_AT_ONCE)))
        for turn in turns:
            del self._waiting[turn]
            if not turn.done():
                turn.set_result(None)
        self._due -= len(turns)
        return self._due > 0 and bool(self._waiting)

"""Keeping to a rate, so that looking after the stores never takes the bandwidth of those who use them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

# What was not used for longer than this is not made up for.
_LARGEST_CREDIT_S = 1.0


class Pace:
    """Lets ``rate_bytes_s`` pass, or everything at once where that is None."""

    def __init__(
        self,
        rate_bytes_s: float | None,
        *,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate_bytes_s = rate_bytes_s
        self._clock = clock or asyncio.get_running_loop().time
        self._sleep = sleep
        self._free_at_s = self._clock()

    async def take(self, size_bytes: int) -> None:
        """Return when ``size_bytes`` may be read; the next ones wait until these would have passed."""
        if self._rate_bytes_s is None:
            return
        now = self._clock()
        begin = max(self._free_at_s, now - _LARGEST_CREDIT_S)
        self._free_at_s = begin + size_bytes / self._rate_bytes_s
        if begin > now:
            await self._sleep(begin - now)

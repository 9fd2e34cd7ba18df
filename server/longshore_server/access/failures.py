"""Slows down who tries tokens: each failure from an address makes its next one wait twice as long."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

from longshore_server.refusal import Reason, Refusal

_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 5.0
# By then it is forgotten that there were failures.
_FORGOTTEN_AFTER_S: Final = 60.0
_MOST_ADDRESSES: Final = 4096
_MOST_WAITING: Final = 200
_MOST_OF_ONE: Final = 20


class Failures:
    """Failures by address, of the last minute and bounded.

    ``on_failure`` is told of each whether its answer was ``slowed`` or, where too many wait, ``refused``.
    """

    def __init__(self, on_failure: Callable[[str], None] = lambda _: None) -> None:
        self._on_failure = on_failure
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting: Counter[str] = Counter()

    async def wait(self, address: str) -> None:
        """Note a failure of the address, and return after its wait; refuses where many wait already."""
        now = time.monotonic()
        count, last = self._counts.pop(address, (0, now))
        count = 1 if now - last > _FORGOTTEN_AFTER_S else count + 1
        self._counts[address] = (count, now)
        if len(self._counts) > _MOST_ADDRESSES:
            self._counts.popitem(last=False)
        wait_s = min(_FIRST_WAIT_S * 2.0 ** min(count - 1, 10), _LONGEST_WAIT_S)
        if self._waiting.total() >= _MOST_WAITING or self._waiting[address] >= _MOST_OF_ONE:
            self._on_failure("refused")
            raise Refusal(
                Reason.LIMIT_EXCEEDED,
                "too many calls with tokens that are not valid: try again later",
                retry_after_s=_LONGEST_WAIT_S,
            )
        self._on_failure("slowed")
        self._waiting[address] += 1
        try:
            await asyncio.sleep(wait_s)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]


def address_of(peer: str) -> str:
    """The address of a peer without its port."""
    return peer.rpartition(":")[0] or peer

"""Work of which a node does so much at a time, at most half of it for one principal: more waits for its turn.

Whoever is not known by name is not bounded apart: without access control all are one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from .callers import ANONYMOUS, current_caller


class Turns:
    """Of ``at_once`` pieces of work."""

    def __init__(self, at_once: int) -> None:
        self._most_of_one = (at_once + 1) // 2
        # Of whoever has, or waits for, a turn.
        self._of_principals: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """The caller's turn, for as long as the block runs."""
        principal = current_caller().identity.principal
        if principal == ANONYMOUS:
            yield
            return
        turns = self._of_principals.setdefault(principal, asyncio.Semaphore(self._most_of_one))
        async with turns:
            yield

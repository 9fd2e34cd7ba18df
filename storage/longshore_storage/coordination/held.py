"""Ending a block of code when what it holds is taken away.

Owns the dance of cancelling a task from outside and turning that cancellation into ``LockLost``, as
``asyncio.timeout`` does with its own. Invariants: a cancellation from elsewhere always wins, and no
cancellation of ours survives the block.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from longshore_storage.errors import LockLost


class HeldBlock:
    """Cancels the task inside its block once ``lose`` is called; the block then ends with ``LockLost``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._lost = False

    def lose(self) -> None:
        """End the block; before it is entered, entering fails; after it, nothing happens. Idempotent."""
        if self._lost:
            return
        self._lost = True
        if self._task is not None:
            self._task.cancel()

    async def __aenter__(self) -> HeldBlock:
        if self._lost:
            raise LockLost(self._name)
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        assert task is not None
        if not self._lost or task.uncancel() > self._cancelling:
            return
        if exc_type is not None and issubclass(exc_type, asyncio.CancelledError):
            raise LockLost(self._name) from exc
        # The block ended before its cancellation was delivered: take it here, or it would hit whatever
        # the task awaits next.
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if task.cancelling() > self._cancelling:
                raise
        if exc is None:
            raise LockLost(self._name)

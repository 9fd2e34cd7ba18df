"""One thread for everything that reads a payload: files, tars, hashing, cutting.

Invariant: what is run in it runs in the order it was asked for; when the block is left no work is pending
in it, also after a cancellation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

_Result = TypeVar("_Result")


class ReadingThread:
    """A thread that lives as long as the ``async with`` block."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="longshore-read")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A cancelled call goes on in the thread until its step is done: wait for it, so that the files it
        # reads can be closed behind it.
        await self.run(_nothing)
        self._executor.shutdown()

    async def run(self, function: Callable[..., _Result], *args: object) -> _Result:
        """The result of ``function(*args)``, called in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *args)


def _nothing() -> None:
    """The last in the queue."""

"""Work that is not left half done by a cancellation.

``asyncio.to_thread`` returns at once when it is cancelled while its thread goes on; what cleans up
afterwards would then race it for the same files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run short ``work`` in a thread; a cancellation is raised only after the thread has ended."""
    return await in_executor(None, work, *args, **kwargs)


async def in_executor(
    executor: Executor | None, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """The same in a thread of ``executor``: for long work, which has threads of its own."""
    loop = asyncio.get_running_loop()
    return await to_the_end(loop.run_in_executor(executor, partial(work, *args, **kwargs)))


async def to_the_end(work: Awaitable[R]) -> R:
    """Await ``work`` to its end; a cancellation meanwhile is raised afterwards."""
    future = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return future.result()
    if not future.cancelled():
        future.exception()
    raise cancelled

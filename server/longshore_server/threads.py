"""Blocking work in threads, without leaving a thread behind.

``asyncio.to_thread`` returns at once when it is cancelled while its thread goes on; what cleans up
afterwards would then race it for the same files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run ``work`` in a thread; a cancellation is raised only after the thread has ended."""
    loop = asyncio.get_running_loop()
    thread = loop.run_in_executor(None, partial(work, *args, **kwargs))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        if not thread.done():
            await asyncio.wait([thread])
        if not thread.cancelled():
            thread.exception()
        raise

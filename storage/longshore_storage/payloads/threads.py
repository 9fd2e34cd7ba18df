"""The threads for hashing, cutting and compressing, and how tasks wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from .tasks import settled

P = ParamSpec("P")
R = TypeVar("R")


class Workers:
    """A bounded pool of threads for short jobs (milliseconds) that need a core and do no input or output.

    A cancelled caller waits for its job's end, so that no job outlives what it works on.
    """

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="payloads")

    async def run(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a job in a thread and give back what it returns or raises."""
        pending = self._executor.submit(job, *args, **kwargs)
        future = asyncio.wrap_future(pending)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            pending.cancel()
            await settled([future])
            raise

    def close(self) -> None:
        """End the threads; the jobs have ended with their callers."""
        self._executor.shutdown()

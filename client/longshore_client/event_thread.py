"""An event loop in a thread of its own, for callers without one.

Invariants: a caller that is interrupted (Ctrl-C) cancels what it waits for, and goes on only when that has
cleaned up; when the thread is closed nothing runs in its loop any more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Generator, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")


class EventThread:
    """A running event loop that other threads give coroutines to."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="longshore-client", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """The coroutine's result, awaited in the loop."""
        outcome: Future[_Result] = Future()
        tasks: list[asyncio.Task[_Result]] = []

        def start() -> None:
            task = self._loop.create_task(coroutine)
            tasks.append(task)
            task.add_done_callback(settle)

        def settle(task: asyncio.Task[_Result]) -> None:
            if task.cancelled():
                outcome.set_exception(asyncio.CancelledError())
            elif (error := task.exception()) is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(task.result())

        self._loop.call_soon_threadsafe(start)
        try:
            return outcome.result()
        except BaseException:
            if not outcome.done():
                self._loop.call_soon_threadsafe(lambda: tasks[0].cancel())
                outcome.exception()
            raise

    def iterate(self, items: AsyncGenerator[_Item, None]) -> Generator[_Item, None, None]:
        """The items of an asynchronous generator; closing the iterator closes the generator."""

        async def advance() -> tuple[_Item] | None:
            async for item in items:
                return (item,)
            return None

        try:
            while (found := self.run(advance())) is not None:
                yield found[0]
        finally:
            self.run(items.aclose())

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        self.run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_all() -> None:
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


async def each_in_thread(items: Iterable[_Item]) -> AsyncIterator[_Item]:
    """The items of a blocking iterable, each taken in a thread."""
    iterator = iter(items)
    end = object()
    while (item := await asyncio.to_thread(next, iterator, end)) is not end:
        yield item  # type: ignore[misc]

"""Tasks that live and fail together, and the order in which they may pass.

Owns the small shapes that storing and reading are made of: ``TaskScope``, ``Turns``, ``in_order``,
``together``.
Invariant of all: whatever ends the code that uses them, error, cancellation or success, no task is left.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class TaskScope:
    """An ``asyncio.TaskGroup`` that raises the first error itself, and whose end ends its tasks.

    When a task fails, the task that entered the block is cancelled at its next await, and the block ends
    with the error; ``failed`` tells it beforehand.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.failed = False

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        try:
            await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            first, *others = group.exceptions
            for other in others:
                first.add_note(f"and then: {other!r}")
            raise first from first.__cause__

    def start(
        self, work: Coroutine[Any, Any, object], *, at_end: Callable[[], None] | None = None
    ) -> asyncio.Task[Any]:
        """Start a task; ``at_end`` is called once however it ends, even when it never began to run."""
        try:
            task = self._group.create_task(work)
        except RuntimeError:
            work.close()
            if at_end is not None:
                at_end()
            raise
        self._tasks.add(task)
        task.add_done_callback(self._note_end)
        if at_end is not None:
            task.add_done_callback(lambda _: at_end())
        return task

    def _note_end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self.failed = self.failed or (not task.cancelled() and task.exception() is not None)


class Turn:
    """One place in a row: entering waits for the one before, leaving lets the next one in.

    When the block fails nobody is let in any more: those behind wait until they are cancelled.
    """

    def __init__(self, before: asyncio.Event | None) -> None:
        self._before = before
        self.passed = asyncio.Event()

    async def __aenter__(self) -> None:
        if self._before is not None:
            await self._before.wait()
            self._before = None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.passed.set()


class Turns:
    """Hands out turns: tasks do things side by side, then pass one after another in the order taken."""

    def __init__(self) -> None:
        self._last: asyncio.Event | None = None

    def take(self) -> Turn:
        """Take the next place in the row."""
        turn = Turn(self._last)
        self._last = turn.passed
        return turn


async def in_order(
    items: AsyncGenerator[T, None], work: Callable[[T], Awaitable[R]], *, at_once: int
) -> AsyncGenerator[R, None]:
    """What ``work`` makes of each item, in the items' order, with up to ``at_once`` under way or done.

    Closes ``items``. To be closed itself (``contextlib.aclosing``) where it may be left early.
    """
    running: deque[asyncio.Future[R]] = deque()
    async with aclosing(items):
        try:
            async for item in items:
                running.append(asyncio.ensure_future(work(item)))
                if len(running) >= at_once:
                    yield await _first(running)
            while running:
                yield await _first(running)
        finally:
            for task in running:
                task.cancel()
            await settled(running)


async def together(works: Iterable[Coroutine[Any, Any, R]]) -> list[R]:
    """Do all side by side and give back their results in order; the first error ends the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await settled(tasks)


async def settled(futures: Iterable[asyncio.Future[Any]]) -> None:
    """Wait until all are done, however they end; cancelled meanwhile, it raises that afterwards."""
    waiting = set(futures)
    cancelled: asyncio.CancelledError | None = None
    while any(not future.done() for future in waiting):
        try:
            await asyncio.wait(waiting)
        except asyncio.CancelledError as error:
            cancelled = error
    for future in waiting:
        if not future.cancelled():
            future.exception()  # Looked at, so that the loop does not report it as forgotten.
    if cancelled is not None:
        raise cancelled


async def _first(running: deque[asyncio.Future[R]]) -> R:
    result = await running[0]
    running.popleft()
    return result

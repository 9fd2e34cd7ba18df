"""No threads: what drivers and stores do in threads happens at once, in the loop.

So an example that is played again goes the same way, to the last turn of the loop, and costs a fraction. What
threads do to a program is met on the real services.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import aiosqlite.core
import pytest

from longshore_storage.blobs import files
from longshore_storage.payloads import threads

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def without_threads() -> Iterator[None]:
    """SQLite, folders and the work of payload stores that are opened in this block go without threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiosqlite.core, "Thread", _NoThread)
        patch.setattr(aiosqlite.core, "SimpleQueue", _DoneAtOnce)
        patch.setattr(files, "ThreadPoolExecutor", _Inline)
        patch.setattr(threads, "ThreadPoolExecutor", _Inline)
        yield


class _NoThread:
    def __init__(self, **_: Any) -> None: ...

    def start(self) -> None: ...


class _DoneAtOnce:
    """The queue of a connection's thread, without the thread behind it."""

    def put_nowait(self, order: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future, work = order
        try:
            result = work()
        except BaseException as error:
            if future is not None:
                future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)


class _Inline(Executor):
    def __init__(self, *_: Any, **__: Any) -> None: ...

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future

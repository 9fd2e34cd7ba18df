"""Looking a payload through while it comes, so that little is left to do when all of it is there.

What is seen here are the bytes that the upload hashes, in order; what is found counts only once they are
stored and recorded as the payload. Memory: a batch of the upload's, and a few MiB.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from types import TracebackType
from typing import BinaryIO, Generic, Self, TypeVar, cast

from longshore_storage.payloads import read_in_thread

_BUFFER_BYTES = 1 << 20
R = TypeVar("R")


class ExaminationAhead(Generic[R]):
    """One payload on its way through ``work`` in a thread; ``async with``, and nothing of it runs on.

    The thread is taken with the first bytes: an upload that waits for its turn has none.
    """

    def __init__(self, work: Callable[[BinaryIO], R], threads: Executor) -> None:
        self._work = work
        self._threads = threads
        self._coming: asyncio.Queue[Sequence[bytes | memoryview] | None] = asyncio.Queue(1)
        self._looking: asyncio.Task[R] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def follow(self, raws: Sequence[bytes | memoryview]) -> None:
        """Take the payload's next bytes, waiting while others are being looked through."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        await self._hand_over(self._looking, raws)

    async def result(self) -> R | None:
        """What was found in all that came, None where nothing came. Raises what ``work`` raised."""
        if self._looking is None:
            return None
        await self._hand_over(self._looking, None)
        return await self._looking

    async def _hand_over(self, looking: asyncio.Task[R], raws: Sequence[bytes | memoryview] | None) -> None:
        # One that has found enough to refuse the payload looks at no more of it.
        putting = asyncio.create_task(self._coming.put(raws))
        try:
            await asyncio.wait([putting, looking], return_when=asyncio.FIRST_COMPLETED)
        finally:
            putting.cancel()

    async def _look(self) -> R:
        return await read_in_thread(
            self._pieces(),
            lambda raw: self._work(cast(BinaryIO, io.BufferedReader(raw, _BUFFER_BYTES))),
            executor=self._threads,
            buffer_bytes=_BUFFER_BYTES,
        )

    async def _pieces(self) -> AsyncGenerator[bytes | memoryview, None]:
        while (raws := await self._coming.get()) is not None:
            for raw in raws:
                yield raw

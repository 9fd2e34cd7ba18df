"""A payload as a file for code that blocks: unpacking runs in a thread, fetching on the event loop.

``read_in_thread`` is the way to use it: it starts the thread, feeds it, and does not return before both
have ended, also when it is cancelled.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, TypeVar

from .errors import ReadingAbandoned
from .settings import MIB
from .tasks import settled

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

R = TypeVar("R")


class BlockingReader(io.RawIOBase):
    """A readable binary file over pieces that the event loop hands over; not seekable.

    Holds at most ``buffer_bytes`` and one piece. Reading blocks until there is something, and raises what
    the source raised, ``ReadingAbandoned`` once nobody waits for the result any more.
    """

    def __init__(self, *, buffer_bytes: int) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._buffer_bytes = buffer_bytes
        self._room = asyncio.Event()
        self._room_is_wanted = False
        self._changed = threading.Condition()
        self._pieces: deque[memoryview] = deque()
        self._held_bytes = 0
        self._ended = False
        self._error: BaseException | None = None
        self.raised: BaseException | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill ``buffer`` as far as there are bytes; 0 at the end."""
        target = memoryview(buffer).cast("B")
        with self._changed:
            self._wait()
            filled = 0
            while self._pieces and filled < len(target):
                part = self._take(len(target) - filled)
                target[filled : filled + len(part)] = part
                filled += len(part)
        self._tell_room()
        return filled

    def read(self, size: int | None = -1, /) -> bytes:
        """At most ``size`` bytes, empty at the end; copied once, where the base class copies twice."""
        if size is None or size < 0:
            return self.readall()
        with self._changed:
            self._wait()
            part = self._take(size) if self._pieces else b""
        self._tell_room()
        return bytes(part)

    def close(self) -> None:
        """Want no more; may be called from any thread, also while another reads."""
        with self._changed:
            super().close()
            self._pieces.clear()
            self._changed.notify_all()
        self._tell_room()

    async def feed(self, source: AsyncGenerator[bytes | memoryview, None]) -> None:
        """Hand over all that ``source`` gives, waiting for room; its error is raised where it is read."""
        try:
            async with aclosing(source):
                async for piece in source:
                    await self._hand_over(piece)
                    if self.closed:
                        return
        except Exception as error:
            self.fail(error)
        else:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Let every read from now on raise ``error``; the first one stays."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    async def _hand_over(self, piece: bytes | memoryview) -> None:
        while True:
            self._room.clear()
            with self._changed:
                if self.closed:
                    return
                if self._held_bytes < self._buffer_bytes:
                    self._pieces.append(memoryview(piece))
                    self._held_bytes += len(piece)
                    self._changed.notify_all()
                    return
                self._room_is_wanted = True
            await self._room.wait()

    def _wait(self) -> None:
        """Until there is something, or the end; the lock is held."""
        self._changed.wait_for(lambda: self._pieces or self._ended or self._error or self.closed)
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if self._error is not None:
            self.raised = self._error
            raise self._error

    def _take(self, most_bytes: int) -> memoryview:
        """What is left of the first piece, or the begin of it; the lock is held."""
        piece = self._pieces.popleft()
        if len(piece) > most_bytes:
            self._pieces.appendleft(piece[most_bytes:])
            piece = piece[:most_bytes]
        self._held_bytes -= len(piece)
        return piece

    def _tell_room(self) -> None:
        if not self._room_is_wanted:
            return
        self._room_is_wanted = False
        # The loop is gone when a forgotten reader is closed by the garbage collector.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._room.set)


async def read_in_thread(
    source: AsyncGenerator[bytes | memoryview, None],
    work: Callable[[BlockingReader], R],
    *,
    executor: Executor | None = None,
    buffer_bytes: int = 4 * MIB,
) -> R:
    """Run ``work`` in a thread of ``executor`` (the loop's own if None) with ``source`` as its file.

    ``work`` may stop reading early. Raises what it raises; what ``source`` raises arrives in ``work``'s
    read, and is raised here also when ``work`` passes over it. Cancelled, it lets the next read in the
    thread raise ``ReadingAbandoned`` and waits for the thread to end.
    """
    loop = asyncio.get_running_loop()
    reader = BlockingReader(buffer_bytes=buffer_bytes)
    thread = loop.run_in_executor(executor, work, reader)
    feeding = asyncio.create_task(reader.feed(source))
    try:
        result = await asyncio.shield(thread)
    finally:
        reader.fail(ReadingAbandoned())
        feeding.cancel()
        await settled([thread, feeding])
        reader.close()
    if reader.raised is not None:
        raise reader.raised
    return result

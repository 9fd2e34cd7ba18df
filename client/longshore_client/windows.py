"""Reading a payload once, in a thread, as windows of chunks with their digests.

A window is what is asked about, compressed and sent together: chunks of about 16 MiB in the payload's order.
Invariants: the windows' chunks, joined, are the payload from the offset asked for; a payload that is read
again must give the same chunks, else ``PayloadChanged``; nothing here holds more than one window; closing
the iterator leaves no thread behind.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import Final

from longshore_chunks.cutting import Cutter, CuttingParameters
from longshore_chunks.digest import chunk_digest

from .fingerprints import Fingerprints
from .payloads import Block, Payload, StoredPayload
from .reading_thread import ReadingThread

WINDOW_BYTES: Final = 16 * 1024 * 1024
_WINDOW_CHUNKS: Final = 2_048
_WINDOW_AGE_S: Final = 2.0
"""A slow payload's chunks are sent in time for the server's idle time-out, however few they are."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of a payload: BLAKE3 digest and uncompressed bytes."""

    digest: bytes
    raw: bytes


@dataclass(slots=True)
class Window:
    """Chunks that follow each other, the first at ``offset`` of the payload."""

    offset: int
    chunks: list[Chunk] = field(default_factory=list)
    size_bytes: int = 0


class WindowReader:
    """Reads a payload and gives it from ``start_offset`` on; what lies before is read and digested too.

    ``complete`` says whether what was read so far is the whole payload.
    """

    def __init__(
        self,
        payload: Payload,
        parameters: CuttingParameters,
        *,
        start_offset: int,
        fingerprints: Fingerprints,
    ) -> None:
        self._payload = payload
        self._cutter = Cutter(parameters)
        self._start_offset = start_offset
        self._fingerprints = fingerprints
        # What this reader gives is under its chunks' digests; only what was stored before must be compared.
        self._sha256 = hashlib.sha256() if start_offset else None
        self._cut_chunks = 0
        self._cut_bytes = 0
        self._window = Window(start_offset)
        self._window_began_s = time.monotonic()
        self.complete = False

    @property
    def sha256(self) -> str:
        """The sha256 of what was read so far, in hexadecimal; empty when it began at the payload's begin."""
        return self._sha256.hexdigest() if self._sha256 is not None else ""

    @property
    def size_bytes(self) -> int:
        """How many bytes were cut so far: the payload's size once it is complete."""
        return self._cut_bytes

    async def windows(self) -> AsyncGenerator[Window, None]:
        """The windows, in order. Raises ``PayloadChanged`` and what reading the payload raises."""
        async with ReadingThread() as thread:
            if isinstance(self._payload, StoredPayload):
                cut = self._cut(self._payload.blocks())
                try:
                    while (window := await thread.run(next, cut, None)) is not None:
                        yield window
                finally:
                    await thread.run(cut.close)
            else:
                async with aclosing(self._payload.blocks(thread)) as blocks:
                    async for block in blocks:
                        for window in await thread.run(self._take, block):
                            yield window
                for window in await thread.run(self._finish):
                    yield window

    def _cut(self, blocks: Generator[Block, None, None]) -> Generator[Window, None, None]:
        with closing(blocks):
            for block in blocks:
                yield from self._take(block)
        yield from self._finish()

    def _take(self, block: Block) -> list[Window]:
        if self._sha256 is not None:
            self._sha256.update(block.data)
        chunks = self._cutter.feed(block.data)
        if block.ends_part:
            chunks += self._cutter.cut_here()
        return self._add(chunks)

    def _finish(self) -> list[Window]:
        full = self._add(self._cutter.finish())
        if self._window.chunks:
            full.append(self._window)
        self.complete = True
        return full

    def _add(self, chunks: list[bytes]) -> list[Window]:
        """Put chunks into the current window and give back those that are full."""
        full: list[Window] = []
        for raw in chunks:
            digest = chunk_digest(raw)
            self._fingerprints.check(self._cut_chunks, digest)
            surplus = self._start_offset - self._cut_bytes
            self._cut_chunks += 1
            self._cut_bytes += len(raw)
            if surplus >= len(raw):
                continue
            if surplus > 0:
                raw = raw[surplus:]
                digest = chunk_digest(raw)
            window = self._window
            if not window.chunks:
                self._window_began_s = time.monotonic()
            window.chunks.append(Chunk(digest, raw))
            window.size_bytes += len(raw)
            if (
                window.size_bytes >= WINDOW_BYTES
                or len(window.chunks) >= _WINDOW_CHUNKS
                or time.monotonic() - self._window_began_s > _WINDOW_AGE_S
            ):
                full.append(window)
                self._window = Window(window.offset + window.size_bytes)
        return full

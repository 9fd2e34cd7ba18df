"""Reading a payload once, in a thread, as pieces of up to 1 MiB: what the plain way sends, uncut.

Invariants: the pieces, joined, are the payload from the offset asked for; a payload that is read again must
give the same bytes, else ``PayloadChanged``; closing the iterator leaves no thread behind.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Final, NamedTuple

from .fingerprints import Fingerprints
from .payloads import BLOCK_BYTES, Payload, StoredPayload
from .reading_thread import ReadingThread

_GROUP_PIECES: Final = 4
_PIECE_AGE_S: Final = 2.0
"""What has come of a slow payload is sent in time for the server's idle time-out, however little it is."""


class Piece(NamedTuple):
    """Bytes of the payload, the first at ``offset``."""

    offset: int
    data: bytes


class PieceReader:
    """Reads a payload and gives it from ``start_offset`` on; what lies before is read and digested too.

    ``sha256`` is that of all bytes read so far, ``complete`` says whether these are the whole payload.
    """

    def __init__(self, payload: Payload, *, start_offset: int, fingerprints: Fingerprints) -> None:
        self._payload = payload
        self._start_offset = start_offset
        self._fingerprints = fingerprints
        self._sha256 = hashlib.sha256()
        self._parts: list[bytes | memoryview] = []
        self._piece_began_s = time.monotonic()
        self.size_bytes = 0
        self.complete = False

    @property
    def sha256(self) -> str:
        """The sha256 of what was read so far, in hexadecimal."""
        return self._sha256.hexdigest()

    async def pieces(self) -> AsyncGenerator[list[Piece], None]:
        """The pieces, some at a time. Raises ``PayloadChanged`` and what reading the payload raises."""
        async with ReadingThread() as thread:
            if isinstance(self._payload, StoredPayload):
                groups = self._groups(self._payload)
                try:
                    while (group := await thread.run(next, groups, None)) is not None:
                        yield group
                finally:
                    await thread.run(groups.close)
            else:
                async with aclosing(self._payload.blocks(thread)) as blocks:
                    async for block in blocks:
                        if group := await thread.run(self._take, block.data):
                            yield group
                yield self._finish()

    def _groups(self, payload: StoredPayload) -> Generator[list[Piece], None, None]:
        group: list[Piece] = []
        with closing(payload.blocks()) as blocks:
            for block in blocks:
                group += self._take(block.data)
                if len(group) >= _GROUP_PIECES:
                    yield group
                    group = []
        yield group + self._finish()

    def _take(self, data: bytes | memoryview) -> list[Piece]:
        """Take what was read next and give back the pieces that are full, or old enough."""
        full: list[Piece] = []
        left = data
        while left:
            if not self._parts:
                self._piece_began_s = time.monotonic()
            # Pieces end at multiples of 1 MiB, where fingerprints are taken; one block that is a whole piece
            # is not copied.
            room = BLOCK_BYTES - self.size_bytes % BLOCK_BYTES
            part, left = (left, b"") if len(left) <= room else (left[:room], left[room:])
            self._sha256.update(part)
            self._parts.append(part)
            self.size_bytes += len(part)
            at_border = self.size_bytes % BLOCK_BYTES == 0
            if at_border:
                self._fingerprints.check(self.size_bytes // BLOCK_BYTES - 1, self._sha256.digest())
            if at_border or time.monotonic() - self._piece_began_s > _PIECE_AGE_S:
                full += self._piece()
        return full

    def _finish(self) -> list[Piece]:
        if self.size_bytes % BLOCK_BYTES:
            self._fingerprints.check(self.size_bytes // BLOCK_BYTES, self._sha256.digest())
        self.complete = True
        return self._piece()

    def _piece(self) -> list[Piece]:
        """The piece of what was read since the last one, without what lies before the start."""
        data = b"".join(self._parts)
        offset = self.size_bytes - len(data)
        self._parts = []
        if surplus := max(self._start_offset - offset, 0):
            offset, data = offset + surplus, data[surplus:]
        return [Piece(offset, data)] if data else []

"""The plain way in: data in order, cut and hashed here. Any client can send it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from longshore_chunks import Cutter, CuttingParameters, chunk_digest

from .assembling import Assembler
from .entries import Follow, Piece
from .tasks import TaskScope, Turn, Turns
from .threads import Workers

if TYPE_CHECKING:
    from hashlib import _Hash

# Messages of a few bytes would fill memory by their number: each costs fifty bytes more than it brings.
_BATCH_MAX_MESSAGES = 4096


class PlainWay:
    """Cuts and hashes an upload's data in batches, several under way at a time.

    ``add`` waits while too many are; what fails in a batch ends the scope.
    """

    name: Final = "PLAIN"

    def __init__(
        self,
        workers: Workers,
        sha256: _Hash,
        assembler: Assembler,
        scope: TaskScope,
        follow: Follow,
        *,
        cutting: CuttingParameters,
        batch_bytes: int,
        batches_in_flight: int,
    ) -> None:
        self._workers = workers
        self._sha256 = sha256
        self._assembler = assembler
        self._scope = scope
        self._follow = follow
        self._cutter = Cutter(cutting)
        self._batch_bytes = batch_bytes
        self._room = asyncio.Semaphore(batches_in_flight)
        self._cutting, self._placing, self._following = Turns(), Turns(), Turns()
        self._batch: list[bytes] = []
        self._batch_size = 0

    async def add(self, data: bytes) -> None:
        """Take the next bytes of the payload."""
        self._batch.append(data)
        self._batch_size += len(data)
        if self._batch_size >= self._batch_bytes or len(self._batch) >= _BATCH_MAX_MESSAGES:
            await self._hand_over()

    async def placed(self) -> None:
        """Return when everything whose cuts are certain is placed."""
        await self._hand_over()
        async with self._placing.take():
            pass

    async def finish(self) -> None:
        """End the payload; return when all of it is hashed and placed."""
        await self._hand_over()
        async with self._cutting.take():
            last = await self._workers.run(self._cut_last)
        async with self._placing.take():
            await self._assembler.place(last)
        async with self._following.take():
            await self._follow(_raws_of(last))

    async def _hand_over(self) -> None:
        if self._batch:
            # Taken only when there is room: whoever is cancelled meanwhile loses nothing.
            await self._room.acquire()
            batch, self._batch, self._batch_size = self._batch, [], 0
            work = self._work(batch, self._cutting.take(), self._placing.take(), self._following.take())
            self._scope.start(work, at_end=self._room.release)

    async def _work(self, batch: list[bytes], cutting: Turn, placing: Turn, following: Turn) -> None:
        async with cutting:
            pieces = await self._workers.run(self._cut, batch)
        async with placing:
            await self._assembler.place(pieces)
        async with following:
            await self._follow(_raws_of(pieces))

    def _cut(self, batch: list[bytes]) -> list[Piece]:
        for data in batch:
            self._sha256.update(data)
        raws = self._cutter.feed(*batch)
        # The chunks are copies: the data need not be kept beside them.
        batch.clear()
        return [_piece_of(raw) for raw in raws]

    def _cut_last(self) -> list[Piece]:
        return [_piece_of(raw) for raw in self._cutter.finish()]


def _piece_of(raw: bytes) -> Piece:
    return Piece(chunk_digest(raw), len(raw), received_bytes=len(raw), raw=raw)


def _raws_of(pieces: Sequence[Piece]) -> list[bytes | memoryview]:
    return [piece.raw for piece in pieces if piece.raw is not None]

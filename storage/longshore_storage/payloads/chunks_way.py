"""The thrifty way in: chunks that the client cut, bytes for what is missing and references for the rest.

Nothing that a client says about a chunk is believed: bytes are hashed before they are placed, references
lead only to what the project has or the same upload sent before, and their bytes are read back, so that
the payload's sha256 is over what is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from longshore_chunks import (
    DIGEST_LENGTH,
    Codec,
    CuttingParameters,
    MalformedFrame,
    chunk_digest,
    decode,
    decode_untrusted,
    encode_run,
    frame_bound,
    stored_form,
)

from .assembling import Assembler, Placement
from .entries import ChunkEntry, Follow, Piece
from .errors import ChunkFrameInvalid, ChunkInvalid, TooManyChunks
from .fetching import ChunkFetcher
from .tasks import TaskScope, Turn, Turns
from .threads import Workers

if TYPE_CHECKING:
    from hashlib import _Hash

# Cutters make chunks far larger than this on average; the allowance is for payloads of a few small ones.
_LEAST_MEAN_CHUNK_BYTES = 4096
_CHUNKS_ALLOWANCE = 1024
# Small chunks would fill a batch by their number, not by their bytes.
_BATCH_MAX_CHUNKS = 4096


class ChunksWay:
    """Verifies, places and hashes an upload's chunks in batches, several under way at a time.

    ``add`` waits while too many are; what fails in a batch ends the scope. ``chunk_count`` and
    ``size_bytes`` are those of the part that is stored already.
    """

    name: Final = "CHUNKS"

    def __init__(
        self,
        workers: Workers,
        sha256: _Hash,
        assembler: Assembler,
        scope: TaskScope,
        fetcher: ChunkFetcher,
        follow: Follow,
        *,
        cutting: CuttingParameters,
        batch_bytes: int,
        batches_in_flight: int,
        chunk_count: int,
        size_bytes: int,
    ) -> None:
        self._workers = workers
        self._sha256 = sha256
        self._assembler = assembler
        self._scope = scope
        self._fetcher = fetcher
        self._follow = follow
        self._max_chunk_bytes = cutting.max_size_bytes
        self._batch_bytes = batch_bytes
        self._room = asyncio.Semaphore(batches_in_flight)
        self._placing, self._hashing = Turns(), Turns()
        self._batch: list[ChunkEntry] = []
        self._batch_size = 0
        self._chunk_count = chunk_count
        self._size_bytes = size_bytes

    async def add(self, entry: ChunkEntry) -> None:
        """Take the next chunk of the payload."""
        if len(entry.digest) != DIGEST_LENGTH:
            raise ChunkInvalid(entry.digest, f"its digest has {len(entry.digest)} bytes, not {DIGEST_LENGTH}")
        if not 1 <= entry.raw_size <= self._max_chunk_bytes:
            raise ChunkInvalid(
                entry.digest, f"its size is {entry.raw_size}, must be 1 to {self._max_chunk_bytes}"
            )
        # Before it is held: a batch is full by what its chunks say of their sizes.
        _check_body(entry)
        self._chunk_count += 1
        self._size_bytes += entry.raw_size
        if self._chunk_count > _CHUNKS_ALLOWANCE + self._size_bytes // _LEAST_MEAN_CHUNK_BYTES:
            raise TooManyChunks(self._chunk_count, self._size_bytes)
        self._batch.append(entry)
        self._batch_size += entry.raw_size
        if self._batch_size >= self._batch_bytes or len(self._batch) >= _BATCH_MAX_CHUNKS:
            await self._hand_over()

    async def placed(self) -> None:
        """Return when everything taken is placed."""
        await self._hand_over()
        async with self._placing.take():
            pass

    async def finish(self) -> None:
        """End the payload; return when all of it is hashed and placed."""
        await self._hand_over()
        async with self._hashing.take():
            pass

    async def _hand_over(self) -> None:
        if self._batch:
            # Taken only when there is room: whoever is cancelled meanwhile loses nothing.
            await self._room.acquire()
            batch, self._batch, self._batch_size = self._batch, [], 0
            work = self._work(batch, self._placing.take(), self._hashing.take())
            self._scope.start(work, at_end=self._room.release)

    async def _work(self, batch: list[ChunkEntry], placing: Turn, hashing: Turn) -> None:
        pieces = await self._workers.run(_verify_all, batch)
        async with placing:
            placements = await self._assembler.place(pieces)
        stored = [
            chunk
            for piece, (chunk, own) in zip(pieces, placements, strict=True)
            if piece.raw is None and own is None
        ]
        fetched = await self._fetcher.fetch(stored)
        async with hashing:
            await self._follow(await self._workers.run(self._hash, pieces, placements, fetched))

    def _hash(
        self, pieces: Sequence[Piece], placements: Sequence[Placement], fetched: Sequence[bytes | memoryview]
    ) -> list[bytes | memoryview]:
        """Hash a batch's bytes and give them back in order."""
        stored = iter(fetched)
        raws: list[bytes | memoryview] = []
        for piece, (chunk, own) in zip(pieces, placements, strict=True):
            if piece.raw is not None:
                raws.append(piece.raw)
            elif own is not None:
                # Sent earlier in this upload, verified, and not durable yet.
                raws.append(decode(chunk.codec, own, chunk.raw_length))
            else:
                raws.append(next(stored))
            self._sha256.update(raws[-1])
        return raws


def _check_body(entry: ChunkEntry) -> None:
    """Refuse more bytes than a chunk of its size can come as."""
    if entry.raw is not None and len(entry.raw) != entry.raw_size:
        raise _other_size(entry, len(entry.raw))
    if entry.zstd_frame is not None and len(entry.zstd_frame) > frame_bound(entry.raw_size):
        raise ChunkFrameInvalid(
            entry.digest,
            f"frame has {len(entry.zstd_frame)} bytes for a chunk of only {entry.raw_size}",
        )


def _other_size(entry: ChunkEntry, size_bytes: int) -> ChunkInvalid:
    return ChunkInvalid(entry.digest, f"it has {size_bytes} bytes, {entry.raw_size} were declared")


def _verify_all(entries: Sequence[ChunkEntry]) -> list[Piece]:
    """The verified pieces with their stored forms: what was sent is most likely new."""
    raws = [_verified(entry) for entry in entries]
    encoded = encode_run(entry.raw for entry in entries if entry.raw is not None)
    return [_piece(entry, raw, encoded) for entry, raw in zip(entries, raws, strict=True)]


def _verified(entry: ChunkEntry) -> bytes | None:
    """The raw bytes of a chunk, None of a reference."""
    digest, raw = entry.digest, entry.raw
    if entry.zstd_frame is not None:
        try:
            raw = decode_untrusted(entry.zstd_frame, entry.raw_size)
        except MalformedFrame as error:
            raise ChunkFrameInvalid(digest, str(error)) from error
    if raw is None:
        return None
    if len(raw) != entry.raw_size:
        raise _other_size(entry, len(raw))
    if chunk_digest(raw) != digest:
        raise ChunkInvalid(digest, f"its bytes have the digest {chunk_digest(raw).hex()}")
    return raw


def _piece(entry: ChunkEntry, raw: bytes | None, encoded: Iterator[tuple[Codec, bytes]]) -> Piece:
    if raw is None:
        return Piece(entry.digest, entry.raw_size, received_bytes=0)
    frame = entry.zstd_frame
    stored = next(encoded) if frame is None else stored_form(raw, frame)
    received_bytes = len(raw) if frame is None else len(frame)
    return Piece(entry.digest, len(raw), received_bytes, raw, stored)

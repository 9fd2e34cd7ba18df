"""Reading chunks back from the blob store: ranged, joined, side by side, and verified before use.

Invariant: no raw byte leaves this module whose chunk does not have its BLAKE3 digest. What does not match
is read once more by itself; then it is ``CorruptBlob``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from longshore_chunks import ChunksError, Codec, PlacedChunk, chunk_digest, decode
from longshore_storage.errors import CorruptBlob
from longshore_storage.ports import BlobStore

from .tasks import together
from .threads import Workers

# Reading over a gap of this size costs less than another request.
_GAP_MAX_BYTES = 64 * 1024
_RANGE_MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """Neighbouring chunks of a payload; ``offset`` is where the first begins in it."""

    offset: int
    chunks: tuple[PlacedChunk, ...]


class Fetched(NamedTuple):
    """The raw bytes of a batch, in order, and how many bytes the blob store sent for them.

    What is stored uncompressed is a view of what was sent.
    """

    raws: list[memoryview]
    fetched_bytes: int


@dataclass(slots=True)
class _Range:
    key: str
    offset: int
    end: int
    chunks: list[PlacedChunk]


class _Raw(NamedTuple):
    """Where a chunk's verified raw bytes begin in what was sent or decoded."""

    source: bytes
    begin: int


_Raws: TypeAlias = dict[tuple[str, int], _Raw]
"""By pack key and offset."""


class ChunkFetcher:
    """Fetches batches of chunks; all that share one ``reads`` keep to its number of requests together."""

    def __init__(self, blobs: BlobStore, workers: Workers, reads: asyncio.Semaphore) -> None:
        self._blobs = blobs
        self._workers = workers
        self._reads = reads

    async def fetch(self, chunks: Sequence[PlacedChunk]) -> Fetched:
        """The raw bytes of each of ``chunks``. Raises ``BlobNotFound`` and ``CorruptBlob``."""
        raws, fetched_bytes = await self._verified(chunks)
        return Fetched([_view(raws, chunk) for chunk in chunks], fetched_bytes)

    async def fetch_joined(self, chunks: Sequence[PlacedChunk]) -> Fetched:
        """The same with chunks as one that lie side by side where they were sent from."""
        raws, fetched_bytes = await self._verified(chunks)
        return Fetched(list(_runs(chunks, raws)), fetched_bytes)

    async def _verified(self, chunks: Sequence[PlacedChunk]) -> tuple[_Raws, int]:
        ranges = _joined(chunks)
        bodies = await together(self._get(part.key, part.offset, part.end - part.offset) for part in ranges)
        raws, faults = await self._workers.run(_verify_all, ranges, bodies)
        fetched_bytes = sum(part.end - part.offset for part in ranges)
        for chunk in faults:
            body = await self._get(chunk.pack_key, chunk.offset, chunk.stored_length)
            raw, fault = await self._workers.run(_verify, chunk, body, 0)
            if fault:
                raise CorruptBlob(
                    chunk.pack_key, f"chunk {chunk.digest.hex()} at byte {chunk.offset}: {fault}"
                )
            raws[chunk.pack_key, chunk.offset] = raw
            fetched_bytes += chunk.stored_length
        return raws, fetched_bytes

    async def _get(self, key: str, offset: int, length: int) -> bytes:
        async with self._reads:
            try:
                return await self._blobs.get(key, offset, length)
            except CorruptBlob:
                return await self._blobs.get(key, offset, length)


async def batches(
    source: AsyncGenerator[Sequence[PlacedChunk], None], *, batch_bytes: int, start: int = 0
) -> AsyncGenerator[Batch, None]:
    """A payload's chunks in batches of up to ``batch_bytes`` raw; the first holds byte ``start``."""
    held: list[PlacedChunk] = []
    held_bytes = offset = 0
    async with aclosing(source):
        async for chunks in source:
            for chunk in chunks:
                if offset + chunk.raw_length > start:
                    if held and held_bytes + chunk.raw_length > batch_bytes:
                        yield Batch(offset - held_bytes, tuple(held))
                        held, held_bytes = [], 0
                    held.append(chunk)
                    held_bytes += chunk.raw_length
                offset += chunk.raw_length
    if held:
        yield Batch(offset - held_bytes, tuple(held))


def _joined(chunks: Iterable[PlacedChunk]) -> list[_Range]:
    """The fewest sensible reads that bring all chunks; at most twice their bytes."""
    ranges: list[_Range] = []
    places = {(chunk.pack_key, chunk.offset): chunk for chunk in chunks}
    for (key, offset), chunk in sorted(places.items()):
        end = offset + chunk.stored_length
        last = ranges[-1] if ranges else None
        if (
            last is not None
            and last.key == key
            and offset - last.end <= min(_GAP_MAX_BYTES, chunk.stored_length)
            and end - last.offset <= _RANGE_MAX_BYTES
        ):
            last.end = max(last.end, end)
            last.chunks.append(chunk)
        else:
            ranges.append(_Range(key, offset, end, [chunk]))
    return ranges


def _verify_all(ranges: Sequence[_Range], bodies: Sequence[bytes]) -> tuple[_Raws, list[PlacedChunk]]:
    raws: _Raws = {}
    faults: list[PlacedChunk] = []
    for part, body in zip(ranges, bodies, strict=True):
        for chunk in part.chunks:
            raw, fault = _verify(chunk, body, chunk.offset - part.offset)
            if fault:
                faults.append(chunk)
            else:
                raws[chunk.pack_key, chunk.offset] = raw
    return raws, faults


def _verify(chunk: PlacedChunk, body: bytes, begin: int) -> tuple[_Raw, str]:
    """The raw bytes of a chunk whose stored ones begin there in ``body``, or what is wrong with them."""
    stored = memoryview(body)[begin : begin + chunk.stored_length]
    if chunk.codec is Codec.RAW:
        found = _Raw(body, begin)
        digest = chunk_digest(stored)
    else:
        try:
            found = _Raw(decode(chunk.codec, stored, chunk.raw_length), 0)
        except ChunksError as error:
            return _Raw(b"", 0), str(error)
        digest = chunk_digest(found.source)
    return found, "" if digest == chunk.digest else "its bytes do not have its digest"


def _view(raws: _Raws, chunk: PlacedChunk) -> memoryview:
    source, begin = raws[chunk.pack_key, chunk.offset]
    return memoryview(source)[begin : begin + chunk.raw_length]


def _runs(chunks: Iterable[PlacedChunk], raws: _Raws) -> Iterator[memoryview]:
    held, begin, end = b"", 0, 0
    for chunk in chunks:
        source, at = raws[chunk.pack_key, chunk.offset]
        if source is not held or at != end:
            if held:
                yield memoryview(held)[begin:end]
            held, begin = source, at
        end = at + chunk.raw_length
    if held:
        yield memoryview(held)[begin:end]

"""Reading chunks back from the blob store: ranged, joined, side by side, and verified before use.

Invariant: no raw byte leaves this module whose chunk does not have its BLAKE3 digest. What does not match
is read once more by itself; then it is ``CorruptBlob``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple

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
    """The raw bytes of a batch's chunks, in order, and how many bytes the blob store sent for them.

    What is stored uncompressed is a view of what was sent.
    """

    raws: list[bytes | memoryview]
    fetched_bytes: int


class _Range(NamedTuple):
    key: str
    offset: int
    length: int
    chunks: list[PlacedChunk]


class ChunkFetcher:
    """Fetches batches of chunks; all that share one ``reads`` keep to its number of requests together."""

    def __init__(self, blobs: BlobStore, workers: Workers, reads: asyncio.Semaphore) -> None:
        self._blobs = blobs
        self._workers = workers
        self._reads = reads

    async def fetch(self, chunks: Sequence[PlacedChunk]) -> Fetched:
        """The raw bytes of each of ``chunks``. Raises ``BlobNotFound`` and ``CorruptBlob``."""
        ranges = _joined(chunks)
        bodies = await together(self._get(part.key, part.offset, part.length) for part in ranges)
        raws, faults = await self._workers.run(_verify_all, ranges, bodies)
        fetched_bytes = sum(part.length for part in ranges)
        for chunk in faults:
            body = await self._get(chunk.pack_key, chunk.offset, chunk.stored_length)
            raw, fault = await self._workers.run(_verify, chunk, body)
            if fault:
                raise CorruptBlob(
                    chunk.pack_key, f"chunk {chunk.digest.hex()} at byte {chunk.offset}: {fault}"
                )
            raws[chunk.pack_key, chunk.offset] = raw
            fetched_bytes += chunk.stored_length
        return Fetched([raws[chunk.pack_key, chunk.offset] for chunk in chunks], fetched_bytes)

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
        if ranges and ranges[-1].key == key:
            last = ranges[-1]
            gap = offset - (last.offset + last.length)
            if gap <= min(_GAP_MAX_BYTES, chunk.stored_length) and end - last.offset <= _RANGE_MAX_BYTES:
                length = max(last.length, end - last.offset)
                ranges[-1] = _Range(key, last.offset, length, [*last.chunks, chunk])
                continue
        ranges.append(_Range(key, offset, chunk.stored_length, [chunk]))
    return ranges


def _verify_all(
    ranges: Sequence[_Range], bodies: Sequence[bytes]
) -> tuple[dict[tuple[str, int], bytes | memoryview], list[PlacedChunk]]:
    raws: dict[tuple[str, int], bytes | memoryview] = {}
    faults: list[PlacedChunk] = []
    for part, body in zip(ranges, bodies, strict=True):
        view = memoryview(body)
        for chunk in part.chunks:
            at = chunk.offset - part.offset
            raw, fault = _verify(chunk, view[at : at + chunk.stored_length])
            if fault:
                faults.append(chunk)
            else:
                raws[chunk.pack_key, chunk.offset] = raw
    return raws, faults


def _verify(chunk: PlacedChunk, stored: bytes | memoryview) -> tuple[bytes | memoryview, str]:
    try:
        raw = stored if chunk.codec is Codec.RAW else decode(chunk.codec, stored, chunk.raw_length)
    except ChunksError as error:
        return b"", str(error)
    if chunk_digest(raw) != chunk.digest:
        return b"", "its bytes do not have its digest"
    return raw, ""

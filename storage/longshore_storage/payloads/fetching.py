"""Reading chunks back from the blob store: ranged, joined, side by side, and verified before use.

Invariant: no raw byte leaves this module whose chunk does not have its BLAKE3 digest, wherever it is from.
What the store sent and does not match is read once more by itself; then it is ``CorruptBlob``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from longshore_chunks import ChunkDigest, ChunksError, Codec, PlacedChunk, chunk_digest, decode
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


class Joined(NamedTuple):
    """The raw bytes of a batch, in order, and how many of them did not have to be fetched."""

    runs: list[memoryview]
    reused_bytes: int


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

_Counted: TypeAlias = Callable[[int], None]


class ChunkFetcher:
    """Fetches batches of chunks; all that share one ``reads`` keep to its number of requests together."""

    def __init__(self, blobs: BlobStore, workers: Workers, reads: asyncio.Semaphore) -> None:
        self._blobs = blobs
        self._workers = workers
        self._reads = reads

    async def fetch(self, chunks: Sequence[PlacedChunk]) -> list[memoryview]:
        """The raw bytes of each of ``chunks``. Raises ``BlobNotFound`` and ``CorruptBlob``.

        What is stored uncompressed is a view of what was sent.
        """
        raws = await self._verified(chunks, _count_nothing)
        return [_view(raws, chunk) for chunk in chunks]

    async def fetch_joined(
        self, chunks: Sequence[PlacedChunk], known: Mapping[ChunkDigest, bytes], counted: _Counted
    ) -> Joined:
        """The same with chunks as one that lie side by side where they were sent from.

        What ``known`` has under a chunk's digest is not fetched, if it is that chunk. ``counted`` is told the
        size of every answer as it comes.
        """
        raws = await self._workers.run(_verify_known, chunks, known) if known else {}
        missing, reused_bytes = [], 0
        for chunk in chunks:
            if (chunk.pack_key, chunk.offset) in raws:
                reused_bytes += chunk.raw_length
            else:
                missing.append(chunk)
        raws |= await self._verified(missing, counted)
        return Joined(list(_runs(chunks, raws)), reused_bytes)

    async def _verified(self, chunks: Sequence[PlacedChunk], counted: _Counted) -> _Raws:
        if not chunks:
            return {}
        ranges = _joined(chunks)
        bodies = await together(
            self._get(part.key, part.offset, part.end - part.offset, counted) for part in ranges
        )
        raws, faults = await self._workers.run(_verify_all, ranges, bodies)
        for chunk in faults:
            body = await self._get(
                chunk.pack_key, chunk.offset, chunk.stored_length, counted, first_hand=True
            )
            raw, fault = await self._workers.run(_verify, chunk, body, 0)
            if fault:
                raise CorruptBlob(
                    chunk.pack_key, f"chunk {chunk.digest.hex()} at byte {chunk.offset}: {fault}"
                )
            raws[chunk.pack_key, chunk.offset] = raw
        return raws

    async def _get(
        self, key: str, offset: int, length: int, counted: _Counted, *, first_hand: bool = False
    ) -> bytes:
        async with self._reads:
            try:
                body = await self._blobs.get(key, offset, length, first_hand=first_hand)
            except CorruptBlob:
                body = await self._blobs.get(key, offset, length, first_hand=True)
        counted(len(body))
        return body


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


def _count_nothing(size_bytes: int) -> None:
    pass


def _verify_known(chunks: Iterable[PlacedChunk], known: Mapping[ChunkDigest, bytes]) -> _Raws:
    raws: _Raws = {}
    for chunk in chunks:
        raw = known.get(chunk.digest)
        if raw is not None and len(raw) == chunk.raw_length and chunk_digest(raw) == chunk.digest:
            raws[chunk.pack_key, chunk.offset] = _Raw(raw, 0)
    return raws


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

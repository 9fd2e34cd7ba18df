"""Looking at a whole pack file: is it, byte for byte, what was put?

Owns what counts as a fault; knows no rows. The index at the file's end is what ``rebuild`` reads, so a fault
in it counts although no payload needs it; whether a payload is touched is told by its own manifest's places.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from longshore_chunks import (
    ChunkDigest,
    ChunksError,
    PackEntry,
    PlacedChunk,
    check_pack_header,
    chunk_digest,
    decode,
    parse_pack_index,
)
from longshore_storage.errors import BlobNotFound, CorruptBlob
from longshore_storage.payloads.threads import Workers
from longshore_storage.ports import BlobStore


@dataclass(frozen=True, slots=True)
class PackExamination:
    """What one reading of a whole pack file told.

    ``fault`` is the first thing found wrong, in words; empty when nothing is. ``sound_chunks`` are the
    (offset, digest) of the index that are as they should be, ``damaged_chunks`` counts the others.
    """

    fault: str
    size_bytes: int
    body: bytes = field(repr=False)
    sound_chunks: frozenset[tuple[int, ChunkDigest]] = field(default=frozenset(), repr=False)
    damaged_chunks: int = 0

    def fault_of(self, chunk: PlacedChunk) -> str:
        """What is wrong with a chunk that a manifest places here, or an empty string."""
        if (chunk.offset, chunk.digest) in self.sound_chunks:
            return ""
        stored = memoryview(self.body)[chunk.offset : chunk.offset + chunk.stored_length]
        if len(stored) < chunk.stored_length:
            return self.fault or f"the file ends before byte {chunk.offset + chunk.stored_length}"
        try:
            raw = decode(chunk.codec, stored, chunk.raw_length)
        except ChunksError as error:
            return str(error)
        return "" if chunk_digest(raw) == chunk.digest else "its bytes do not have its digest"


async def examine_pack(blobs: BlobStore, workers: Workers, key: str, *, size_bytes: int) -> PackExamination:
    """Read the pack file, which was stored with ``size_bytes``, and look at every byte of it.

    Holds no more than that in memory, whatever the object has become. Raises ``BlobStoreUnavailable``.
    """
    try:
        found_bytes = (await blobs.stat(key)).size_bytes
        body = await blobs.get(key, 0, min(found_bytes, size_bytes), first_hand=True)
    except BlobNotFound:
        return PackExamination("it is gone", 0, b"")
    except CorruptBlob as error:
        return PackExamination(error.detail, 0, b"")
    if found_bytes != size_bytes:
        fault = f"it has {found_bytes} bytes, {size_bytes} were stored"
        return PackExamination(fault, found_bytes, body)
    return await workers.run(_examine, body)


def _examine(body: bytes) -> PackExamination:
    try:
        check_pack_header(body)
        entries = parse_pack_index(body, len(body))
    except ChunksError as error:
        return PackExamination(str(error), len(body), body)
    fault, damaged = "", 0
    sound: set[tuple[int, ChunkDigest]] = set()
    view = memoryview(body)
    for entry in entries:
        wrong = _fault_of_entry(view, entry)
        if wrong:
            damaged += 1
            fault = fault or f"chunk {entry.digest.hex()} at byte {entry.offset}: {wrong}"
        else:
            sound.add((entry.offset, entry.digest))
    return PackExamination(fault, len(body), body, frozenset(sound), damaged)


def _fault_of_entry(view: memoryview, entry: PackEntry) -> str:
    try:
        raw = decode(entry.codec, view[entry.offset : entry.offset + entry.stored_length], entry.raw_length)
    except ChunksError as error:
        return str(error)
    return "" if chunk_digest(raw) == entry.digest else "its bytes do not have its digest"

"""Copying stored chunks out of pack files that are to be emptied. Every byte is verified on the way.

A chunk is copied as it is stored, compressed or not; one that is damaged is not copied, and its pack file is
handed to whoever notes damage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from longshore_chunks import ChunksError, PlacedChunk, chunk_digest, decode
from longshore_storage.errors import BlobNotFound, CorruptBlob
from longshore_storage.payloads.new_packs import NewPacks
from longshore_storage.payloads.reader import Suspect
from longshore_storage.payloads.threads import Workers
from longshore_storage.ports import BlobStore

Place: TypeAlias = tuple[str, int]
"""A pack file's key and an offset in it."""

# Reading over a gap of this size costs less than another request.
_GAP_MAX_BYTES = 64 * 1024
_RUN_MAX_BYTES = 8 * 1024 * 1024


class _Run(NamedTuple):
    """Chunks of one pack file that are read together."""

    key: str
    offset: int
    length: int
    chunks: list[PlacedChunk]


async def copy_chunks(
    blobs: BlobStore,
    workers: Workers,
    chunks: Collection[PlacedChunk],
    new_packs: NewPacks,
    suspect: Suspect,
) -> dict[Place, PlacedChunk]:
    """Copy chunks into new pack files and tell, by their old places, where they lie now.

    Left out are those that are damaged or gone. Raises ``Unavailable``.
    """
    moved: dict[Place, PlacedChunk] = {}
    for run in _runs(sorted(chunks, key=lambda chunk: (chunk.pack_key, chunk.offset))):
        sound = await _read(blobs, workers, run)
        if sound is None or not all(sound):
            # Read once more by itself, as a whole, before anything is believed of it.
            await suspect(run.key)
            sound = await _read(blobs, workers, run)
        for chunk, stored in zip(run.chunks, sound or (), strict=bool(sound)):
            if stored:
                new = await new_packs.add(chunk.digest, chunk.codec, stored, chunk.raw_length)
                moved[chunk.pack_key, chunk.offset] = new
    return moved


async def _read(blobs: BlobStore, workers: Workers, run: _Run) -> list[bytes] | None:
    """The stored bytes of a run's chunks, empty for damaged ones; None when the range cannot be read."""
    try:
        body = await blobs.get(run.key, run.offset, run.length)
    except (BlobNotFound, CorruptBlob):
        return None
    return await workers.run(_verify, run, body)


def _verify(run: _Run, body: bytes) -> list[bytes]:
    stored_forms: list[bytes] = []
    for chunk in run.chunks:
        at = chunk.offset - run.offset
        stored = body[at : at + chunk.stored_length]
        try:
            is_sound = chunk_digest(decode(chunk.codec, stored, chunk.raw_length)) == chunk.digest
        except ChunksError:
            is_sound = False
        stored_forms.append(stored if is_sound else b"")
    return stored_forms


def _runs(chunks: Sequence[PlacedChunk]) -> Iterator[_Run]:
    run: _Run | None = None
    for chunk in chunks:
        end = chunk.offset + chunk.stored_length
        if (
            run is not None
            and run.key == chunk.pack_key
            and chunk.offset - (run.offset + run.length) <= _GAP_MAX_BYTES
            and end - run.offset <= _RUN_MAX_BYTES
        ):
            # Whoever lies may have one stand inside another.
            run = _Run(run.key, run.offset, max(run.length, end - run.offset), [*run.chunks, chunk])
            continue
        if run is not None:
            yield run
        run = _Run(chunk.pack_key, chunk.offset, chunk.stored_length, [chunk])
    if run is not None:
        yield run

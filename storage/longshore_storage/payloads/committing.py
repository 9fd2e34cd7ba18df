"""Making an upload's segments durable: pack files are put side by side, segments committed in order.

Owns the order of things that garbage collection counts on: a row ``WRITING`` before the object; then one
transaction that makes it ``STORED``, enters its chunks, pins it, appends the segment and raises the
durable offset, guarded by the upload's epoch. What breaks off in between leaves a ``WRITING`` row, by
which the object is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from longshore_chunks import PackWriter, PlacedChunk, encode_segment
from longshore_storage.catalogue import Catalogue, chunk_index, packs, uploads
from longshore_storage.errors import CatalogueUnavailable, CommitUnknown
from longshore_storage.ports import BlobStore

from .errors import PackFileGone, UploadTakenOver
from .pinned_index import PinnedIndex
from .tasks import TaskScope, Turn, Turns
from .threads import Workers


@dataclass(slots=True)
class Segment:
    """An ordered run of a payload's chunks, with the pack file that holds what is new of them."""

    pack_key: str = ""
    pack: PackWriter | None = None
    new_chunks: list[PlacedChunk] = field(default_factory=list)
    chunks: list[PlacedChunk] = field(default_factory=list)
    raw_bytes: int = 0
    received_bytes: int = 0
    reused_bytes: int = 0
    stored_bytes: int = 0


@dataclass(slots=True)
class StoredPart:
    """What is durable of an upload; counts are from the upload's first byte, over all its sessions."""

    durable_bytes: int
    next_segment: int
    received_bytes: int
    reused_bytes: int
    stored_bytes: int
    chunk_count: int = 0
    pack_keys: dict[str, None] = field(default_factory=dict)

    def add_chunks(self, chunks: Sequence[PlacedChunk]) -> None:
        """Count chunks that are durable."""
        self.chunk_count += len(chunks)
        self.pack_keys.update(dict.fromkeys(chunk.pack_key for chunk in chunks))


class SegmentCommitter:
    """Commits the segments of one upload session in the order in which they were submitted."""

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        workers: Workers,
        *,
        project: str,
        deployment_id: str,
        epoch: int,
        index: PinnedIndex,
        stored_part: StoredPart,
        scope: TaskScope,
        node_packs: asyncio.Semaphore,
        packs_per_upload: int,
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._workers = workers
        self._project = project
        self._deployment_id = deployment_id
        self._epoch = epoch
        self._index = index
        self._stored_part = stored_part
        self._scope = scope
        self._node_packs = node_packs
        self._own_packs = asyncio.Semaphore(packs_per_upload)
        self._turns = Turns()
        self._number = stored_part.next_segment
        self._end_offset = stored_part.durable_bytes
        self.last_commit_s = asyncio.get_running_loop().time()

    async def submit(self, segment: Segment, *, when_durable: Callable[[], None]) -> None:
        """Take a segment over, waiting until there is room for its pack file in flight.

        What fails afterwards ends the scope.
        """
        await self._own_packs.acquire()
        if segment.pack is not None:
            await self._node_packs.acquire()
        self._end_offset += segment.raw_bytes
        work = self._store(segment, self._number, self._end_offset, self._turns.take(), when_durable)
        self._number += 1
        self._scope.start(work, at_end=lambda: self._let_next_in(segment))

    async def drained(self) -> None:
        """Return when everything submitted is durable."""
        async with self._turns.take():
            pass

    def _let_next_in(self, segment: Segment) -> None:
        self._own_packs.release()
        if segment.pack is not None:
            self._node_packs.release()

    async def _store(
        self, segment: Segment, number: int, end_offset: int, turn: Turn, when_durable: Callable[[], None]
    ) -> None:
        pack_size_bytes = await self._put(segment)
        row = uploads.SegmentRow(
            number=number,
            end_offset=end_offset,
            chunk_count=len(segment.chunks),
            chunks=await self._workers.run(encode_segment, segment.chunks),
            received_bytes=segment.received_bytes,
            reused_bytes=segment.reused_bytes,
            stored_bytes=segment.stored_bytes,
        )
        async with turn:
            await self._commit(segment, row, pack_size_bytes)
            self._note(segment, row)
            when_durable()

    async def _put(self, segment: Segment) -> int:
        if segment.pack is None:
            return 0
        pack = await self._workers.run(segment.pack.finish)
        async with self._catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, segment.pack_key)
        await self._blobs.put(segment.pack_key, pack.parts, crc32c=pack.crc32c)
        return pack.size_bytes

    async def _commit(self, segment: Segment, row: uploads.SegmentRow, pack_size_bytes: int) -> None:
        try:
            async with self._catalogue.transaction() as transaction:
                # First, for it locks the upload's row: the pin below needs it to stay.
                if not await uploads.append_segment(transaction, self._deployment_id, self._epoch, row):
                    raise UploadTakenOver(self._deployment_id)
                if segment.pack is not None:
                    if not await packs.mark_stored(transaction, segment.pack_key, pack_size_bytes):
                        raise PackFileGone(f"pack file {segment.pack_key}")
                    await chunk_index.add_chunks(transaction, self._project, segment.new_chunks)
                    await packs.pin_own_pack(transaction, self._deployment_id, segment.pack_key)
        except CommitUnknown as error:
            if not await self._took_effect(row):
                raise CatalogueUnavailable(f"{error}; it did not take effect: resume the upload") from error

    async def _took_effect(self, row: uploads.SegmentRow) -> bool:
        async with self._catalogue.reading() as transaction:
            upload = await uploads.get_upload(transaction, self._deployment_id)
        if upload is None or upload.epoch != self._epoch:
            raise UploadTakenOver(self._deployment_id)
        return upload.next_segment > row.number

    def _note(self, segment: Segment, row: uploads.SegmentRow) -> None:
        self.last_commit_s = asyncio.get_running_loop().time()
        if segment.pack is not None:
            self._index.note_pinned(segment.pack_key)
        part = self._stored_part
        part.add_chunks(segment.chunks)
        part.durable_bytes, part.next_segment = row.end_offset, row.number + 1
        part.received_bytes += row.received_bytes
        part.reused_bytes += row.reused_bytes
        part.stored_bytes += row.stored_bytes

"""One upload session: takes bytes in order, by either way, and makes them a stored payload.

Invariants: everything below ``durable_bytes`` is committed and survives whatever happens next; nothing is
written once another session has taken the upload over; a payload is recorded only after every one of its
bytes was hashed here, the stored part of earlier sessions included, which is read back for that.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import aclosing, suppress

from longshore_storage.catalogue import Catalogue, uploads
from longshore_storage.catalogue.uploads import Upload
from longshore_storage.ports import BlobStore

from .admission import Place
from .assembling import Assembler
from .chunk_count import ChunkCount
from .chunks_way import ChunksWay
from .committing import SegmentCommitter, StoredPart
from .entries import ChunkEntry, Follow, StoredPayload
from .errors import (
    OffsetMismatch,
    PayloadEmpty,
    Sha256Mismatch,
    SizeMismatch,
    UploadTakenOver,
    UploadWayMixed,
)
from .fetching import Batch, ChunkFetcher, batches
from .holding import Hold
from .own_chunks import OwnChunks
from .pinned_index import PinnedIndex
from .plain_way import PlainWay
from .recording import record_payload
from .segments import stored_chunks
from .settings import PayloadSettings
from .tasks import TaskScope, in_order
from .threads import Workers


class PayloadWriter:
    """Made by ``PayloadStore.writer``; its methods are called by the task that entered that block only.

    Any error that is raised ends the session: leave the block. What is durable remains, for the session
    that resumes at ``durable_bytes``.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        workers: Workers,
        settings: PayloadSettings,
        *,
        upload: Upload,
        project: str,
        scope: TaskScope,
        fetcher: ChunkFetcher,
        node_packs: asyncio.Semaphore,
        place: Place,
        own_chunks: OwnChunks | None,
        follow: Follow,
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._workers = workers
        self._settings = settings
        self._upload = upload
        self._scope = scope
        self._fetcher = fetcher
        self._place = place
        self._own_chunks = own_chunks
        self._follow = follow
        self._count = ChunkCount(settings.max_chunks)
        self._part = StoredPart(
            durable_bytes=upload.durable_bytes,
            next_segment=upload.next_segment,
            received_bytes=upload.received_bytes,
            reused_bytes=upload.reused_bytes,
            stored_bytes=upload.stored_bytes,
        )
        index = PinnedIndex(catalogue, project=project, deployment_id=upload.deployment_id)
        self._committer = SegmentCommitter(
            catalogue,
            blobs,
            workers,
            project=project,
            deployment_id=upload.deployment_id,
            epoch=upload.epoch,
            index=index,
            stored_part=self._part,
            scope=scope,
            node_packs=node_packs,
            packs_per_upload=settings.packs_per_upload,
        )
        self._assembler = Assembler(
            workers,
            index,
            self._committer,
            self._count,
            pack_bytes=settings.pack_bytes,
            encoders=settings.threads,
            tells_reuse=own_chunks is None,
        )
        self.hold = Hold(
            catalogue,
            upload.deployment_id,
            upload.epoch,
            heartbeat_s=settings.heartbeat_s,
            last_sign_s=lambda: self._committer.last_commit_s,
        )
        self._sha256 = hashlib.sha256()
        self._offset = upload.durable_bytes
        self._way: PlainWay | ChunksWay | None = None
        self._is_settling = False
        self._begun = False

    @property
    def durable_bytes(self) -> int:
        """Where the stored part ends: what is below survives, a broken-off upload resumes here."""
        return self._part.durable_bytes

    @property
    def offset(self) -> int:
        """Where the next bytes are expected."""
        return self._offset

    async def add_data(self, offset: int, data: bytes) -> None:
        """Take the payload's next bytes, which begin at ``offset``.

        Waits while enough is under way. Raises ``OffsetMismatch``, ``UploadWayMixed``, ``SizeMismatch``,
        ``ChunkLimitExceeded`` now or at a later call, and what storing raises.
        """
        self._expect(offset, len(data))
        way = await self._plain_way()
        self._offset += len(data)
        await way.add(data)

    async def add_chunks(self, offset: int, entries: Sequence[ChunkEntry]) -> None:
        """Take the payload's next chunks, the first of which begins at ``offset``.

        Waits while enough is under way. Raises what ``add_data`` does and, now or at a later call,
        ``ChunkInvalid``, ``ChunkFrameInvalid``, ``ChunkMissing`` and ``TooManyChunks``.
        """
        self._expect(offset, sum(entry.raw_size for entry in entries))
        way = await self._chunks_way()
        if self._own_chunks is not None:
            self._own_chunks.take(entries)
        for entry in entries:
            self._offset += entry.raw_size
            await way.add(entry)

    async def flush(self) -> None:
        """Make durable what came so far, but for bytes at the end whose cut is not certain yet."""
        self._is_settling = True
        if self._way is not None:
            await self._way.placed()
        await self._assembler.flush()
        await self._committer.drained()

    async def keep_what_came(self, *, within_s: float) -> None:
        """Make durable what came so far, as far as that goes in the given time; for one that breaks off.

        Does nothing after ``flush`` or ``finish``: what was cancelled in there lets nothing else pass.
        """
        if self._way is None or self._is_settling or self._scope.failed:
            return
        # A task of the scope: when something fails there, it ends with the rest.
        flushing = self._scope.start(self.flush())
        until_s = asyncio.get_running_loop().time() + within_s
        while not flushing.done() and (left_s := until_s - asyncio.get_running_loop().time()) > 0:
            # A call that was cut is told to be over by its end and by a cancellation, one after the other.
            with suppress(asyncio.CancelledError):
                await asyncio.wait([flushing], timeout=left_s)

    async def finish(
        self, declared_size_bytes: int | None = None, declared_sha256: str = ""
    ) -> StoredPayload:
        """End the payload: make it durable, verify it, and record it. Called once, after the last byte.

        Raises ``PayloadEmpty``, ``SizeMismatch``, ``Sha256Mismatch``, and what storing raises.
        """
        if self._offset == 0:
            raise PayloadEmpty
        if declared_size_bytes is not None and declared_size_bytes != self._offset:
            raise SizeMismatch(declared_size_bytes, self._offset)
        await self._begin()
        self._is_settling = True
        if self._way is not None:
            await self._way.finish()
        await self._assembler.flush()
        await self._committer.drained()
        sha256 = self._sha256.hexdigest()
        if declared_sha256 and declared_sha256 != sha256:
            raise Sha256Mismatch(declared_sha256, sha256)
        row = await record_payload(
            self._catalogue,
            self._blobs,
            self._workers,
            deployment_id=self._upload.deployment_id,
            epoch=self._upload.epoch,
            sha256=sha256,
            size_bytes=self._offset,
            chunk_count=self._part.chunk_count,
            pack_keys=self._part.pack_keys,
            cutting=self._settings.cutting,
        )
        return StoredPayload(
            sha256=row.sha256,
            size_bytes=row.size_bytes,
            chunk_count=row.chunk_count,
            manifest_key=row.manifest_key,
            received_bytes=self._part.received_bytes,
            reused_bytes=self._part.reused_bytes,
            stored_bytes=self._part.stored_bytes,
        )

    def _expect(self, offset: int, size_bytes: int) -> None:
        if offset != self._offset:
            raise OffsetMismatch(self._offset, offset)
        declared = self._upload.declared_size_bytes
        if declared is not None and offset + size_bytes > declared:
            raise SizeMismatch(declared, offset + size_bytes)

    async def _plain_way(self) -> PlainWay:
        if self._way is None:
            await self._go(PlainWay.name)
            self._way = PlainWay(
                self._workers,
                self._sha256,
                self._assembler,
                self._scope,
                self._follow,
                cutting=self._settings.cutting,
                batch_bytes=self._settings.batch_bytes,
                batches_in_flight=self._settings.batches_in_flight,
            )
        if not isinstance(self._way, PlainWay):
            raise UploadWayMixed(self._way.name, PlainWay.name)
        return self._way

    async def _chunks_way(self) -> ChunksWay:
        if self._way is None:
            await self._go(ChunksWay.name)
            self._way = ChunksWay(
                self._workers,
                self._sha256,
                self._assembler,
                self._scope,
                self._fetcher,
                self._follow,
                cutting=self._settings.cutting,
                batch_bytes=self._settings.batch_bytes,
                batches_in_flight=self._settings.batches_in_flight,
                chunk_count=self._part.chunk_count,
                size_bytes=self._offset,
            )
        if not isinstance(self._way, ChunksWay):
            raise UploadWayMixed(self._way.name, ChunksWay.name)
        return self._way

    async def _go(self, way: str) -> None:
        """Claim the way and begin."""
        if self._upload.way not in ("", way):
            raise UploadWayMixed(self._upload.way, way)
        if not self._upload.way:
            deployment_id, epoch = self._upload.deployment_id, self._upload.epoch
            async with self._catalogue.transaction() as transaction:
                claimed = await uploads.claim_way(transaction, deployment_id, epoch, way)
            if not claimed:
                # Only a session with another epoch can have claimed another way meanwhile.
                raise UploadTakenOver(deployment_id)
        await self._begin()

    async def _begin(self) -> None:
        """Wait for this upload's turn on this node, then hash the stored part of earlier sessions."""
        if self._begun:
            return
        await self._place.take()
        if self._upload.durable_bytes:
            await self._read_back()
        self._begun = True

    async def _read_back(self) -> None:
        chunks = stored_chunks(self._catalogue, self._workers, self._upload.deployment_id)
        ahead = in_order(
            batches(chunks, batch_bytes=self._settings.batch_bytes),
            self._fetch,
            at_once=self._settings.batches_in_flight,
        )
        async with aclosing(ahead) as fetched:
            async for batch, raws in fetched:
                self._part.add_chunks(batch.chunks)
                self._count.add(len(batch.chunks))
                if self._own_chunks is not None:
                    self._own_chunks.add(chunk.digest for chunk in batch.chunks)
                await self._workers.run(self._hash, raws)
                await self._follow(raws)

    async def _fetch(self, batch: Batch) -> tuple[Batch, list[memoryview]]:
        return batch, await self._fetcher.fetch(batch.chunks)

    def _hash(self, raws: Sequence[bytes | memoryview]) -> None:
        for raw in raws:
            self._sha256.update(raw)

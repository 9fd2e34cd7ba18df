"""The payload store: payloads as chunks in pack files, over a catalogue and a blob store.

Owns what all uploads and readers of a node share: the threads, and the limits that bound memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from longshore_chunks import ChunkDigest
from longshore_storage.catalogue import Catalogue, stored_payloads, uploads
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.errors import BlobNotFound, CorruptBlob
from longshore_storage.ports import BlobStore

from .admission import Place, Places
from .entries import Follow, follow_nothing
from .errors import PackFileDamaged, PayloadNotStored, UploadTakenOver
from .fetching import ChunkFetcher
from .holding import Hold
from .own_chunks import OwnChunks
from .pinned_index import PinnedIndex
from .reader import PayloadReader, Suspect, leave_alone
from .recording import keep_stored_payload
from .segments import without_damage
from .settings import PayloadSettings
from .tasks import TaskScope
from .threads import Workers
from .writer import PayloadWriter


class PayloadStore:
    """Writes and reads payloads; one for a node.

    Memory, whatever the payloads' sizes and however many uploads come at once: ``PayloadSettings`` tells
    what all uploads together hold at most, beside a message each; and, while an upload is recorded, its
    manifest (53 bytes a chunk). Uploads above the limit wait for a place: in ``Place.take``, which
    ``add_data`` and ``add_chunks`` call. One that has its place waits only for pack files in flight, and
    these wait for nothing but the stores, so that no ring of waiting can form.

    ``suspect`` is told of every object that a reader, an upload's read-back included, found wrong or gone.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        *,
        settings: PayloadSettings | None = None,
        suspect: Suspect = leave_alone,
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._suspect = suspect
        self.settings = settings or PayloadSettings()
        self._workers = Workers(self.settings.threads)
        self.places = Places(self.settings.uploads_at_once, self.settings.uploads_waiting)
        # Of the uploads that are written here just now, where their project may not be read.
        self._own_chunks: dict[str, OwnChunks] = {}
        self._packs = asyncio.Semaphore(self.settings.packs_in_flight)
        self._fetcher = ChunkFetcher(blobs, self._workers, asyncio.Semaphore(self.settings.reads_in_flight))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.close()

    @asynccontextmanager
    async def writer(
        self,
        *,
        deployment_id: str,
        project: str,
        epoch: int,
        readable: bool = True,
        place: Place | None = None,
        follow: Follow = follow_nothing,
    ) -> AsyncIterator[PayloadWriter]:
        """Write an upload, new or resumed, that this session holds under ``epoch``.

        Chunks are shared within ``project``; where it is not ``readable`` for the caller, references lead
        only to what the upload sent itself. A ``place`` that was booked for the upload is left at the end.
        ``follow`` is shown all of the payload's bytes, a stored part's as well; when ``finish`` returns, it
        has seen the last of them.

        The block's task is cancelled, and the block raises, when storing fails or the upload is taken over.
        At the end nothing of the session is left running; the upload's row stays, for the caller to drop or
        to let go. Raises ``UploadTakenOver``, and without a ``place`` ``TooManyUploads``.
        """
        place = place or self.places.book()
        own_chunks = None
        if not readable:
            own_chunks = self._own_chunks[deployment_id] = OwnChunks()
        try:
            async with self._catalogue.reading() as transaction:
                upload = await uploads.get_upload(transaction, deployment_id)
            if upload is None or upload.epoch != epoch:
                raise UploadTakenOver(deployment_id)
            upload = await without_damage(self._catalogue, self._workers, upload)
            async with self._damage_noted(), TaskScope() as scope:
                writer = PayloadWriter(
                    self._catalogue,
                    self._blobs,
                    self._workers,
                    self.settings,
                    upload=upload,
                    project=project,
                    scope=scope,
                    fetcher=self._fetcher,
                    node_packs=self._packs,
                    place=place,
                    own_chunks=own_chunks,
                    follow=follow,
                )
                scope.start(writer.hold.keep())
                yield writer
        finally:
            place.leave()
            if own_chunks is not None and self._own_chunks.get(deployment_id) is own_chunks:
                del self._own_chunks[deployment_id]

    @asynccontextmanager
    async def hold(self, *, deployment_id: str, epoch: int) -> AsyncIterator[Hold]:
        """Hold an upload of which nothing is to be written: show that the session is alive.

        The block's task is cancelled, and the block raises ``UploadTakenOver``, when it is lost.
        """
        async with TaskScope() as scope:
            hold = Hold(self._catalogue, deployment_id, epoch, heartbeat_s=self.settings.heartbeat_s)
            scope.start(hold.keep())
            yield hold

    @asynccontextmanager
    async def _damage_noted(self) -> AsyncIterator[None]:
        """What an upload counts on and cannot read back is looked at before the upload ends."""
        try:
            yield
        except (BlobNotFound, CorruptBlob) as error:
            if await self._suspect(error.key):
                raise PackFileDamaged(f"object {error.key}") from error
            raise

    async def keep(self, *, deployment_id: str, epoch: int, sha256: str) -> PayloadRow | None:
        """The payload if it is stored whole and sound, and kept for the upload until that ends.

        Raises ``UploadTakenOver`` when ``epoch`` no longer holds the upload.
        """
        return await keep_stored_payload(self._catalogue, deployment_id, epoch, sha256)

    @asynccontextmanager
    async def open(self, sha256: str, *, sparing: bool = False) -> AsyncIterator[PayloadReader]:
        """Read a stored payload; a ``sparing`` reader does with the memory of an upload's place.

        Raises ``PayloadNotStored``.
        """
        async with self._catalogue.reading() as transaction:
            row = await stored_payloads.get_payload(transaction, sha256)
        if row is None:
            raise PayloadNotStored(sha256)
        of = self.settings
        reader = PayloadReader(
            row,
            self._catalogue,
            self._blobs,
            self._workers,
            self._fetcher,
            batch_bytes=of.batch_bytes if sparing else of.read_batch_bytes,
            batches_in_flight=of.batches_in_flight if sparing else of.read_batches_in_flight,
            suspect=self._suspect,
        )
        try:
            yield reader
        finally:
            await reader.close()

    async def find_missing(
        self, *, deployment_id: str, project: str, digests: Sequence[ChunkDigest], readable: bool = True
    ) -> list[int]:
        """Which of ``digests`` (by place) the project lacks; what it has is pinned for the upload.

        Where it is not ``readable`` for the caller, everything is missing but what the upload's session
        here has sent. Raises ``UploadTakenOver`` when there is no such upload.
        """
        if not readable:
            own_chunks = self._own_chunks.get(deployment_id, OwnChunks())
            return [place for place, digest in enumerate(digests) if digest not in own_chunks]
        index = PinnedIndex(self._catalogue, project=project, deployment_id=deployment_id)
        found = await index.find(frozenset(digests))
        return [place for place, digest in enumerate(digests) if digest not in found]

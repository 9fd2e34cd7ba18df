"""Reading a stored payload: verified raw bytes in order, from any offset, fetched ahead.

Invariants: no byte comes out that was not verified against a manifest that was verified whole before; a
payload that was compacted or repaired meanwhile is gone on with where it was, by its new manifest; what
does not match is looked at as a whole before anybody hears of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TypeAlias

from longshore_storage.catalogue import Catalogue, stored_payloads
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.errors import (
    BlobNotFound,
    BlobStoreUnavailable,
    CatalogueUnavailable,
    CorruptBlob,
    StorageError,
)
from longshore_storage.ports import BlobStore

from .errors import PayloadNotStored
from .fetching import Batch, ChunkFetcher, batches
from .manifest_reading import StoredManifest
from .seeds import Seeds
from .settings import MIB
from .tasks import in_order
from .threads import Workers

_PIECE_MAX_BYTES = MIB
# What lies together in pieces of this size is handed on as it lies; less is joined first.
_JOINED_BELOW_BYTES = 256 * 1024

Suspect: TypeAlias = Callable[[str], Awaitable[bool]]
"""Looks at an object that was found wrong or gone; True when it is damaged, and that is noted by now."""


async def leave_alone(key: str) -> bool:
    """Where nobody notes damage."""
    return False


class PayloadReader:
    """Made by ``PayloadStore.open``; closed at the end of that block, with every stream of it.

    A stream holds at most ``3 × (batches_in_flight + 1) × batch_bytes`` in memory, for a payload of any
    size.
    """

    def __init__(
        self,
        row: PayloadRow,
        catalogue: Catalogue,
        blobs: BlobStore,
        workers: Workers,
        fetcher: ChunkFetcher,
        *,
        batch_bytes: int,
        batches_in_flight: int,
        suspect: Suspect,
    ) -> None:
        self._row = row
        self._catalogue = catalogue
        self._blobs = blobs
        self._workers = workers
        self._fetcher = fetcher
        self._batch_bytes = batch_bytes
        self._batches_in_flight = batches_in_flight
        self._suspect = suspect
        self._streams: list[AsyncGenerator[bytes | memoryview, None]] = []
        self._manifests: list[StoredManifest] = []
        self._verified: StoredManifest | None = None
        self._fetched_bytes = 0
        self._reused_bytes = 0

    @property
    def sha256(self) -> str:
        """The payload's name, 64 hexadecimal digits."""
        return self._row.sha256

    @property
    def size_bytes(self) -> int:
        """The payload's size."""
        return self._row.size_bytes

    @property
    def fetched_bytes(self) -> int:
        """How many bytes the blob store sent so far for this reader, the manifest's included."""
        return self._fetched_bytes + sum(manifest.fetched_bytes for manifest in self._manifests)

    @property
    def reused_bytes(self) -> int:
        """How many of the payload's bytes were taken from seeds instead, and handed on."""
        # What was read ahead and lost in a break is counted once more when it is read again.
        return min(self._reused_bytes, self.size_bytes)

    def stream(
        self, offset: int = 0, *, seeds: Seeds | None = None
    ) -> AsyncGenerator[bytes | memoryview, None]:
        """The payload's bytes from ``offset`` on, in pieces of at most 1 MiB; reads nothing before it.

        What ``seeds`` have is not fetched. After ``BlobStoreUnavailable`` a new stream goes on where the
        caller is, without reading the manifest again if it can be helped. A piece may be a view, which keeps
        in memory what was read together with it. Raises ``CorruptBlob``, ``PayloadNotStored`` when the
        payload was removed meanwhile, and ``BlobStoreUnavailable``. Raises ``ValueError`` for an offset
        outside the payload.
        """
        if not 0 <= offset <= self.size_bytes:
            raise ValueError(f"offset {offset} is outside the payload of {self.size_bytes} bytes")
        stream = self._stream(offset, seeds)
        self._streams.append(stream)
        return stream

    async def close(self) -> None:
        """End every stream that was left early."""
        for stream in self._streams:
            await stream.aclose()

    async def _stream(self, offset: int, seeds: Seeds | None) -> AsyncGenerator[bytes | memoryview, None]:
        doubted = -1
        while offset < self.size_bytes:
            try:
                async with aclosing(self._pieces(offset, seeds)) as pieces:
                    async for piece in pieces:
                        offset += len(piece)
                        yield piece
            except (BlobNotFound, CorruptBlob) as error:
                self._verified = None
                if await self._has_another_manifest(error):
                    continue
                if await self._suspect(error.key) or doubted == offset:
                    if isinstance(error, CorruptBlob):
                        raise
                    raise CorruptBlob(
                        error.key, f"it is gone, but payload {self.sha256} is made of it"
                    ) from error
                # The object is sound as a whole: what was read of it was changed on its way, so once more.
                doubted = offset
            except BlobStoreUnavailable as error:
                # A store of which a server is away does not say that an object is gone: then the row does.
                if not await self._was_moved_meanwhile(error):
                    raise
                self._verified = None

    async def _pieces(self, start: int, seeds: Seeds | None) -> AsyncGenerator[bytes | memoryview, None]:
        manifest = await self._manifest()

        async def fetch(batch: Batch) -> tuple[list[bytes | memoryview], int]:
            known = await seeds.find(batch) if seeds is not None else {}
            runs, reused_bytes = await self._fetcher.fetch_joined(batch.chunks, known, self._count)
            return await self._workers.run(_pieces_of, runs, max(start - batch.offset, 0)), reused_bytes

        ahead = in_order(
            batches(manifest.chunks(), batch_bytes=self._batch_bytes, start=start),
            fetch,
            at_once=self._batches_in_flight,
        )
        async with aclosing(ahead) as fetched:
            async for pieces, reused_bytes in fetched:
                self._reused_bytes += reused_bytes
                for piece in pieces:
                    yield piece

    async def _manifest(self) -> StoredManifest:
        """The payload's manifest, verified whole."""
        if self._verified is None:
            manifest = StoredManifest.of(self._row, self._blobs, self._workers)
            self._manifests.append(manifest)
            await manifest.verify()
            self._verified = manifest
        return self._verified

    def _count(self, size_bytes: int) -> None:
        self._fetched_bytes += size_bytes

    async def _was_moved_meanwhile(self, error: BlobStoreUnavailable) -> bool:
        """After an object was not to be had: whether it may be one that the payload needs no more."""
        try:
            return await self._has_another_manifest(error)
        except CatalogueUnavailable:
            return False

    async def _has_another_manifest(self, error: StorageError) -> bool:
        """Whether the payload was compacted or repaired since its row was read, which is read again."""
        async with self._catalogue.reading() as transaction:
            row = await stored_payloads.get_payload(transaction, self.sha256)
        if row is None:
            raise PayloadNotStored(self.sha256) from error
        has_another = row.manifest_key != self._row.manifest_key
        self._row = row
        return has_another


def _pieces_of(runs: Sequence[memoryview], start: int) -> list[bytes | memoryview]:
    """The bytes of ``runs`` from ``start`` on, in pieces of at most 1 MiB."""
    pieces: list[bytes | memoryview] = []
    held: list[memoryview] = []
    held_bytes = 0
    for run in runs:
        left = run[start:]
        start = max(start - len(run), 0)
        if held_bytes + len(left) > _PIECE_MAX_BYTES or len(left) >= _JOINED_BELOW_BYTES:
            pieces.append(b"".join(held))
            held, held_bytes = [], 0
        if len(left) >= _JOINED_BELOW_BYTES:
            pieces += (left[at : at + _PIECE_MAX_BYTES] for at in range(0, len(left), _PIECE_MAX_BYTES))
        else:
            held.append(left)
            held_bytes += len(left)
    pieces.append(b"".join(held))
    return [piece for piece in pieces if piece]

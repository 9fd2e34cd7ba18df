"""Reading a stored manifest as a stream, whatever its size: the places of a payload's chunks, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from longshore_chunks import ChunksError, ManifestHeader, ManifestReader, PlacedChunk
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.errors import CorruptBlob
from longshore_storage.ports import BlobStore

from .threads import Workers

# About 5,000 chunks, some 300 MB of payload.
_PIECE_BYTES = 256 * 1024


class StoredManifest:
    """One payload's manifest. A small one is read once; of a large one nothing is kept.

    It must be that of ``sha256`` and ``size_bytes`` where these are known. ``header`` is there once it was
    read to its end, and certain. ``first_hand`` as for a ``BlobStore``; what seemed damaged is read so.
    """

    def __init__(
        self,
        blobs: BlobStore,
        workers: Workers,
        key: str,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        first_hand: bool = False,
    ) -> None:
        self.key = key
        self._blobs = blobs
        self._workers = workers
        self._sha256 = sha256
        self._size_bytes = size_bytes
        self._first_hand = first_hand
        self._whole: bytes | None = None
        self.fetched_bytes = 0
        self.header: ManifestHeader | None = None

    @classmethod
    def of(
        cls, row: PayloadRow, blobs: BlobStore, workers: Workers, *, first_hand: bool = False
    ) -> StoredManifest:
        """The manifest of a stored payload."""
        return cls(
            blobs,
            workers,
            row.manifest_key,
            sha256=row.sha256,
            size_bytes=row.size_bytes,
            first_hand=first_hand,
        )

    async def verify(self) -> None:
        """Read all of it, so that nothing is made of a damaged one; twice when it seems so.

        Raises ``BlobNotFound`` and ``CorruptBlob``.
        """
        try:
            await self._read_through()
        except CorruptBlob:
            self._whole = None
            self._first_hand = True
            await self._read_through()

    async def chunks(self) -> AsyncGenerator[list[PlacedChunk], None]:
        """The chunks in the payload's order. Ends normally only when the manifest's digest matched."""
        reader = ManifestReader()
        async with aclosing(self._pieces()) as pieces:
            async for piece in pieces:
                try:
                    chunks = await self._workers.run(reader.feed, piece)
                except ChunksError as error:
                    raise CorruptBlob(self.key, str(error)) from error
                yield chunks
        try:
            header = reader.finish()
        except ChunksError as error:
            raise CorruptBlob(self.key, str(error)) from error
        found = (header.payload_sha256.hex(), header.size_bytes)
        if found != (self._sha256 or found[0], found[1] if self._size_bytes is None else self._size_bytes):
            raise CorruptBlob(self.key, f"it is the manifest of another payload than {self._sha256}")
        if self.key.rpartition("-")[2] != reader.digest.hex():
            raise CorruptBlob(self.key, "it is not the manifest that was put there")
        self.header = header

    async def _read_through(self) -> None:
        async with aclosing(self.chunks()) as chunks:
            async for _ in chunks:
                pass

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        if self._whole is not None:
            yield self._whole
            return
        size_bytes = (await self._blobs.stat(self.key)).size_bytes
        for at in range(0, size_bytes, _PIECE_BYTES):
            length = min(_PIECE_BYTES, size_bytes - at)
            piece = await self._blobs.get(self.key, at, length, first_hand=self._first_hand)
            self.fetched_bytes += len(piece)
            if len(piece) == size_bytes:
                self._whole = piece
            yield piece

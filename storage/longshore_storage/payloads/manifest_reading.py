"""Reading a stored manifest as a stream, whatever its size: the places of a payload's chunks, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from longshore_chunks import (
    MANIFEST_MAX_CHUNKS,
    ChunksError,
    ManifestHeader,
    ManifestReader,
    PlacedChunk,
    chunk_digest,
)
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.errors import CorruptBlob
from longshore_storage.ports import BlobStore

from .threads import Workers

# About 5,000 chunks, some 300 MB of payload.
_PIECE_BYTES = 256 * 1024


class StoredManifest:
    """One payload's manifest. A small one is read once; of a large one a digest of each piece is kept.

    It must be that of ``sha256`` and ``size_bytes`` where these are known, and have no more than
    ``chunk_count`` chunks. ``header`` is there once it was read to its end, and certain: who reads it once
    more gets the same bytes, whatever the store has by then, at 32 bytes of memory for a piece of 256 KiB.
    ``first_hand`` as for a ``BlobStore``; what seemed damaged is read so.
    """

    def __init__(
        self,
        blobs: BlobStore,
        workers: Workers,
        key: str,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        chunk_count: int = MANIFEST_MAX_CHUNKS,
        first_hand: bool = False,
    ) -> None:
        self.key = key
        self._blobs = blobs
        self._workers = workers
        self._sha256 = sha256
        self._size_bytes = size_bytes
        self._chunk_count = chunk_count
        self._first_hand = first_hand
        self._whole: bytes | None = None
        self._stored_bytes = 0
        self._piece_digests: list[bytes] = []
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
            chunk_count=row.chunk_count,
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
        """The chunks in the payload's order. Ends normally only when the manifest's digest matched.

        Until then they are only what the store says; once ``header`` is there, they are certain as they come.
        """
        reader = ManifestReader()
        left = self._chunk_count
        async with aclosing(self._pieces()) as pieces:
            async for piece in pieces:
                try:
                    chunks = await self._workers.run(reader.feed, piece)
                except ChunksError as error:
                    raise CorruptBlob(self.key, str(error)) from error
                left -= len(chunks)
                if left < 0:
                    raise CorruptBlob(self.key, f"it has more than {self._chunk_count} chunks")
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
        if self.header is not None:
            for number, digest in enumerate(self._piece_digests):
                yield await self._same_piece(number * _PIECE_BYTES, digest)
            return
        self._stored_bytes = (await self._blobs.stat(self.key)).size_bytes
        digests: list[bytes] = []
        for at in range(0, self._stored_bytes, _PIECE_BYTES):
            piece = await self._get(at, first_hand=self._first_hand)
            if len(piece) == self._stored_bytes:
                self._whole = piece
            else:
                digests.append(await self._workers.run(chunk_digest, piece))
            yield piece
        self._piece_digests = digests

    async def _same_piece(self, at: int, digest: bytes) -> bytes:
        """A piece as it was when the manifest was verified."""
        piece = await self._get(at, first_hand=self._first_hand)
        if await self._workers.run(chunk_digest, piece) != digest:
            piece = await self._get(at, first_hand=True)
            if await self._workers.run(chunk_digest, piece) != digest:
                raise CorruptBlob(self.key, f"it is not what it was: the piece at byte {at} is another one")
        return piece

    async def _get(self, at: int, *, first_hand: bool) -> bytes:
        length = min(_PIECE_BYTES, self._stored_bytes - at)
        piece = await self._blobs.get(self.key, at, length, first_hand=first_hand)
        self.fetched_bytes += len(piece)
        return piece

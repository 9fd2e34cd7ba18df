"""New pack files for payloads that are stored already: what compaction moves and what repair brings back.

Invariants: a row ``WRITING`` precedes each object, and stays so until ``name_packs``, in the transaction that
gives the first payload a manifest with chunks in it; so at every moment either a payload needs the pack file,
or the collector takes it for what a crash left. A row that was collected meanwhile undoes that transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from longshore_chunks import ChunkDigest, Codec, PackWriter, PlacedChunk
from longshore_storage.catalogue import Catalogue, Transaction, packs
from longshore_storage.ports import BlobStore

from .errors import PackFileGone
from .threads import Workers


@dataclass(frozen=True, slots=True)
class NewPack:
    """A pack file that was put: its key, size and chunks."""

    key: str
    size_bytes: int
    chunks: tuple[PlacedChunk, ...]


class NewPacks:
    """Collects stored chunks into pack files and puts each when it is full; holds one in memory."""

    def __init__(self, catalogue: Catalogue, blobs: BlobStore, workers: Workers, *, pack_bytes: int) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._workers = workers
        self._pack_bytes = pack_bytes
        self._key = ""
        self._writer: PackWriter | None = None
        self._chunks: list[PlacedChunk] = []
        self._put: dict[str, NewPack] = {}

    @property
    def put_packs(self) -> Collection[NewPack]:
        """What was put so far."""
        return self._put.values()

    async def add(self, digest: ChunkDigest, codec: Codec, stored: bytes, raw_length: int) -> PlacedChunk:
        """Take the next chunk and tell where it will lie; puts the pack file that it fills."""
        if self._writer is None:
            name = uuid.uuid4().hex
            self._key = f"packs/{name[:2]}/{name}"
            self._writer = PackWriter(self._pack_bytes)
        placed = self._writer.add(digest, codec, stored, raw_length).placed(self._key)
        self._chunks.append(placed)
        if self._writer.full:
            await self.finish()
        return placed

    async def finish(self) -> None:
        """Put the pack file that was begun, if one was."""
        if self._writer is None:
            return
        writer, key, chunks = self._writer, self._key, tuple(self._chunks)
        self._writer, self._chunks = None, []
        pack = await self._workers.run(writer.finish)
        async with self._catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, key)
        await self._blobs.put(key, pack.parts, crc32c=pack.crc32c)
        self._put[key] = NewPack(key, pack.size_bytes, chunks)

    async def name_packs(self, transaction: Transaction, keys: Collection[str]) -> list[NewPack]:
        """Make those of ``keys`` that are ours STORED, and tell which were not before.

        Raises ``PackFileGone`` when one was collected meanwhile: nothing of the transaction may remain.
        """
        named = []
        for key in sorted(self._put.keys() & set(keys)):
            if await packs.mark_stored(transaction, key, self._put[key].size_bytes):
                named.append(self._put[key])
            elif (await packs.lock_packs(transaction, [key])).get(key) != "STORED":
                raise PackFileGone(f"pack file {key}")
        return named

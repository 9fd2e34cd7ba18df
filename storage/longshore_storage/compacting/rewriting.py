"""Giving a payload a manifest in which what a round has moved stands at its new places.

One transaction a payload, by compare-and-set on the manifest that was read. The first that names a new pack
file makes it STORED, and moves the index rows of its chunks.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from longshore_chunks import ManifestHeader, PlacedChunk
from longshore_storage.catalogue import Catalogue, compacting, packs, stored_payloads
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.errors import BlobNotFound, CommitUnknown, CorruptBlob
from longshore_storage.payloads import PackFileGone
from longshore_storage.payloads.manifest_reading import StoredManifest
from longshore_storage.payloads.manifest_writing import put_manifest
from longshore_storage.payloads.new_packs import NewPacks
from longshore_storage.payloads.threads import Workers
from longshore_storage.ports import BlobStore

from .copying import Place


@dataclass(frozen=True, slots=True)
class Moved:
    """What a round has moved: out of which pack files, from where to where, and into what."""

    old_keys: frozenset[str]
    places: dict[Place, PlacedChunk]
    origins: dict[Place, PlacedChunk]
    new_packs: NewPacks

    async def applied_to(self, manifest: StoredManifest) -> AsyncGenerator[list[PlacedChunk], None]:
        """A manifest's chunks at the places where they lie now.

        At its old place stays what was not moved, and what is not the chunk that was moved from there.
        """
        async with aclosing(manifest.chunks()) as pages:
            async for chunks in pages:
                yield [self._now(chunk) if chunk.pack_key in self.old_keys else chunk for chunk in chunks]

    def _now(self, chunk: PlacedChunk) -> PlacedChunk:
        new = self.places.get((chunk.pack_key, chunk.offset))
        if new is None or (new.digest, new.raw_length) != (chunk.digest, chunk.raw_length):
            return chunk
        return new


class PayloadRewriter:
    """Rewrites the manifests of one round's payloads."""

    def __init__(self, catalogue: Catalogue, blobs: BlobStore, workers: Workers, moved: Moved) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._workers = workers
        self._moved = moved
        self._new_keys = frozenset(pack.key for pack in moved.new_packs.put_packs)

    async def rewrite(self, row: PayloadRow) -> bool:
        """Give a payload a manifest without the old pack files; False when it is left as it is.

        Raises ``PackFileGone`` when the collector took a new pack file meanwhile: the round is lost.
        """
        manifest = StoredManifest.of(row, self._blobs, self._workers)
        try:
            header = await self._new_header(manifest)
            if header is None:
                return False
            chunks = self._moved.applied_to(manifest)
            key = await put_manifest(self._catalogue, self._blobs, self._workers, header, chunks)
        except (BlobNotFound, CorruptBlob):
            # It has another manifest by now, or is damaged, which whoever needs it will note.
            return False
        try:
            return await self._swap(row, header, key)
        except CommitUnknown:
            async with self._catalogue.reading() as transaction:
                found = await stored_payloads.get_payload(transaction, row.sha256)
            return found is not None and found.manifest_key == key

    async def _new_header(self, manifest: StoredManifest) -> ManifestHeader | None:
        pack_keys: dict[str, None] = {}
        async with aclosing(self._moved.applied_to(manifest)) as pages:
            async for chunks in pages:
                pack_keys.update(dict.fromkeys(chunk.pack_key for chunk in chunks))
        old = manifest.header
        if old is None or pack_keys.keys() & self._moved.old_keys or not pack_keys.keys() & self._new_keys:
            # Some of it was not copied: what is damaged was noted, what is disputed was looked at.
            return None
        return ManifestHeader(
            old.payload_sha256, old.size_bytes, old.parameters, tuple(pack_keys), old.chunk_count
        )

    async def _swap(self, row: PayloadRow, header: ManifestHeader, key: str) -> bool:
        keys = frozenset(header.pack_keys)
        async with self._catalogue.transaction() as transaction:
            if not await stored_payloads.take_manifest(transaction, key):
                return False
            gone = keys - (await packs.lock_packs(transaction, keys)).keys()
            if gone & self._new_keys:
                raise PackFileGone(f"pack file {min(gone)}")
            # Where another pack file is gone, the payload has another manifest by now.
            swapped = not gone and await stored_payloads.replace_manifest(
                transaction, row, manifest_key=key, chunk_count=header.chunk_count, pack_keys=keys
            )
            if not swapped:
                await stored_payloads.condemn(transaction, key)
                return False
            for pack in await self._moved.new_packs.name_packs(transaction, keys):
                pairs = [(self._moved.origins[pack.key, new.offset], new) for new in pack.chunks]
                await compacting.move_chunks(transaction, pairs)
        return True

"""Rebuilding rows from the blob store alone: for a catalogue that is empty, damaged, or older than the store.

Manifests lead: each that can be read, and whose pack files are all there, gives its payload back, with the
rows of these pack files; among several of one payload the newest that is whole. The index of chunks comes
back for the projects that have a release with the payload, else for the project that the caller names: only
the catalogue knew who had sent what. Releases, deployments and everything else are in backups of the
database alone. Existing rows are never changed, so a rebuild may be done again at any time, also after it
broke off. What is condemned stays condemned.

A manifest was put only after every byte of its payload had been hashed, so its sha256 is believed; the bytes
of the pack files are not read here: scrub afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from longshore_chunks import (
    FOOTER_LENGTH,
    ChunksError,
    ManifestHeader,
    parse_pack_footer,
    parse_pack_index,
)
from longshore_storage.catalogue import (
    Catalogue,
    chunk_index,
    damage,
    garbage,
    projects,
    rebuilding,
    stored_payloads,
)
from longshore_storage.catalogue.rebuilding import FoundPack
from longshore_storage.errors import BlobNotFound, ConstraintViolated, CorruptBlob
from longshore_storage.payloads.manifest_reading import StoredManifest
from longshore_storage.payloads.tasks import together
from longshore_storage.payloads.threads import Workers
from longshore_storage.ports import BlobStore

_log = structlog.get_logger(__name__)

_READS_AT_ONCE = 8
# An index of 256 chunks, what a pack file has on average, and more.
_TAIL_BYTES = 32 * 1024
_KEPT_UNNAMED = timedelta(days=30)
_MOST_TOLD = 100


@dataclass(slots=True)
class RebuildReport:
    """What a rebuild found and did.

    ``payloads`` are all that the store holds whole, ``restored_payloads`` those that had no row;
    ``unnamed_payloads`` are named by no release, ``unindexed_payloads`` have chunks in no project's index.
    ``unusable`` tells, up to a hundred times, which manifests gave nothing and why; ``unusable_count`` has
    them all.
    """

    total_manifests: int = 0
    manifests: int = 0
    payloads: int = 0
    restored_payloads: int = 0
    restored_packs: int = 0
    linked_releases: int = 0
    indexed_chunks: int = 0
    unnamed_payloads: int = 0
    unindexed_payloads: int = 0
    unusable_count: int = 0
    unusable: list[str] = field(default_factory=list)

    def add_unusable(self, key: str, why: str) -> None:
        """Note a manifest that gave nothing."""
        self.unusable_count += 1
        if len(self.unusable) < _MOST_TOLD:
            self.unusable.append(f"{key}: {why}")


class Rebuild:
    """Rebuilds once. Holds a key for each manifest of the store and a size for each pack file in memory.

    ``index_project`` gets the chunks of payloads that no release names; None leaves them out.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        workers: Workers,
        *,
        index_project: str | None = None,
        keep_unnamed: timedelta = _KEPT_UNNAMED,
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._workers = workers
        self._index_project = index_project
        self._keep_unnamed = keep_unnamed
        self._packs: dict[str, FoundPack | None] = {}
        self._report = RebuildReport()

    async def run(self, tell: Callable[[RebuildReport], None] = lambda report: None) -> RebuildReport:
        """Rebuild; ``tell`` is called after each manifest. Raises ``Unavailable``: do it again."""
        if self._index_project is not None:
            async with self._catalogue.transaction() as transaction:
                await projects.ensure_project(transaction, self._index_project, self._index_project)
        stored = [(stat.modified_time, stat.key) async for stat in self._blobs.list("manifests/")]
        self._report.total_manifests = len(stored)
        # A payload that was compacted may have its old manifest still, until the collector's grace ends.
        for _, key in sorted(stored, reverse=True):
            self._report.manifests += 1
            await self._restore(key)
            tell(self._report)
        return self._report

    async def _restore(self, key: str) -> None:
        """Bring back the payload that has the manifest, unless it has another one already."""
        manifest = StoredManifest(self._blobs, self._workers, key, first_hand=True)
        try:
            await manifest.verify()
            assert manifest.header is not None
            sha256 = manifest.header.payload_sha256.hex()
            async with self._catalogue.reading() as transaction:
                row = await stored_payloads.get_payload(transaction, sha256)
            if row is not None and row.manifest_key != key:
                return
            if row is None and not await self._restore_rows(manifest.header, key):
                return
            self._report.payloads += 1
            await self._restore_index(sha256, manifest)
        except (BlobNotFound, CorruptBlob) as error:
            self._report.add_unusable(key, str(error))

    async def _restore_rows(self, header: ManifestHeader, key: str) -> bool:
        sha256 = header.payload_sha256.hex()
        found = await self._find_packs(header.pack_keys)
        gone = [pack_key for pack_key, pack in found.items() if pack is None]
        if gone:
            self._report.add_unusable(key, f"{len(gone)} of its pack files are gone, the first is {gone[0]}")
            return False
        try:
            async with self._catalogue.transaction() as transaction:
                await garbage.claim_orphans(transaction, [key, *header.pack_keys])
                condemned = await rebuilding.condemned_among(transaction, [key, *header.pack_keys])
                if condemned or await rebuilding.is_draft(transaction, key):
                    self._report.add_unusable(key, "it is condemned, or just being written")
                    return False
                packs = await rebuilding.restore_packs(
                    transaction, {pack_key: pack for pack_key, pack in found.items() if pack is not None}
                )
                inserted = await stored_payloads.insert_payload(
                    transaction,
                    sha256=sha256,
                    size_bytes=header.size_bytes,
                    chunk_count=header.chunk_count,
                    manifest_key=key,
                    pack_keys=header.pack_keys,
                )
                linked = await rebuilding.link_releases(transaction, sha256) if inserted else 0
                if inserted and not linked:
                    await rebuilding.keep_for(transaction, sha256, self._keep_unnamed)
        except ConstraintViolated as error:
            # A collector took a pack file's row in between, which condemned its object.
            self._report.add_unusable(key, f"it was collected meanwhile: {error}")
            return False
        self._report.restored_packs += packs
        self._report.restored_payloads += inserted
        self._report.linked_releases += linked
        return True

    async def _find_packs(self, keys: Sequence[str]) -> dict[str, FoundPack | None]:
        unknown = [key for key in keys if key not in self._packs]
        for at in range(0, len(unknown), _READS_AT_ONCE):
            page = unknown[at : at + _READS_AT_ONCE]
            self._packs.update(zip(page, await together(map(self._find_pack, page)), strict=True))
        return {key: self._packs[key] for key in keys}

    async def _find_pack(self, key: str) -> FoundPack | None:
        """A pack file's size, and whether it ends with an index; None when it is gone."""
        try:
            size_bytes = (await self._blobs.stat(key)).size_bytes
            tail = await self._tail(key, size_bytes, _TAIL_BYTES)
            footer = parse_pack_footer(tail, size_bytes)
            if footer.tail_length > len(tail):
                tail = await self._tail(key, size_bytes, footer.tail_length)
            await self._workers.run(parse_pack_index, tail, size_bytes)
        except BlobNotFound:
            return None
        except (ChunksError, CorruptBlob) as error:
            # Its chunks may be sound, and the manifest knows their places: what is lost, a scrub tells.
            _log.warning("pack_file.damaged", key=key, fault=str(error))
            return FoundPack(size_bytes, is_sound=False)
        return FoundPack(size_bytes, is_sound=True)

    async def _tail(self, key: str, size_bytes: int, length: int) -> bytes:
        length = min(max(length, FOOTER_LENGTH), size_bytes)
        return await self._blobs.get(key, size_bytes - length, length, first_hand=True)

    async def _restore_index(self, sha256: str, manifest: StoredManifest) -> None:
        async with self._catalogue.reading() as transaction:
            owners = list(await damage.projects_of(transaction, sha256))
            sound = await damage.sound_packs_of(transaction, sha256)
        if not owners:
            self._report.unnamed_payloads += 1
            if self._index_project is None:
                self._report.unindexed_payloads += 1
                return
            owners = [self._index_project]
        async with aclosing(manifest.chunks()) as pages:
            async for chunks in pages:
                indexed = {chunk.digest: chunk for chunk in chunks if chunk.pack_key in sound}
                if not indexed:
                    continue
                async with self._catalogue.transaction() as transaction:
                    for owner in owners:
                        await chunk_index.add_chunks(transaction, owner, indexed.values())
                        self._report.indexed_chunks += len(indexed)

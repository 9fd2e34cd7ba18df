"""Repairing a damaged payload with its bytes from somebody who has them: a node's tree, a file on a disk.

The bytes are believed only when their sha256 is the payload's. Chunks that lie in sound pack files of the
payload stay there; the others go into new ones; one transaction gives the payload a manifest of both. Until
then nothing that anybody reads has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from longshore_chunks import (
    ChunkDigest,
    Codec,
    Cutter,
    CuttingParameters,
    ManifestHeader,
    PlacedChunk,
    chunk_digest,
    decode_segment,
    encode,
    encode_segment,
)
from longshore_storage.catalogue import Catalogue, chunk_index, damage, packs, stored_payloads
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.rows import Actor
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.payloads import PackFileDamaged, PackFileGone, PayloadNotStored, Sha256Mismatch
from longshore_storage.payloads.manifest_writing import put_manifest
from longshore_storage.payloads.new_packs import NewPacks
from longshore_storage.payloads.threads import Workers
from longshore_storage.ports import BlobStore

if TYPE_CHECKING:
    from hashlib import _Hash

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Work:
    """One repair: what the payload has, and what came of it so far. ``segments`` are encoded, in order."""

    row: PayloadRow
    projects: Sequence[str]
    own_packs: frozenset[str]
    cutter: Cutter
    new_packs: NewPacks
    sha256: _Hash = field(default_factory=hashlib.sha256)
    size_bytes: int = 0
    chunk_count: int = 0
    new_places: dict[ChunkDigest, PlacedChunk] = field(default_factory=dict)
    pack_keys: dict[str, None] = field(default_factory=dict)
    segments: list[bytes] = field(default_factory=list)


class PayloadRepair:
    """Repairs payloads; two repairs of one payload at once are harmless, one of them wins.

    Each holds a block, its chunks and one pack file in memory, and its list of chunks (53 bytes each).
    """

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        workers: Workers,
        *,
        cutting: CuttingParameters,
        pack_bytes: int,
        actor: Actor,
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._workers = workers
        self._cutting = cutting
        self._pack_bytes = pack_bytes
        self._actor = actor

    async def repair_payload(self, sha256: str, blocks: AsyncGenerator[bytes, None]) -> bool:
        """Store a damaged payload anew from ``blocks``, all of its bytes; False when it is sound (by now).

        Closes ``blocks``. Raises ``Sha256Mismatch`` when they are not the payload, ``PayloadNotStored``, and
        ``UploadLost`` when a pack file was lost meanwhile: try again.
        """
        async with aclosing(blocks):
            work = await self._begin(sha256)
            if not work.row.damage:
                return False
            async for block in blocks:
                work.size_bytes += len(block)
                if work.size_bytes > work.row.size_bytes:
                    raise Sha256Mismatch(sha256, f"more than its {work.row.size_bytes} bytes")
                await self._place(work, await self._workers.run(_cut, work, block))
        await self._place(work, await self._workers.run(_cut, work, None))
        found = work.sha256.hexdigest()
        if found != sha256:
            raise Sha256Mismatch(sha256, found)
        await work.new_packs.finish()
        return await self._record(work)

    async def _begin(self, sha256: str) -> _Work:
        async with self._catalogue.reading() as transaction:
            row = await stored_payloads.get_payload(transaction, sha256)
            if row is None:
                raise PayloadNotStored(sha256)
            return _Work(
                row,
                await damage.projects_of(transaction, sha256),
                # These the payload keeps until it has another manifest; nothing else is certain to stay.
                await damage.sound_packs_of(transaction, sha256),
                Cutter(self._cutting),
                NewPacks(self._catalogue, self._blobs, self._workers, pack_bytes=self._pack_bytes),
            )

    async def _place(self, work: _Work, raws: Sequence[tuple[ChunkDigest, bytes]]) -> None:
        if not raws:
            return
        known = await self._known(work, {digest for digest, _ in raws} - work.new_places.keys())
        new = {digest: raw for digest, raw in raws if digest not in known and digest not in work.new_places}
        for digest, (codec, stored) in (await self._workers.run(_encode_all, new)).items():
            place = await work.new_packs.add(digest, codec, stored, len(new[digest]))
            work.new_places[digest] = place
        places = [known.get(digest) or work.new_places[digest] for digest, _ in raws]
        work.chunk_count += len(places)
        work.pack_keys.update(dict.fromkeys(place.pack_key for place in places))
        work.segments.append(await self._workers.run(encode_segment, places))

    async def _known(self, work: _Work, digests: set[ChunkDigest]) -> dict[ChunkDigest, PlacedChunk]:
        known: dict[ChunkDigest, PlacedChunk] = {}
        async with self._catalogue.reading() as transaction:
            for project in work.projects:
                found = await chunk_index.find_chunks(transaction, project, digests - known.keys())
                known.update(
                    (digest, chunk) for digest, chunk in found.items() if chunk.pack_key in work.own_packs
                )
        return known

    async def _record(self, work: _Work) -> bool:
        row = work.row
        header = ManifestHeader(
            bytes.fromhex(row.sha256), row.size_bytes, self._cutting, tuple(work.pack_keys), work.chunk_count
        )
        chunks = self._chunks(work.segments)
        manifest_key = await put_manifest(self._catalogue, self._blobs, self._workers, header, chunks)
        async with self._catalogue.transaction() as transaction:
            if not await stored_payloads.take_manifest(transaction, manifest_key):
                raise PackFileGone(f"manifest {manifest_key}")
            states = await packs.lock_packs(transaction, work.pack_keys)
            if "DAMAGED" in states.values():
                raise PackFileDamaged(f"a pack file of payload {row.sha256}")
            if len(states) < len(work.pack_keys):
                raise PackFileGone(f"a pack file of payload {row.sha256}")
            repaired = await stored_payloads.replace_manifest(
                transaction,
                row,
                manifest_key=manifest_key,
                chunk_count=work.chunk_count,
                pack_keys=work.pack_keys,
            )
            if not repaired:
                await stored_payloads.condemn(transaction, manifest_key)
                return False
            for pack in await work.new_packs.name_packs(transaction, work.pack_keys):
                for project in work.projects:
                    await chunk_index.add_chunks(transaction, project, pack.chunks)
            for release in await damage.releases_of(transaction, row.sha256):
                await record_audit(
                    transaction,
                    self._actor,
                    "payload.repaired",
                    project=release.project,
                    version=release.version,
                    from_status="DAMAGED",
                    to_status="STORED",
                    message=row.damage,
                )
        _log.info("payload.repaired", sha256=row.sha256, by=self._actor.principal, damage=row.damage)
        return True

    async def _chunks(self, segments: Sequence[bytes]) -> AsyncGenerator[list[PlacedChunk], None]:
        for segment in segments:
            yield await self._workers.run(decode_segment, segment)


def _cut(work: _Work, block: bytes | None) -> list[tuple[ChunkDigest, bytes]]:
    """Hash and cut the next block; None ends the payload."""
    if block is None:
        raws = work.cutter.finish()
    else:
        work.sha256.update(block)
        raws = work.cutter.feed(block)
    return [(chunk_digest(raw), raw) for raw in raws]


def _encode_all(raws: dict[ChunkDigest, bytes]) -> dict[ChunkDigest, tuple[Codec, bytes]]:
    return {digest: encode(raw) for digest, raw in raws.items()}

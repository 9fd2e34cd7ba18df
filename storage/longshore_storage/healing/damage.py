"""Noting damage: what a reader found wrong is read once more as a whole, and then told to everybody at once.

Owns the one transaction in which a pack file's chunks leave the index and the payloads that need a damaged
byte stop counting as stored, with an audit row for every release that is touched. A payload that uses only
what is sound of a damaged pack file stays as it is. Refuses to take anybody's word: an object that is sound
when it is read here is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import structlog

from longshore_storage.catalogue import Catalogue, Transaction, damage
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.damage import PackRow
from longshore_storage.catalogue.rows import Actor
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.errors import BlobNotFound, CorruptBlob
from longshore_storage.payloads.manifest_reading import StoredManifest
from longshore_storage.payloads.threads import Workers
from longshore_storage.ports import BlobStore

from .examining import PackExamination, examine_pack

_log = structlog.get_logger(__name__)

# The line in the log is for a person; the audit trail has them all.
_RELEASES_LOGGED = 20


class DamageMarker:
    """Confirms damage and notes it. Looks at one object at a time, so it holds one pack file at most."""

    def __init__(self, catalogue: Catalogue, blobs: BlobStore, workers: Workers, *, actor: Actor) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._workers = workers
        self._actor = actor
        self._one = asyncio.Lock()

    async def suspect(self, key: str) -> bool:
        """Read an object that was found wrong or gone; True when it is, and that is noted by now.

        False when it is sound, and when no row names it (any more). Raises ``Unavailable`` when that cannot
        be told now.
        """
        async with self._one:
            async with self._catalogue.reading() as transaction:
                pack = await damage.get_pack(transaction, key)
                payload = await damage.payload_of_manifest(transaction, key)
            if pack is not None and pack.state != "WRITING":
                return await self._suspect_pack(pack)
            if payload is not None:
                return await self._suspect_manifest(payload)
            return False

    async def mark_payload(self, row: PayloadRow, what: str) -> bool:
        """Note that a payload cannot be read, for a certain reason; False when that is noted already."""
        async with self._catalogue.transaction() as transaction:
            return await self._mark(transaction, row, what)

    async def _suspect_pack(self, pack: PackRow) -> bool:
        examination = await examine_pack(self._blobs, self._workers, pack.key, size_bytes=pack.size_bytes)
        judged: dict[tuple[str, str], str] = {}
        while True:
            async with self._catalogue.reading() as transaction:
                rows = await damage.payloads_of_pack(transaction, pack.key)
            for row in rows:
                if (row.sha256, row.manifest_key) not in judged:
                    what = await self._what_it_does_to(row, pack.key, examination)
                    judged[row.sha256, row.manifest_key] = what
            if not examination.fault and not any(judged.values()):
                return False
            if await self._note(pack.key, examination, judged):
                return True

    async def _note(self, key: str, examination: PackExamination, judged: dict[tuple[str, str], str]) -> bool:
        """Mark the pack file and the payloads; False when some payload has come since they were judged."""
        async with self._catalogue.transaction() as transaction:
            if await damage.lock_pack(transaction, key) is None:
                # Collected: whoever needed it has another manifest by now, or is gone.
                return True
            rows = await damage.payloads_of_pack(transaction, key)
            if any((row.sha256, row.manifest_key) not in judged for row in rows):
                return False
            # Payloads before the index, as whoever moves chunks does it: else both could wait in a ring.
            for row in rows:
                what = judged[row.sha256, row.manifest_key]
                if what:
                    await self._mark(transaction, row, what)
            newly = bool(examination.fault) and await damage.mark_pack(transaction, key)
        if newly:
            _log.error("pack_file.damaged", key=key, fault=examination.fault)
        return True

    async def _what_it_does_to(self, row: PayloadRow, key: str, examination: PackExamination) -> str:
        """What is wrong with a payload because of a pack file, or an empty string."""
        if not examination.body:
            return f"pack file {key}: {examination.fault}"
        manifest = StoredManifest.of(row, self._blobs, self._workers, first_hand=True)
        what = ""
        try:
            # To its end, since only then it is certain that the manifest is the row's.
            async with aclosing(manifest.chunks()) as pages:
                async for chunks in pages:
                    here = [chunk for chunk in chunks if chunk.pack_key == key and not what]
                    for chunk in here:
                        fault = examination.fault_of(chunk)
                        if fault:
                            place = f"chunk {chunk.digest.hex()} at byte {chunk.offset}"
                            what = f"pack file {key}, {place}: {fault}"
                            break
        except (BlobNotFound, CorruptBlob):
            # That is for whoever reads the manifest; nothing can be told of the pack file by it.
            return ""
        return what

    async def _suspect_manifest(self, row: PayloadRow) -> bool:
        manifest = StoredManifest.of(row, self._blobs, self._workers, first_hand=True)
        try:
            await manifest.verify()
        except BlobNotFound:
            what = f"manifest {row.manifest_key}: it is gone"
        except CorruptBlob as error:
            what = f"manifest {row.manifest_key}: {error.detail}"
        else:
            return False
        await self.mark_payload(row, what)
        return True

    async def _mark(self, transaction: Transaction, row: PayloadRow, what: str) -> bool:
        if not await damage.mark_payload(transaction, row, what):
            return False
        releases = await damage.releases_of(transaction, row.sha256)
        for release in releases:
            await record_audit(
                transaction,
                self._actor,
                "payload.damaged",
                project=release.project,
                version=release.version,
                from_status="STORED",
                to_status="DAMAGED",
                message=what,
            )
        _log.error("payload.damaged", sha256=row.sha256, damage=what, releases=_told(releases))
        return True


def _told(releases: Sequence[damage.ReleaseName]) -> list[str]:
    named = [f"{release.project} {release.version}" for release in releases[:_RELEASES_LOGGED]]
    more = len(releases) - len(named)
    return [*named, f"and {more} more"] if more else named

"""Scrubbing: every stored byte that a row names is read at a set rate, before somebody needs it.

First every pack file by its key, header, index and each chunk's digest; then every payload by its sha256:
its manifest, and that the rows name exactly the manifest's pack files. What looks wrong is handed to
``DamageMarker``, which reads it again; what was marked and is sound again (an object that came back from a
replica, a store that gave wrong bytes for a while) is absolved. The place reached is kept, a page at a time,
so that a scrub that breaks off goes on there.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass

import structlog

from longshore_storage.catalogue import Catalogue, chores, damage, scrubbing
from longshore_storage.catalogue.damage import PackRow
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.errors import BlobNotFound, BlobStoreUnavailable, CorruptBlob
from longshore_storage.payloads import PayloadNotStored, PayloadStore
from longshore_storage.payloads.manifest_reading import StoredManifest
from longshore_storage.payloads.tasks import in_order
from longshore_storage.payloads.threads import Workers
from longshore_storage.ports import BlobStore

from .damage import DamageMarker
from .examining import PackExamination, examine_pack
from .pace import Pace

_log = structlog.get_logger(__name__)

_CHORE = "scrub"
# A page is what a broken-off scrub reads again.
_PACKS_A_PAGE = 16
_PAYLOADS_A_PAGE = 100
# One is read while another is hashed; each holds a pack file.
_PACKS_AT_ONCE = 2


@dataclass(slots=True)
class ScrubProgress:
    """How far a scrub has come, and what it found, from its begin on, over all its runs.

    ``after`` is the key or sha256 that was looked at last, in ``phase`` PACKS or PAYLOADS. ``damaged`` counts
    objects and payloads that are damaged now, whoever found it; ``unreadable`` objects that the store failed
    to give although it answers for others; ``absolved`` what was marked and is sound again.
    """

    phase: str = "PACKS"
    after: str = ""
    packs: int = 0
    payloads: int = 0
    chunks: int = 0
    read_bytes: int = 0
    damaged: int = 0
    unreadable: int = 0
    absolved: int = 0


class Scrub:
    """Reads everything once. ``payloads`` reads what was marked, so it must not note damage by itself."""

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        workers: Workers,
        payloads: PayloadStore,
        marker: DamageMarker,
        *,
        rate_bytes_s: float | None,
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._workers = workers
        self._payloads = payloads
        self._marker = marker
        self._rate_bytes_s = rate_bytes_s
        self._progress = ScrubProgress()

    async def total_bytes(self) -> int:
        """About how much there is to read, the part before a resumed place included."""
        async with self._catalogue.reading() as transaction:
            return await scrubbing.stored_bytes(transaction)

    async def run(
        self, *, resume: bool = False, tell: Callable[[ScrubProgress], None] = lambda progress: None
    ) -> ScrubProgress:
        """Scrub from the begin, or with ``resume`` from where the last one broke off, to the end.

        ``tell`` is called after each page. Raises ``Unavailable`` when a store is away; the place is kept.
        """
        self._progress = await self._begun(resume=resume)
        pace = Pace(self._rate_bytes_s)
        tell(self._progress)
        if self._progress.phase == "PACKS":
            while page := await self._pack_page():
                await self._scrub_packs(page, pace)
                await self._keep_place(tell)
            self._progress.phase, self._progress.after = "PAYLOADS", ""
        while rows := await self._payload_page():
            for row in rows:
                await self._scrub_payload(row, pace)
                self._progress.after = row.sha256
            await self._keep_place(tell)
        async with self._catalogue.transaction() as transaction:
            await chores.mark_done(transaction, _CHORE)
        return self._progress

    async def _begun(self, *, resume: bool) -> ScrubProgress:
        async with self._catalogue.reading() as transaction:
            place = (await chores.get_chore(transaction, _CHORE)).place
        return ScrubProgress(**json.loads(place)) if resume and place else ScrubProgress()

    async def _keep_place(self, tell: Callable[[ScrubProgress], None]) -> None:
        async with self._catalogue.transaction() as transaction:
            await chores.set_place(transaction, _CHORE, json.dumps(asdict(self._progress)))
        tell(self._progress)

    async def _pack_page(self) -> list[PackRow]:
        async with self._catalogue.reading() as transaction:
            return list(await scrubbing.packs_after(transaction, self._progress.after, limit=_PACKS_A_PAGE))

    async def _payload_page(self) -> list[PayloadRow]:
        async with self._catalogue.reading() as transaction:
            return list(
                await scrubbing.payloads_after(transaction, self._progress.after, limit=_PAYLOADS_A_PAGE)
            )

    async def _scrub_packs(self, page: list[PackRow], pace: Pace) -> None:
        async def rows() -> AsyncGenerator[PackRow, None]:
            for row in page:
                await pace.take(row.size_bytes)
                yield row

        async def examine(row: PackRow) -> tuple[PackRow, PackExamination | BlobStoreUnavailable]:
            try:
                return row, await examine_pack(self._blobs, self._workers, row.key, size_bytes=row.size_bytes)
            except BlobStoreUnavailable as error:
                return row, error

        async with aclosing(in_order(rows(), examine, at_once=_PACKS_AT_ONCE)) as examined:
            async for row, result in examined:
                if isinstance(result, BlobStoreUnavailable):
                    await self._unreadable(row.key, result)
                else:
                    await self._judge_pack(row, result)
                self._progress.packs += 1
                self._progress.after = row.key

    async def _judge_pack(self, row: PackRow, examination: PackExamination) -> None:
        progress = self._progress
        progress.read_bytes += examination.size_bytes
        progress.chunks += len(examination.sound_chunks) + examination.damaged_chunks
        if examination.fault:
            try:
                progress.damaged += await self._marker.suspect(row.key)
            except BlobStoreUnavailable as error:
                await self._unreadable(row.key, error)
        elif row.state == "DAMAGED":
            async with self._catalogue.transaction() as transaction:
                progress.absolved += await damage.absolve_pack(transaction, row.key)
            _log.info("pack_file.absolved", key=row.key)

    async def _scrub_payload(self, row: PayloadRow, pace: Pace) -> None:
        self._progress.payloads += 1
        try:
            fault = await self._fault_of_manifest(row, pace)
            if row.damage:
                await self._judge_marked(row, fault or await self._fault_in_reading(row, pace))
            elif fault:
                self._progress.damaged += await self._marker.mark_payload(row, fault)
        except (BlobNotFound, CorruptBlob):
            self._progress.damaged += await self._marker.suspect(row.manifest_key)
        except BlobStoreUnavailable as error:
            await self._unreadable(row.manifest_key, error)

    async def _fault_of_manifest(self, row: PayloadRow, pace: Pace) -> str:
        """What is wrong between a manifest and the rows. Raises what reading it raises."""
        manifest = StoredManifest.of(row, self._blobs, self._workers, first_hand=True)
        pack_keys: dict[str, None] = {}
        chunk_count = 0
        async with aclosing(manifest.chunks()) as pages:
            async for chunks in pages:
                chunk_count += len(chunks)
                pack_keys.update(dict.fromkeys(chunk.pack_key for chunk in chunks))
        self._progress.read_bytes += manifest.fetched_bytes
        await pace.take(manifest.fetched_bytes)
        async with self._catalogue.reading() as transaction:
            if await damage.payload_of_manifest(transaction, row.manifest_key) is None:
                # Compacted, repaired or collected meanwhile: what it is now was made by reading it.
                return ""
            named = await damage.pack_keys_of(transaction, row.sha256)
        if named == pack_keys.keys() and chunk_count == row.chunk_count:
            return ""
        return f"manifest {row.manifest_key}: it names other pack files or chunks than the rows do"

    async def _fault_in_reading(self, row: PayloadRow, pace: Pace) -> str:
        """What whoever downloads the payload would meet."""
        try:
            async with self._payloads.open(row.sha256) as reader, aclosing(reader.stream()) as stream:
                async for piece in stream:
                    await pace.take(len(piece))
                self._progress.read_bytes += reader.fetched_bytes
        except (CorruptBlob, PayloadNotStored) as error:
            return str(error)
        return ""

    async def _judge_marked(self, row: PayloadRow, fault: str) -> None:
        if fault:
            self._progress.damaged += 1
            return
        async with self._catalogue.transaction() as transaction:
            absolved = await damage.absolve_payload(transaction, row)
        self._progress.absolved += absolved
        _log.info("payload.absolved", sha256=row.sha256)

    async def _unreadable(self, key: str, error: BlobStoreUnavailable) -> None:
        """Count an object that a store cannot give that is well otherwise; raise when it is not."""
        await self._blobs.check()
        self._progress.unreadable += 1
        _log.error("object.unreadable", key=key, error=str(error))

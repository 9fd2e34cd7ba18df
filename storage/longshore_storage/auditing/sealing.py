"""Sealing: entries that are settled become batches, each batch's head is anchored, old batches go.

Nothing here holds a lock that a new entry would need. Entries are read and hashed outside of transactions, a
page at a time and with pauses, so that a node which seals many goes on answering; what is written is one row
of ``audit_seal``, whose number two that seal at once cannot both take. A batch is sealed first and anchored
then: broken off between the two, it is anchored by the next run, and its anchor is the same whoever puts it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog

from longshore_storage.catalogue import Catalogue, audit_seals
from longshore_storage.catalogue.audit_seals import BEGIN, Unsettled
from longshore_storage.catalogue.rows import Actor, AuditSeal
from longshore_storage.errors import ConstraintViolated, StorageError
from longshore_storage.ports import BlobStore

from .anchors import put_anchor
from .proof import make_seal, row_digest, rows_sha256

_log = structlog.get_logger(__name__)

BATCH: Final = 1000
# A millisecond or two of a core, in which nothing else is done.
_PAGE: Final = 250
_PAUSE_S: Final = 0.005
_ANCHORED_AT_ONCE: Final = 100
_REMOVED_AT_ONCE: Final = 10
# Above what the database lets a transaction idle; one that takes longer is waited for by the next run.
_LONGEST_WAIT_S: Final = 15.0
_LOOK_AGAIN_S: Final = 0.05


@dataclass(slots=True)
class SealingReport:
    """What one run did."""

    batches: int = 0
    entries: int = 0
    anchored: int = 0
    removed: int = 0


class Sealing:
    """Seals one catalogue's trail. ``keep_for`` says when entries go; None keeps them for ever.

    ``sealed`` is told of each batch; ``actor`` stands in the trail where entries are removed.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        *,
        actor: Actor,
        keep_for: timedelta | None = None,
        sealed: Callable[[], None] = lambda: None,
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._actor = actor
        self._keep_for = keep_for
        self._sealed = sealed

    async def run(self) -> SealingReport:
        """Seal what is settled by now, anchor it, remove what is old. Raises what the stores raise."""
        report = SealingReport()
        async with self._catalogue.reading() as transaction:
            chain = await audit_seals.chain_id(transaction)
            highest = await audit_seals.highest_id(transaction)
            previous = await audit_seals.last_seal(transaction)
        if not chain:
            async with self._catalogue.transaction() as transaction:
                chain = await audit_seals.name_chain(transaction)
        through = await self._settled(highest)
        reachable, is_last = True, False
        while not is_last and (sealed := await self._seal_next(chain, previous, through)) is not None:
            seal, digests = sealed
            report.batches += 1
            report.entries += seal.entry_count
            self._sealed()
            # What cannot be anchored just now is sealed all the same.
            reachable = reachable and await self._anchor_new(chain, seal, digests, report)
            previous, is_last = seal, seal.entry_count < BATCH
        await self._anchor_rest(chain, report)
        if self._keep_for is not None:
            await self._remove(self._keep_for, report)
        return report

    async def _settled(self, highest: Unsettled) -> int:
        """The id up to which no entry can appear any more; 0 where that is not known in time."""
        given_up_at = time.monotonic() + _LONGEST_WAIT_S
        writers = highest.writers
        while writers:
            if time.monotonic() > given_up_at:
                _log.warning("audit.unsettled", writers=len(writers))
                return 0
            await asyncio.sleep(_LOOK_AGAIN_S)
            async with self._catalogue.reading() as transaction:
                writers = await audit_seals.still_writing(transaction, writers)
        return highest.last_id

    async def _seal_next(
        self, chain: str, previous: AuditSeal | None, through: int
    ) -> tuple[AuditSeal, Mapping[int, str]] | None:
        """Seal the next batch, with its entries' digests; None where nothing is left or another one seals."""
        digests = await self._read_digests(previous, through)
        if not digests:
            return None
        try:
            async with self._catalogue.transaction() as transaction:
                seal = make_seal(digests, previous, chain, await transaction.now())
                await audit_seals.insert_seal(transaction, seal)
        except ConstraintViolated:
            return None
        return seal, digests

    async def _read_digests(self, previous: AuditSeal | None, through: int) -> Mapping[int, str]:
        """The digests by id of the entries of the batch that follows ``previous``."""
        after = previous.last_id if previous else BEGIN
        digests: dict[int, str] = {}
        async with self._catalogue.reading() as transaction:
            while limit := min(_PAGE, BATCH - len(digests)):
                rows = await audit_seals.rows_after(transaction, after, through=through, limit=limit)
                digests.update(zip([row[0] for row in rows], _digests(rows), strict=True))
                if len(rows) < limit:
                    break
                after = rows[-1][0]
                await asyncio.sleep(_PAUSE_S)
        return digests

    async def _anchor_new(
        self, chain: str, seal: AuditSeal, digests: Mapping[int, str], report: SealingReport
    ) -> bool:
        """Anchor what was just sealed; whether that was possible."""
        try:
            await self._put(chain, seal, digests, report)
        except StorageError:
            return False
        return True

    async def _anchor_rest(self, chain: str, report: SealingReport) -> None:
        while True:
            async with self._catalogue.reading() as transaction:
                seals = await audit_seals.unanchored_seals(transaction, limit=_ANCHORED_AT_ONCE)
            for seal in seals:
                await self._anchor_again(chain, seal, report)
            if len(seals) < _ANCHORED_AT_ONCE:
                return

    async def _anchor_again(self, chain: str, seal: AuditSeal, report: SealingReport) -> None:
        """Anchor what an earlier run has sealed, or what could not be anchored."""
        async with self._catalogue.reading() as transaction:
            before = await audit_seals.get_seal(transaction, seal.number - 1)
        digests = await self._read_digests(before, seal.last_id)
        if rows_sha256(digests.values()) != seal.rows_sha256:
            # Changed already. What was sealed is anchored all the same: verifying finds it.
            _log.error("audit.changed_before_anchoring", number=seal.number)
            digests = {}
        await self._put(chain, seal, digests, report)

    async def _put(
        self, chain: str, seal: AuditSeal, digests: Mapping[int, str], report: SealingReport
    ) -> None:
        await put_anchor(self._blobs, chain, seal, digests)
        async with self._catalogue.transaction() as transaction:
            await audit_seals.mark_anchored(transaction, seal.number)
        report.anchored += 1

    async def _remove(self, keep_for: timedelta, report: SealingReport) -> None:
        while True:
            async with self._catalogue.transaction() as transaction:
                before = await transaction.now() - keep_for
                found = await audit_seals.lock_old_seals(transaction, before=before, limit=_REMOVED_AT_ONCE)
                # A clock that was set back leaves gaps among those that are old.
                seals = [seal for at, seal in enumerate(found) if seal.number == found[0].number + at]
                if seals:
                    report.removed += await audit_seals.remove_entries(transaction, seals, self._actor)
            if len(seals) < _REMOVED_AT_ONCE:
                return


def _digests(rows: Sequence[Sequence[Any]]) -> Sequence[str]:
    return [row_digest(row) for row in rows]

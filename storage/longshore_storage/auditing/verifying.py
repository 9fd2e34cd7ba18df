"""Verifying: the database's entries and seals held against each other, and both against the anchors.

Reads only, page by page, beside whoever writes, seals and removes. What is not sealed yet is only counted:
nothing proves it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from longshore_storage.catalogue import Catalogue, audit_seals
from longshore_storage.catalogue.audit_seals import BEGIN
from longshore_storage.catalogue.rows import AuditSeal
from longshore_storage.ports import BlobStore

from .anchors import Anchor, anchored_digests, is_anchored, list_anchors
from .findings import Fault, Finding, Verified
from .forks import Restoration, forked, forked_chains
from .proof import head, row_digest, rows_sha256
from .removals import Removals

# A clock that was set back.
_SLACK: Final = timedelta(minutes=1)
_SEALS: Final = 500
_PAGE: Final = 1000


async def verify(
    catalogue: Catalogue,
    blobs: BlobStore,
    counted: Verified,
    *,
    keep_for: timedelta | None = None,
    restorations: Collection[Restoration] = (),
) -> AsyncGenerator[Finding, None]:
    """Everything that is wrong, in the order of the batches. Raises what the stores raise.

    ``keep_for`` is the least that retention has ever kept entries for; None where none may be gone.
    ``restorations`` are those that there were: what they explain is told, and expected.
    """
    async with catalogue.reading() as transaction:
        chain = await audit_seals.chain_id(transaction)
    looking = _Verifying(catalogue, blobs, chain, counted, Removals(catalogue, keep_for), restorations)
    for looked in (forked_chains(blobs, chain, restorations), looking.run()):
        async with aclosing(looked) as findings:
            async for finding in findings:
                if finding.expected:
                    counted.expected += 1
                else:
                    counted.findings += 1
                yield finding
    async with catalogue.reading() as transaction:
        counted.unsealed_entries = await audit_seals.count_unsealed(transaction)


class _Anchors:
    """The anchors of a chain, taken number by number."""

    def __init__(self, anchors: AsyncIterator[Anchor]) -> None:
        self._anchors = anchors
        self._next: Anchor | None = None
        self._begun = False

    async def through(self, number: int | None) -> Sequence[Anchor]:
        """The next ones up to ``number``, all that are left where that is None."""
        taken = []
        if not self._begun:
            self._begun = True
            await self._step()
        while self._next is not None and (number is None or self._next.number <= number):
            taken.append(self._next)
            await self._step()
        return taken

    async def _step(self) -> None:
        self._next = await anext(self._anchors, None)


class _Verifying:
    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        chain: str,
        counted: Verified,
        removals: Removals,
        restorations: Collection[Restoration],
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._chain = chain
        self._counted = counted
        self._removals = removals
        self._restorations = restorations

    async def run(self) -> AsyncGenerator[Finding, None]:
        anchors = _Anchors(list_anchors(self._blobs, self._chain))
        previous: AuditSeal | None = None
        while True:
            async with self._catalogue.reading() as transaction:
                page = await audit_seals.seals_after(
                    transaction, previous.number if previous else 0, limit=_SEALS
                )
                now = await transaction.now()
            for seal in page:
                for finding in self._chained(seal, previous, now):
                    yield finding
                for finding in await self._anchored(seal, await anchors.through(seal.number)):
                    yield finding
                async for finding in self._entries(seal, previous):
                    yield finding
                self._counted.batches += 1
                previous = seal
            if len(page) < _SEALS:
                break
        for anchor in await anchors.through(None):
            # Sealed and anchored only now is no fault.
            async with self._catalogue.reading() as transaction:
                sealed = await audit_seals.get_seal(transaction, anchor.number)
            if sealed is None or sealed.head != anchor.head:
                yield await self._forked(anchor)

    async def _forked(self, anchor: Anchor) -> Finding:
        return await forked(self._blobs, self._chain, anchor, self._restorations)

    def _chained(self, seal: AuditSeal, previous: AuditSeal | None, now: datetime) -> Sequence[Finding]:
        found = []
        expected = previous.number + 1 if previous else 1
        if seal.number != expected:
            gone = (
                f"batch {expected}"
                if seal.number == expected + 1
                else f"batches {expected} to {seal.number - 1}"
            )
            found.append(Finding(Fault.REMOVED, expected, None, f"the seal of {gone} is gone"))
        elif seal.previous_head != (previous.head if previous else ""):
            found.append(
                Finding(Fault.REWRITTEN, seal.number, None, "its seal does not follow from the one before")
            )
        if (previous and seal.time < previous.time) or seal.time > now + _SLACK:
            found.append(Finding(Fault.REWRITTEN, seal.number, None, "its seal was not made when it says"))
        if head(seal, self._chain) != seal.head:
            found.append(Finding(Fault.CHANGED, seal.number, None, "its seal is not as it was made"))
        return found

    async def _anchored(self, seal: AuditSeal, anchors: Sequence[Anchor]) -> Sequence[Finding]:
        """What anchors tell of a seal, and of seals that are gone before it."""
        found = [await self._forked(one) for one in anchors if one != Anchor(seal.number, seal.head)]
        if Anchor(seal.number, seal.head) in anchors or await is_anchored(self._blobs, self._chain, seal):
            return found
        if seal.anchor_time is None:
            self._counted.unanchored_batches += 1
        else:
            found.append(
                Finding(
                    Fault.REMOVED, seal.number, None, "its head is gone from the blob store, or is another"
                )
            )
        return found

    async def _entries(self, seal: AuditSeal, previous: AuditSeal | None) -> AsyncGenerator[Finding, None]:
        after = previous.last_id if previous else BEGIN
        digests = await self._digests(after, seal)
        if seal.removal_id is None and _proves(seal, digests):
            self._counted.entries += len(digests)
            return
        # Retention may have removed the batch since the seal was read.
        async with self._catalogue.reading() as transaction:
            now = await audit_seals.get_seal(transaction, seal.number) or seal
        if now.removal_id is not None:
            self._counted.removed_batches += 1
            for finding in await self._removed(now, after):
                yield finding
            return
        for finding in await self._compared(seal, digests):
            yield finding

    async def _digests(self, after: int, seal: AuditSeal) -> Mapping[int, str]:
        digests: dict[int, str] = {}
        while True:
            async with self._catalogue.reading() as transaction:
                page = await audit_seals.rows_after(transaction, after, through=seal.last_id, limit=_PAGE)
            digests |= {row[0]: row_digest(row) for row in page}
            if len(page) < _PAGE:
                return digests
            after = page[-1][0]

    async def _removed(self, seal: AuditSeal, after: int) -> Sequence[Finding]:
        found = [
            Finding(Fault.INSERTED, seal.number, entry_id, "retention had removed its batch")
            for entry_id in await self._digests(after, seal)
        ]
        if wrong := await self._removals.why_wrong(seal):
            found.append(Finding(Fault.REMOVED, seal.number, None, wrong))
        return found

    async def _compared(self, seal: AuditSeal, digests: Mapping[int, str]) -> Sequence[Finding]:
        sealed = await anchored_digests(self._blobs, self._chain, seal)
        if sealed is None:
            told = f"its {len(digests)} entries are not the {seal.entry_count} that were sealed"
            return [Finding(Fault.CHANGED, seal.number, None, told)]
        found = []
        for entry_id in sorted(digests.keys() | sealed.keys()):
            if entry_id not in digests:
                found.append(Finding(Fault.REMOVED, seal.number, entry_id, "it was sealed, and is gone"))
            elif entry_id not in sealed:
                found.append(Finding(Fault.INSERTED, seal.number, entry_id, "it came after the seal"))
            elif digests[entry_id] != sealed[entry_id]:
                found.append(Finding(Fault.CHANGED, seal.number, entry_id, "it is not as it was sealed"))
        if not found:
            # The entries are those of the anchor, and the seal claims others.
            found.append(Finding(Fault.CHANGED, seal.number, None, "its seal does not fit its entries"))
        return found


def _proves(seal: AuditSeal, digests: Mapping[int, str]) -> bool:
    ids = list(digests)
    return (
        len(ids) == seal.entry_count
        and bool(ids)
        and (ids[0], ids[-1]) == (seal.first_id, seal.last_id)
        and rows_sha256(digests.values()) == seal.rows_sha256
    )

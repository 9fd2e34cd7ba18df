"""Whether a batch whose entries are gone went by retention: late enough, and told by an entry of its own.

The entry that tells of it may have become old itself and be gone with its batch, which a later one tells:
then that one counts, whose removal was no earlier.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from longshore_storage.catalogue import Catalogue, Transaction, audit_seals
from longshore_storage.catalogue.audit_seals import removed_batches
from longshore_storage.catalogue.rows import AuditEntry, AuditSeal

# A clock that was set right in between.
_SLACK: Final = timedelta(minutes=1)
_UNTOLD: Final = "its entries are gone, and no entry that came later tells why"


class Removals:
    """What retention, which keeps entries for ``keep_for`` at least, may have removed; None keeps all."""

    def __init__(self, catalogue: Catalogue, keep_for: timedelta | None) -> None:
        self._catalogue = catalogue
        self._keep_for = keep_for
        self._told: dict[int, AuditEntry | str] = {}

    async def why_wrong(self, seal: AuditSeal) -> str:
        """What is wrong with the removal of a batch's entries; empty where retention did it."""
        if self._keep_for is None:
            return "its entries are gone, and they are kept for ever: `audit.keep_for_s` is 0"
        async with self._catalogue.reading() as transaction:
            told = await self._told_by(transaction, seal)
            if isinstance(told, str):
                return told
            if told.time - seal.time < self._keep_for:
                return (
                    f"its entries were removed {told.time - seal.time} after it was sealed, by what entry "
                    f"{told.id} says, and they are kept for {self._keep_for}"
                )
            over = await audit_seals.seal_over(transaction, told.id)
            latest = over.time if over else await transaction.now()
            if told.time > latest + _SLACK:
                return f"its entries are gone, and entry {told.id}, which tells why, has a time made up"
        return ""

    async def _told_by(self, transaction: Transaction, seal: AuditSeal) -> AuditEntry | str:
        """The entry, which is there, that tells of a removal in the end, or why none does."""
        way: list[int] = []
        link: AuditSeal | None = seal
        told: AuditEntry | str | None = None
        while told is None:
            if link is None or link.removal_id is None or link.removal_id <= link.last_id:
                told = _UNTOLD
            elif link.number in self._told:
                told = self._told[link.number]
            else:
                way.append(link.number)
                entry = await audit_seals.get_entry(transaction, link.removal_id)
                if entry is None:
                    link = await audit_seals.seal_over(transaction, link.removal_id)
                elif link.number in removed_batches(entry):
                    told = entry
                else:
                    told = f"its entries are gone, and entry {entry.id} does not tell of it"
        self._told.update(dict.fromkeys(way, told))
        return told

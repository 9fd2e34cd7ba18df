"""A trail of entries with its seals, and whoever changes it behind our backs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from longshore_storage.auditing import (
    Fault,
    Finding,
    Restoration,
    Sealing,
    SealingReport,
    Verified,
    verify,
)
from longshore_storage.auditing.proof import digest, make_seal
from longshore_storage.catalogue import Catalogue, Transaction, append_only, tables
from longshore_storage.catalogue.audit_seals import (
    BEGIN,
    chain_id,
    entries_between,
    insert_seal,
    last_seal,
    name_chain,
    remove_entries,
    seals_after,
)
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.rows import Actor, AuditEntry, AuditSeal
from longshore_storage.ports import BlobStore

ANNA = Actor("anna", "ipv4:10.0.0.1:5000", "request-1")


@dataclass
class Trail:
    """One catalogue's."""

    catalogue: Catalogue
    blobs: BlobStore

    async def write(self, *messages: str) -> None:
        """An entry for each message."""
        async with self.catalogue.transaction() as transaction:
            await _record(transaction, messages)

    def sealing(self, keep_for: timedelta | None = None) -> Sealing:
        return Sealing(self.catalogue, self.blobs, actor=Actor("node:one"), keep_for=keep_for)

    async def seal(self, keep_for: timedelta | None = None) -> SealingReport:
        return await self.sealing(keep_for).run()

    async def sealed(self, *batches: Sequence[str]) -> None:
        """Batches with these messages."""
        for messages in batches:
            await self.write(*messages)
            await self.seal()

    @asynccontextmanager
    async def before(self, age: timedelta) -> AsyncIterator[Transaction]:
        """A transaction as of so long ago, for whoever owns the tables."""
        async with self.catalogue.transaction() as transaction, append_only.lifted(transaction):
            transaction._now = await transaction.now() - age
            yield transaction

    async def sealed_before(self, age: timedelta, *batches: Sequence[str]) -> None:
        """Batches with these messages, as they were written and sealed so long ago."""
        for messages in batches:
            async with self.before(age) as transaction:
                await _record(transaction, messages)
            await self.seal_before(age)

    async def seal_before(self, age: timedelta) -> None:
        """Seal all there is as if that had been so long ago, and anchor it."""
        async with self.before(age) as transaction:
            previous = await last_seal(transaction)
            after = previous.last_id if previous else BEGIN
            entries = await entries_between(transaction, after, since=None, until=None, limit=10_000)
            digests = {entry.id: digest(entry) for entry in entries}
            chain, now = await name_chain(transaction), await transaction.now()
            await insert_seal(transaction, make_seal(digests, previous, chain, now))
        await self.seal()

    async def remove_before(self, age: timedelta, *numbers: int) -> None:
        """Remove these batches as retention would have done so long ago, if it was to."""
        async with self.before(age) as transaction:
            seals = await seals_after(transaction, numbers[0] - 1, limit=len(numbers))
            await remove_entries(transaction, seals, Actor("node:one"))

    async def chain(self) -> str:
        async with self.catalogue.reading() as transaction:
            return await chain_id(transaction)

    async def now(self) -> datetime:
        async with self.catalogue.reading() as transaction:
            return await transaction.now()

    async def entries(self) -> Sequence[AuditEntry]:
        async with self.catalogue.reading() as transaction:
            return await entries_between(transaction, 0, since=None, until=None, limit=10_000)

    async def seals(self) -> Sequence[AuditSeal]:
        async with self.catalogue.reading() as transaction:
            return await seals_after(transaction, 0, limit=10_000)

    async def keys(self) -> list[str]:
        """The anchors there are."""
        return [blob.key async for blob in self.blobs.list("audit/")]

    async def verify(
        self, *, keep_for: timedelta | None = None, restorations: Sequence[Restoration] = ()
    ) -> tuple[Sequence[Finding], Verified]:
        counted = Verified()
        found = verify(self.catalogue, self.blobs, counted, keep_for=keep_for, restorations=restorations)
        async with aclosing(found) as findings:
            return [finding async for finding in findings], counted

    async def faults(self, **known: Any) -> list[tuple[Fault, int, int | None]]:
        """What is found that nothing explains, without the words."""
        findings, counted = await self.verify(**known)
        faults = [(each.fault, each.batch, each.entry_id) for each in findings if not each.expected]
        assert (counted.findings, counted.expected) == (len(faults), len(findings) - len(faults))
        return faults

    async def tamper(self, *statements: object) -> None:
        """Do what the triggers refuse, as the tables' owner can."""
        async with self.catalogue.transaction() as transaction, append_only.lifted(transaction):
            for statement in statements:
                await transaction.execute(statement)  # type: ignore[arg-type]

    async def restore(self, rows: dict[str, list[dict[str, Any]]]) -> None:
        """Make both tables what they were."""
        async with self.catalogue.transaction() as transaction, append_only.lifted(transaction):
            for table in (tables.audit_entry, tables.audit_seal):
                await transaction.execute(table.delete())
                if rows[table.name]:
                    await transaction.execute(table.insert(), rows[table.name])

    async def copy(self) -> dict[str, list[dict[str, Any]]]:
        async with self.catalogue.reading() as transaction:
            return {
                table.name: [dict(row._mapping) for row in await transaction.all(select(table))]
                for table in (tables.audit_entry, tables.audit_seal)
            }


async def _record(transaction: Transaction, messages: Sequence[str]) -> None:
    for message in messages:
        await record_audit(
            transaction,
            ANNA,
            "release.pinned",
            project="netops",
            environment="default",
            version="1.0.0",
            message=message,
        )

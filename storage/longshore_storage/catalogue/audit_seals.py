"""Seals of the audit trail: which entries are final, which batches are sealed, anchored and removed.

Entries get their ids before their transactions commit, so a low one may appear after a higher one. Only what
is settled is sealed: on PostgreSQL ids up to the highest one that was seen, once every transaction has ended
that was then writing entries. Such a one has the table locked (ROW EXCLUSIVE, as every INSERT) from before it
takes an id until after its commit is seen. Nobody waits for whoever looks. SQLite has one writer, so there
ids are committed in their order.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import String, bindparam, column, delete, func, insert, select, text, update

from . import tables
from .audit_trail import audit_values
from .catalogue import Transaction
from .prepared import Prepared
from .projects import insert_if_absent
from .rows import Actor, AuditEntry, AuditSeal

_a, _s = tables.audit_entry, tables.audit_seal
REMOVED: Final = "audit.removed"
"""The action of entries that tell of the removal of others."""
BEGIN: Final = -(1 << 63)
"""Below every id that a row can have, also one that somebody has made up."""
_CHAIN: Final = "audit"
_REMOVED_BATCHES: Final = re.compile(r"batches (\d{1,18}) to (\d{1,18}), ")
_WRITERS = Prepared(
    text(
        "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND granted"
        " AND relation = CAST('audit_entry' AS regclass)"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND mode = 'RowExclusiveLock'"
    ).columns(column("virtualtransaction", String))
)
_HIGHEST_ID = Prepared(select(func.coalesce(func.max(_a.c.id), 0).label("last_id")))
_CHAIN_ID = Prepared(select(tables.identity.c.id).where(tables.identity.c.name == _CHAIN))
_LAST_SEAL = Prepared(select(_s).order_by(_s.c.number.desc()).limit(1))
_UNANCHORED = Prepared(
    select(_s).where(_s.c.anchor_time.is_(None)).order_by(_s.c.number).limit(bindparam("most")),
    is_long=True,
)
_INSERT_SEAL = Prepared(insert(_s), _s.c.keys())
_MARK_ANCHORED = Prepared(
    update(_s)
    .where(_s.c.number == bindparam("of"), _s.c.anchor_time.is_(None))
    .values(anchor_time=bindparam("now"))
)
_ROWS_AFTER = Prepared(
    select(_a)
    .where(_a.c.id > bindparam("after"), _a.c.id <= bindparam("through"))
    .order_by(_a.c.id)
    .limit(bindparam("most")),
    is_long=True,
)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """The highest id there is, and who may still commit a lower one."""

    last_id: int
    writers: Collection[str]


async def highest_id(transaction: Transaction) -> Unsettled:
    """Look where the trail ends; it is settled when none of the ``writers`` is ``still_writing``."""
    row = await transaction.one(_HIGHEST_ID)
    assert row is not None
    return Unsettled(row.last_id, await _writers(transaction))


async def still_writing(transaction: Transaction, writers: Collection[str]) -> Collection[str]:
    """Those of ``writers`` whose transaction has not ended."""
    return frozenset(writers) & frozenset(await _writers(transaction)) if writers else frozenset()


async def _writers(transaction: Transaction) -> Collection[str]:
    if transaction.dialect == "sqlite":
        return frozenset()
    return frozenset(row.virtualtransaction for row in await transaction.all(_WRITERS))


async def chain_id(transaction: Transaction) -> str:
    """The name of this catalogue's chain of seals; empty before the first seal."""
    row = await transaction.one(_CHAIN_ID)
    return row.id if row else ""


async def name_chain(transaction: Transaction) -> str:
    """The same, named now where it has none."""
    await insert_if_absent(transaction, tables.identity, name=_CHAIN, id=str(uuid.uuid4()))
    return await chain_id(transaction)


async def rows_after(
    transaction: Transaction, after: int, *, through: int, limit: int
) -> Sequence[Sequence[Any]]:
    """The next entries above the id ``after`` and up to ``through``, by their ids.

    As rows, with their columns in the order of an entry's fields: that takes a third of the time.
    """
    return await transaction.all(_ROWS_AFTER, {"after": after, "through": through, "most": limit})


async def entries_between(
    transaction: Transaction, after: int, *, since: datetime | None, until: datetime | None, limit: int
) -> Sequence[AuditEntry]:
    """The next entries above the id ``after``, in order, from ``since`` on and before ``until``."""
    statement = select(_a).where(_a.c.id > after).order_by(_a.c.id).limit(limit)
    if since is not None:
        statement = statement.where(_a.c.time >= since)
    if until is not None:
        statement = statement.where(_a.c.time < until)
    return [AuditEntry.of(row) for row in await transaction.all(statement)]


async def get_entry(transaction: Transaction, entry_id: int) -> AuditEntry | None:
    """The entry of an id."""
    row = await transaction.one(select(_a).where(_a.c.id == entry_id))
    return AuditEntry.of(row) if row else None


def removed_batches(entry: AuditEntry) -> range:
    """The numbers of the batches of whose removal an entry tells; none where it tells of something else."""
    told = _REMOVED_BATCHES.match(entry.message) if entry.action == REMOVED else None
    return range(int(told[1]), int(told[2]) + 1) if told else range(0)


async def count_unsealed(transaction: Transaction) -> int:
    """How many entries no seal proves yet."""
    last = select(func.coalesce(func.max(_s.c.last_id), 0)).scalar_subquery()
    row = await transaction.one(select(func.count().label("entries")).where(_a.c.id > last))
    return int(row.entries) if row is not None else 0


async def last_seal(transaction: Transaction) -> AuditSeal | None:
    """The newest seal."""
    row = await transaction.one(_LAST_SEAL)
    return AuditSeal.of(row) if row else None


async def get_seal(transaction: Transaction, number: int) -> AuditSeal | None:
    """The seal of a number."""
    row = await transaction.one(select(_s).where(_s.c.number == number))
    return AuditSeal.of(row) if row else None


async def seal_over(transaction: Transaction, entry_id: int) -> AuditSeal | None:
    """The seal of the batch that an entry belongs to, or would."""
    row = await transaction.one(select(_s).where(_s.c.last_id >= entry_id).order_by(_s.c.last_id).limit(1))
    return AuditSeal.of(row) if row else None


async def seals_after(transaction: Transaction, number: int, *, limit: int) -> Sequence[AuditSeal]:
    """The next seals, in order."""
    rows = await transaction.all(select(_s).where(_s.c.number > number).order_by(_s.c.number).limit(limit))
    return [AuditSeal.of(row) for row in rows]


async def unanchored_seals(transaction: Transaction, *, limit: int) -> Sequence[AuditSeal]:
    """The first seals whose head is not known to be in the blob store."""
    rows = await transaction.all(_UNANCHORED, {"most": limit})
    return [AuditSeal.of(row) for row in rows]


async def insert_seal(transaction: Transaction, seal: AuditSeal) -> None:
    """Insert the next seal. Raises ``ConstraintViolated`` where somebody else was faster."""
    await transaction.execute(_INSERT_SEAL, asdict(seal))


async def mark_anchored(transaction: Transaction, number: int) -> None:
    """Note that a seal's head is in the blob store."""
    await transaction.execute(_MARK_ANCHORED, {"of": number, "now": await transaction.now()})


async def lock_old_seals(transaction: Transaction, *, before: datetime, limit: int) -> Sequence[AuditSeal]:
    """The first seals that are older and have their entries still, locked: nobody else removes them now."""
    rows = await transaction.all(
        select(_s)
        .where(_s.c.removal_id.is_(None), _s.c.anchor_time.is_not(None), _s.c.time < before)
        .order_by(_s.c.number)
        .limit(limit)
        .with_for_update()
    )
    return [AuditSeal.of(row) for row in rows]


async def remove_entries(transaction: Transaction, seals: Sequence[AuditSeal], actor: Actor) -> int:
    """Remove the entries of locked seals that follow each other, and tell so in the trail; tells how many."""
    first, last = seals[0], seals[-1]
    told = (
        f"batches {first.number} to {last.number}, entries {first.first_id} to {last.last_id}: "
        f"{sum(seal.entry_count for seal in seals)} were older than `audit.keep_for_s`"
    )
    values = audit_values(
        await transaction.now(),
        actor,
        REMOVED,
        from_status="SEALED",
        to_status="REMOVED",
        reason="RETENTION",
        message=told,
    )
    removal = await transaction.one(insert(_a).values(**values).returning(_a.c.id))
    assert removal is not None
    await transaction.execute(
        update(_s)
        .where(_s.c.number >= first.number, _s.c.number <= last.number)
        .values(removal_id=removal.id)
    )
    return await transaction.changed(delete(_a).where(_a.c.id >= first.first_id, _a.c.id <= last.last_id))

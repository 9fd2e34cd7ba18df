"""Pack files and the pins that keep them: a row precedes the object, a foreign key protects both.

Collecting is a DELETE of the row, which the foreign keys of ``payload_pack`` and ``pin`` refuse. So
pinning locks the rows first: a pack file that is being collected is then either still there until the pin
is committed, or gone, and simply not pinned.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects import postgresql

from . import tables
from .catalogue import Transaction
from .prepared import Prepared, PreparedForSome

_p = tables.pack_file
_BEGIN = Prepared(insert(_p).values(state="WRITING"), ("key", "create_time"))
_MARK_STORED = Prepared(
    update(_p)
    .where(_p.c.key == bindparam("of"), _p.c.state == "WRITING")
    .values(state="STORED", size_bytes=bindparam("size"))
)
_LOCK = PreparedForSome(
    lambda keys: (
        select(_p.c.key, _p.c.state)
        .where(_p.c.key.in_(keys))
        .order_by(_p.c.key)
        .with_for_update(read=True, key_share=True)
    )
)
# Of the two dialects that have it, SQLite's compiler takes PostgreSQL's construct, too.
_PIN = Prepared(postgresql.insert(tables.pin).on_conflict_do_nothing(), tables.pin.c.keys())
# Below every database's limit of parameters in a statement.
_KEYS_AT_ONCE = 1000


async def begin_pack(transaction: Transaction, key: str) -> None:
    """Insert the row of a pack file that is about to be put."""
    await transaction.execute(_BEGIN, {"key": key, "create_time": await transaction.now()})


async def mark_stored(transaction: Transaction, key: str, size_bytes: int) -> bool:
    """Note that a pack file was put; False when its row was collected meanwhile."""
    return bool(await transaction.changed(_MARK_STORED, {"of": key, "size": size_bytes}))


async def lock_packs(transaction: Transaction, keys: Collection[str]) -> dict[str, str]:
    """The states of those of ``keys`` that have a row.

    Until the transaction ends they are neither collected nor found damaged. Whoever gives a payload a
    manifest calls this first, before its row is written.
    """
    ordered = sorted(keys)
    states: dict[str, str] = {}
    for at in range(0, len(ordered), _KEYS_AT_ONCE):
        some = ordered[at : at + _KEYS_AT_ONCE]
        rows = await transaction.all(*_LOCK.of(some))
        states.update((row.key, row.state) for row in rows)
    return states


async def pin_packs(transaction: Transaction, deployment_id: str, keys: Collection[str]) -> frozenset[str]:
    """Pin stored pack files for an upload and tell which were there to be pinned.

    Raises ``ConstraintViolated`` (a foreign key) when the upload has ended.
    """
    ordered = sorted(keys)
    pinned: set[str] = set()
    for at in range(0, len(ordered), _KEYS_AT_ONCE):
        rows = await transaction.all(
            select(_p.c.key)
            .where(_p.c.key.in_(ordered[at : at + _KEYS_AT_ONCE]), _p.c.state == "STORED")
            .order_by(_p.c.key)
            .with_for_update(read=True, key_share=True)
        )
        pinned.update(row.key for row in rows)
    if pinned:
        await transaction.execute(
            _PIN, [{"deployment_id": deployment_id, "pack_key": key} for key in sorted(pinned)]
        )
    return frozenset(pinned)


async def pin_own_pack(transaction: Transaction, deployment_id: str, key: str) -> None:
    """Pin a pack file that this transaction has marked as stored, and so holds."""
    await transaction.execute(_PIN, {"deployment_id": deployment_id, "pack_key": key})

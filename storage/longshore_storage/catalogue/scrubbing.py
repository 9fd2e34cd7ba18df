"""Going over everything that is stored, a page at a time: what a scrub and a compaction walk along."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from . import tables
from .catalogue import Transaction
from .damage import PackRow
from .stored_payloads import PayloadRow

_f = tables.pack_file
_p = tables.payload


async def stored_bytes(transaction: Transaction) -> int:
    """The bytes of all pack files that were put."""
    row = await transaction.one(select(func.coalesce(func.sum(_f.c.size_bytes), 0)))
    assert row is not None
    return int(row[0])


async def packs_after(transaction: Transaction, key: str, *, limit: int) -> Sequence[PackRow]:
    """The next pack files by key, but for those that are being written."""
    rows = await transaction.all(
        select(_f.c.key, _f.c.state, _f.c.size_bytes)
        .where(_f.c.key > key, _f.c.state != "WRITING")
        .order_by(_f.c.key)
        .limit(limit)
    )
    return [PackRow(row.key, row.state, row.size_bytes) for row in rows]


async def payloads_after(transaction: Transaction, sha256: str, *, limit: int) -> Sequence[PayloadRow]:
    """The next payloads by sha256."""
    rows = await transaction.all(select(_p).where(_p.c.sha256 > sha256).order_by(_p.c.sha256).limit(limit))
    return [PayloadRow(**row._mapping) for row in rows]

"""Rows that are made again from what the blob store holds. Nothing here changes a row that is there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from . import tables
from .catalogue import Transaction
from .packs import lock_packs, mark_stored

_c = tables.condemned
_p = tables.payload
_r = tables.release

_KEYS_AT_ONCE = 1000


class FoundPack(NamedTuple):
    """A pack file in the blob store: its size, and whether its index can be read."""

    size_bytes: int
    is_sound: bool


async def condemned_among(transaction: Transaction, keys: Collection[str]) -> frozenset[str]:
    """Those of ``keys`` whose objects are to be removed: nothing may name them again."""
    found: set[str] = set()
    for page in _pages(sorted(keys)):
        rows = await transaction.all(select(_c.c.key).where(_c.c.key.in_(page)))
        found.update(row.key for row in rows)
    return frozenset(found)


async def is_draft(transaction: Transaction, manifest_key: str) -> bool:
    """Whether somebody is just putting the manifest, and will name it or not."""
    d = tables.manifest_draft
    return await transaction.one(select(d.c.key).where(d.c.key == manifest_key)) is not None


async def restore_packs(transaction: Transaction, found: Mapping[str, FoundPack]) -> int:
    """Insert the rows of pack files that lack one, and tell how many; those that are there stay.

    One that a restored database knows as being written was finished since, for a manifest names it.
    """
    states = await lock_packs(transaction, found.keys())
    now = await transaction.now()
    missing = [
        {
            "key": key,
            "state": "STORED" if pack.is_sound else "DAMAGED",
            "size_bytes": pack.size_bytes,
            "create_time": now,
        }
        for key, pack in sorted(found.items())
        if key not in states
    ]
    if missing:
        dialect = sqlite if transaction.dialect == "sqlite" else postgresql
        await transaction.execute(dialect.insert(tables.pack_file).on_conflict_do_nothing(), missing)
    written = [key for key, state in states.items() if state == "WRITING"]
    for key in written:
        await mark_stored(transaction, key, found[key].size_bytes)
    return len(missing) + len(written)


async def link_releases(transaction: Transaction, sha256: str) -> int:
    """Let releases with this payload name it that have lost it, and tell how many."""
    return await transaction.changed(
        update(_r)
        .where(_r.c.payload_sha256 == sha256, _r.c.stored_payload.is_(None))
        .values(stored_payload=sha256)
    )


async def keep_for(transaction: Transaction, sha256: str, keep: timedelta) -> None:
    """Set a restored payload's time ahead, so that collecting leaves it alone until then."""
    await transaction.execute(
        update(_p).where(_p.c.sha256 == sha256).values(create_time=await transaction.now() + keep)
    )


def _pages(keys: Sequence[str]) -> Sequence[Sequence[str]]:
    return [keys[at : at + _KEYS_AT_ONCE] for at in range(0, len(keys), _KEYS_AT_ONCE)]

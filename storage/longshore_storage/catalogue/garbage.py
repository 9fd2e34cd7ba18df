"""Garbage: rows that nothing names go, and the keys of their objects are condemned in the same transaction.

What is dropped is looked for by reading, then locked, then looked at again: rows that somebody has locked
just now (to pin them, to name them, to mark them stored) are passed over, and those that are held cannot be
named any more. So collecting waits for nobody, and the foreign keys that protect payloads and pack files
are never even met. Nothing here decides how old garbage must be: ``before`` is the caller's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, insert, select, true, union_all
from sqlalchemy.dialects import postgresql, sqlite

from . import tables
from .catalogue import Transaction

_c = tables.condemned
_d = tables.manifest_draft
_f = tables.pack_file
_p = tables.payload

# What a manifest costs for each of its chunks.
MANIFEST_ENTRY_BYTES = 53
# Below every database's limit of parameters in a statement.
_KEYS_AT_ONCE = 1000

_ALWAYS = true()


class Dropped(NamedTuple):
    """Rows that went (``chunks`` are those of the dedupe index), and the objects that were condemned."""

    rows: int = 0
    chunks: int = 0
    objects: int = 0
    size_bytes: int = 0


class StoredObject(NamedTuple):
    """An object in the blob store, with what is known of its size."""

    key: str
    size_bytes: int


def payload_is_unnamed(
    release_counts: ColumnElement[bool] = _ALWAYS, upload_counts: ColumnElement[bool] = _ALWAYS
) -> ColumnElement[bool]:
    """Neither a release nor an upload that counts names the payload."""
    return and_(
        ~exists().where(tables.release.c.stored_payload == _p.c.sha256, release_counts),
        ~exists().where(tables.upload.c.stored_payload == _p.c.sha256, upload_counts),
    )


def pack_is_unnamed(
    payload_counts: ColumnElement[bool] = _ALWAYS, upload_counts: ColumnElement[bool] = _ALWAYS
) -> ColumnElement[bool]:
    """No payload that counts needs the pack file and no upload that counts has pinned it."""
    return and_(
        ~exists().where(tables.payload_pack.c.pack_key == _f.c.key, payload_counts),
        ~exists().where(tables.pin.c.pack_key == _f.c.key, upload_counts),
    )


async def unnamed_payloads(
    transaction: Transaction, *, before: datetime, after: str, limit: int
) -> Sequence[str]:
    """The next payloads by sha256 that nothing names and that were stored no later than ``before``."""
    rows = await transaction.all(
        select(_p.c.sha256)
        .where(_p.c.sha256 > after, _p.c.create_time <= before, payload_is_unnamed())
        .order_by(_p.c.sha256)
        .limit(limit)
    )
    return [row.sha256 for row in rows]


async def drop_payloads(transaction: Transaction, sha256s: Collection[str]) -> Dropped:
    """Drop those of these payloads that nothing names; their manifests are condemned."""
    locked = select(_p.c.sha256).where(_p.c.sha256.in_(sha256s)).with_for_update(skip_locked=True)
    held = [row.sha256 for row in await transaction.all(locked)]
    found = await transaction.all(
        select(_p.c.sha256, _p.c.manifest_key, _p.c.chunk_count).where(
            _p.c.sha256.in_(held), payload_is_unnamed()
        )
    )
    if not found:
        return Dropped()
    doomed = [row.sha256 for row in found]
    pp = tables.payload_pack
    await transaction.execute(delete(pp).where(pp.c.payload_sha256.in_(doomed)))
    await transaction.execute(delete(_p).where(_p.c.sha256.in_(doomed)))
    size_bytes = await _condemn(
        transaction, [(row.manifest_key, row.chunk_count * MANIFEST_ENTRY_BYTES) for row in found]
    )
    return Dropped(len(doomed), 0, len(doomed), size_bytes)


async def old_drafts(transaction: Transaction, *, before: datetime, after: str, limit: int) -> Sequence[str]:
    """The next manifests by key that were begun no later than ``before`` and named by nobody since."""
    rows = await transaction.all(
        select(_d.c.key).where(_d.c.key > after, _d.c.create_time <= before).order_by(_d.c.key).limit(limit)
    )
    return [row.key for row in rows]


async def drop_drafts(transaction: Transaction, keys: Collection[str]) -> Dropped:
    """Drop these drafts and condemn what may have been put under their keys."""
    locked = select(_d.c.key).where(_d.c.key.in_(keys)).with_for_update(skip_locked=True)
    doomed = [row.key for row in await transaction.all(locked)]
    if not doomed:
        return Dropped()
    await transaction.execute(delete(_d).where(_d.c.key.in_(doomed)))
    await _condemn(transaction, [(key, 0) for key in doomed])
    return Dropped(len(doomed), 0, len(doomed), 0)


def pack_is_old(before: datetime, *, unfinished_before: datetime) -> ColumnElement[bool]:
    """The pack file was begun no later than ``before``; one that is being written, earlier than that."""
    return _f.c.create_time <= case((_f.c.state == "WRITING", unfinished_before), else_=before)


async def unnamed_packs(
    transaction: Transaction, *, before: datetime, unfinished_before: datetime, after: str, limit: int
) -> Sequence[str]:
    """The next pack files by key that nothing names and that are old."""
    rows = await transaction.all(
        select(_f.c.key)
        .where(_f.c.key > after, pack_is_old(before, unfinished_before=unfinished_before), pack_is_unnamed())
        .order_by(_f.c.key)
        .limit(limit)
    )
    return [row.key for row in rows]


async def drop_packs(transaction: Transaction, keys: Collection[str]) -> Dropped:
    """Drop those of these pack files that nothing names, with their chunks; they are condemned."""
    locked = select(_f.c.key).where(_f.c.key.in_(keys)).with_for_update(skip_locked=True)
    held = [row.key for row in await transaction.all(locked)]
    found = await transaction.all(
        select(_f.c.key, _f.c.size_bytes).where(_f.c.key.in_(held), pack_is_unnamed())
    )
    if not found:
        return Dropped()
    doomed = [row.key for row in found]
    # The foreign key's cascade takes the chunks. Were they deleted first, it would still look at each of
    # them: that costs as much again.
    c = tables.chunk
    counted = await transaction.one(select(func.count().label("chunks")).where(c.c.pack_key.in_(doomed)))
    assert counted is not None
    await transaction.execute(delete(_f).where(_f.c.key.in_(doomed)))
    size_bytes = await _condemn(transaction, [(row.key, row.size_bytes) for row in found])
    return Dropped(len(doomed), counted.chunks, len(doomed), size_bytes)


async def condemned_objects(
    transaction: Transaction, *, before: datetime, after: str, limit: int
) -> Sequence[StoredObject]:
    """The next condemned objects by key that were condemned no later than ``before``."""
    rows = await transaction.all(
        select(_c.c.key, _c.c.size_bytes)
        .where(_c.c.key > after, _c.c.condemn_time <= before)
        .order_by(_c.c.key)
        .limit(limit)
    )
    return [StoredObject(row.key, row.size_bytes) for row in rows]


async def count_condemned(transaction: Transaction, *, before: datetime) -> Dropped:
    """How many objects were condemned no later than ``before``."""
    row = await transaction.one(
        select(func.count().label("objects"), func.sum(_c.c.size_bytes).label("size_bytes")).where(
            _c.c.condemn_time <= before
        )
    )
    assert row is not None
    return Dropped(objects=row.objects, size_bytes=int(row.size_bytes or 0))


async def forget_condemned(transaction: Transaction, keys: Collection[str]) -> None:
    """Drop the rows of condemned objects that were removed."""
    await transaction.execute(delete(_c).where(_c.c.key.in_(keys)))


async def named_keys(transaction: Transaction, keys: Collection[str]) -> frozenset[str]:
    """Those of ``keys`` that any row names: looked at in one instant, so that none slips from row to row."""
    rows = await transaction.all(
        union_all(
            select(_f.c.key).where(_f.c.key.in_(keys)),
            select(_p.c.manifest_key).where(_p.c.manifest_key.in_(keys)),
            select(_d.c.key).where(_d.c.key.in_(keys)),
            select(_c.c.key).where(_c.c.key.in_(keys)),
        )
    )
    return frozenset(row[0] for row in rows)


async def new_orphans(transaction: Transaction, objects: Collection[StoredObject]) -> list[StoredObject]:
    """Those of these objects that were not noted as orphans yet."""
    o = tables.orphan
    keys = [found.key for found in objects]
    known = {row.key for row in await transaction.all(select(o.c.key).where(o.c.key.in_(keys)))}
    return [found for found in objects if found.key not in known]


async def note_orphans(transaction: Transaction, objects: Collection[StoredObject]) -> None:
    """Note objects that no row names."""
    o = tables.orphan
    dialect = sqlite if transaction.dialect == "sqlite" else postgresql
    now = await transaction.now()
    await transaction.execute(
        dialect.insert(o).on_conflict_do_nothing(),
        [{"key": key, "size_bytes": size_bytes, "find_time": now} for key, size_bytes in sorted(objects)],
    )


async def old_orphans(
    transaction: Transaction, *, before: datetime, after: str, limit: int
) -> Sequence[StoredObject]:
    """The next orphans by key that were found no later than ``before``."""
    o = tables.orphan
    rows = await transaction.all(
        select(o.c.key, o.c.size_bytes)
        .where(o.c.key > after, o.c.find_time <= before)
        .order_by(o.c.key)
        .limit(limit)
    )
    return [StoredObject(row.key, row.size_bytes) for row in rows]


async def drop_orphans(transaction: Transaction, keys: Collection[str]) -> Dropped:
    """Condemn those of these orphans that still no row names; the others are orphans no more."""
    o = tables.orphan
    found = await transaction.all(delete(o).where(o.c.key.in_(keys)).returning(o.c.key, o.c.size_bytes))
    # Looked at only now: whoever names one deletes its row first, so either we see that or they see this.
    named = await named_keys(transaction, [row.key for row in found])
    doomed = sorted((row.key, row.size_bytes) for row in found if row.key not in named)
    if not doomed:
        return Dropped()
    return Dropped(len(doomed), 0, len(doomed), await _condemn(transaction, doomed))


async def claim_orphans(transaction: Transaction, keys: Collection[str]) -> None:
    """Take objects off the list of orphans; then whoever names them looks whether they are condemned."""
    o = tables.orphan
    ordered = sorted(keys)
    for at in range(0, len(ordered), _KEYS_AT_ONCE):
        await transaction.execute(delete(o).where(o.c.key.in_(ordered[at : at + _KEYS_AT_ONCE])))


async def _condemn(transaction: Transaction, objects: Sequence[tuple[str, int]]) -> int:
    now = await transaction.now()
    await transaction.execute(
        insert(_c), [{"key": key, "size_bytes": size, "condemn_time": now} for key, size in objects]
    )
    return sum(size for _, size in objects)

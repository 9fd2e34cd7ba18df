"""Releases: unique by project and version, never changed, never deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, tuple_, update

from . import tables
from .catalogue import Transaction
from .rows import Release

_r = tables.release


async def insert_release(transaction: Transaction, **values: Any) -> Release:
    """Insert a release; raises ``ConstraintViolated`` when the version exists."""
    row = await transaction.one(
        insert(_r).values(create_time=await transaction.now(), **values).returning(*_r.c)
    )
    assert row is not None
    return Release.of(row)


async def get_release(transaction: Transaction, release_id: int) -> Release:
    """Read a release that a row names."""
    row = await transaction.one(select(_r).where(_r.c.id == release_id))
    assert row is not None, "a release is never deleted"
    return Release.of(row)


async def find_release(transaction: Transaction, project: str, version_key: str) -> Release | None:
    """Find a release by its case-folded version."""
    row = await transaction.one(select(_r).where(_r.c.project == project, _r.c.version_key == version_key))
    return Release.of(row) if row else None


async def highest_release(transaction: Transaction, project: str) -> Release | None:
    """The release with the highest version by SemVer precedence."""
    releases = await list_releases(transaction, project, below=None, limit=1)
    return releases[0] if releases else None


async def list_releases(
    transaction: Transaction, project: str, *, below: tuple[str, int] | None, limit: int
) -> Sequence[Release]:
    """A page of releases, highest first, below the (version_order, id) of the page before."""
    statement = (
        select(_r)
        .where(_r.c.project == project)
        .order_by(_r.c.version_order.desc(), _r.c.id.desc())
        .limit(limit)
    )
    if below is not None:
        statement = statement.where(tuple_(_r.c.version_order, _r.c.id) < tuple_(*below))
    return [Release.of(row) for row in await transaction.all(statement)]


async def has_stored_payload(transaction: Transaction, project: str, sha256: str) -> bool:
    """Whether a release of the project has this payload, and it is stored, undamaged."""
    p = tables.payload
    found = await transaction.one(
        select(_r.c.id)
        .join(p, p.c.sha256 == _r.c.stored_payload)
        .where(_r.c.project == project, _r.c.stored_payload == sha256, p.c.damage == "")
        .limit(1)
    )
    return found is not None


async def pin_release(transaction: Transaction, release_id: int, reason: str, by: str) -> Release:
    """Keep a release's payload for ``reason``, or unpin it; the caller holds the project's lock."""
    row = await transaction.one(
        update(_r)
        .where(_r.c.id == release_id)
        .values(pin_reason=reason, pinned_by=by if reason else "")
        .returning(*_r.c)
    )
    assert row is not None
    return Release.of(row)


async def restore_payload(
    transaction: Transaction, release_id: int, *, sha256: str, size_bytes: int, payload_format: str
) -> Release:
    """Give a release whose payload was reclaimed another one of the same content; its bytes may differ."""
    row = await transaction.one(
        update(_r)
        .where(_r.c.id == release_id, _r.c.stored_payload.is_(None))
        .values(
            stored_payload=sha256,
            payload_sha256=sha256,
            payload_size_bytes=size_bytes,
            payload_format=payload_format,
        )
        .returning(*_r.c)
    )
    return Release.of(row) if row else await get_release(transaction, release_id)

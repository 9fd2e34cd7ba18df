"""Releases: unique by project and version, never changed, never deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, tuple_, update

from . import tables
from .catalogue import Transaction
from .prepared import Prepared
from .rows import Release

_r = tables.release
_highest_first = (
    select(_r)
    .where(_r.c.project == bindparam("of"))
    .order_by(_r.c.version_order.desc(), _r.c.id.desc())
    .limit(bindparam("most"))
)
_INSERT = Prepared(
    insert(_r).returning(*_r.c),
    [column.key for column in _r.c if column.key not in ("id", "pin_reason", "pinned_by")],
)
_PLAIN: Final = {"kind": "COMPONENT", "source": None, "install_method": "", "validation_skipped": False}
_GET = Prepared(select(_r).where(_r.c.id == bindparam("release_id")))
_FIND = Prepared(select(_r).where(_r.c.project == bindparam("of"), _r.c.version_key == bindparam("version")))
_HIGHEST = Prepared(_highest_first)
_HAS_STORED = Prepared(
    select(_r.c.id)
    .join(tables.payload, tables.payload.c.sha256 == _r.c.stored_payload)
    .where(
        _r.c.project == bindparam("of"),
        _r.c.stored_payload == bindparam("sha256"),
        tables.payload.c.damage == "",
    )
    .limit(1)
)


async def insert_release(transaction: Transaction, **values: Any) -> Release:
    """Insert a release, a plain component unless told otherwise.

    Raises ``ConstraintViolated`` when the version exists.
    """
    row = await transaction.one(_INSERT, {**_PLAIN, "create_time": await transaction.now(), **values})
    assert row is not None
    return Release.of(row)


async def get_release(transaction: Transaction, release_id: int) -> Release:
    """Read a release that a row names."""
    row = await transaction.one(_GET, {"release_id": release_id})
    assert row is not None, "a release is never deleted"
    return Release.of(row)


async def find_release(transaction: Transaction, project: str, version_key: str) -> Release | None:
    """Find a release by its case-folded version."""
    row = await transaction.one(_FIND, {"of": project, "version": version_key})
    return Release.of(row) if row else None


async def environments_of(transaction: Transaction, release: Release) -> Sequence[str]:
    """Where a release was ever deployed to, live or not, by name."""
    d = tables.deployment
    rows = await transaction.all(
        select(d.c.environment).where(d.c.release_id == release.id).distinct().order_by(d.c.environment)
    )
    return [row.environment for row in rows]


async def highest_release(transaction: Transaction, project: str) -> Release | None:
    """The release with the highest version by SemVer precedence."""
    row = await transaction.one(_HIGHEST, {"of": project, "most": 1})
    return Release.of(row) if row else None


async def list_releases(
    transaction: Transaction, project: str, *, below: tuple[str, int] | None, limit: int
) -> Sequence[Release]:
    """A page of releases, highest first, below the (version_order, id) of the page before."""
    statement = _highest_first
    if below is not None:
        statement = statement.where(tuple_(_r.c.version_order, _r.c.id) < tuple_(*below))
    return [Release.of(row) for row in await transaction.all(statement, {"of": project, "most": limit})]


async def has_stored_payload(transaction: Transaction, project: str, sha256: str) -> bool:
    """Whether a release of the project has this payload, and it is stored, undamaged."""
    return await transaction.one(_HAS_STORED, {"of": project, "sha256": sha256}) is not None


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

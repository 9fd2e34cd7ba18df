"""Damage in what is stored: which pack files and payloads are not as they were put, and what that touches.

A DAMAGED pack file has no chunk in the index and is not pinned, so nothing new counts on it; what is sound in
it is still read. A payload with ``damage`` counts as not stored until its bytes come again. Pack files are
locked before payloads, here and wherever a payload gets a manifest (``packs.lock_packs``): so a payload is
either marked by the manifest that it has, or has another one by the time it is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, delete, exists, select, update

from . import tables
from .catalogue import Transaction
from .prepared import Prepared
from .stored_payloads import PayloadRow

_f = tables.pack_file
_p = tables.payload
_pp = tables.payload_pack
_r = tables.release
_DOUBTFUL_PINS = Prepared(
    select(tables.pin.c.pack_key)
    .join(_f, _f.c.key == tables.pin.c.pack_key)
    .where(tables.pin.c.deployment_id == bindparam("of"), _f.c.state != "STORED"),
    is_long=True,
)


class PackRow(NamedTuple):
    """A pack file: its key, ``WRITING``, ``STORED`` or ``DAMAGED``, and its size once it is stored."""

    key: str
    state: str
    size_bytes: int


class ReleaseName(NamedTuple):
    """What people call a release."""

    project: str
    version: str


async def get_pack(transaction: Transaction, key: str) -> PackRow | None:
    """Read a pack file's row; None when it was collected."""
    row = await transaction.one(select(_f.c.key, _f.c.state, _f.c.size_bytes).where(_f.c.key == key))
    return _pack(row) if row else None


async def lock_pack(transaction: Transaction, key: str) -> PackRow | None:
    """Read a pack file's row and let nobody pin or name it until the transaction ends."""
    row = await transaction.one(
        select(_f.c.key, _f.c.state, _f.c.size_bytes).where(_f.c.key == key).with_for_update()
    )
    return _pack(row) if row else None


async def payloads_of_pack(transaction: Transaction, key: str) -> Sequence[PayloadRow]:
    """Every payload whose manifest names a pack file."""
    rows = await transaction.all(
        select(_p).join(_pp, _pp.c.payload_sha256 == _p.c.sha256).where(_pp.c.pack_key == key)
    )
    return [PayloadRow(**row._mapping) for row in rows]


async def payload_of_manifest(transaction: Transaction, manifest_key: str) -> PayloadRow | None:
    """The payload that is read by a manifest now."""
    row = await transaction.one(select(_p).where(_p.c.manifest_key == manifest_key))
    return PayloadRow(**row._mapping) if row else None


async def pack_keys_of(transaction: Transaction, sha256: str) -> frozenset[str]:
    """The pack files that the rows say a payload needs."""
    rows = await transaction.all(select(_pp.c.pack_key).where(_pp.c.payload_sha256 == sha256))
    return frozenset(row.pack_key for row in rows)


async def sound_packs_of(transaction: Transaction, sha256: str) -> frozenset[str]:
    """Those of a payload's pack files that are not DAMAGED."""
    rows = await transaction.all(
        select(_pp.c.pack_key)
        .join(_f, _f.c.key == _pp.c.pack_key)
        .where(_pp.c.payload_sha256 == sha256, _f.c.state == "STORED")
    )
    return frozenset(row.pack_key for row in rows)


async def mark_pack(transaction: Transaction, key: str) -> bool:
    """Set a stored pack file DAMAGED and take its chunks out of the index; False when it was already."""
    await transaction.execute(delete(tables.chunk).where(tables.chunk.c.pack_key == key))
    return bool(
        await transaction.changed(
            update(_f).where(_f.c.key == key, _f.c.state == "STORED").values(state="DAMAGED")
        )
    )


async def mark_payload(transaction: Transaction, row: PayloadRow, damage: str) -> bool:
    """Note what is wrong with a payload; False when it was marked already or has another manifest by now."""
    return bool(
        await transaction.changed(
            update(_p)
            .where(_p.c.sha256 == row.sha256, _p.c.manifest_key == row.manifest_key, _p.c.damage == "")
            .values(damage=damage)
        )
    )


async def absolve_pack(transaction: Transaction, key: str) -> bool:
    """Set a pack file STORED that was found sound again; False when it was not DAMAGED."""
    return bool(
        await transaction.changed(
            update(_f).where(_f.c.key == key, _f.c.state == "DAMAGED").values(state="STORED")
        )
    )


async def absolve_payload(transaction: Transaction, row: PayloadRow) -> bool:
    """Note that a payload was read whole and is sound; False when its row is no longer ``row``."""
    return bool(
        await transaction.changed(
            update(_p)
            .where(
                _p.c.sha256 == row.sha256,
                _p.c.manifest_key == row.manifest_key,
                _p.c.damage == row.damage,
                _p.c.damage != "",
            )
            .values(damage="")
        )
    )


async def damaged_payloads(transaction: Transaction, *, after: str, limit: int) -> Sequence[PayloadRow]:
    """A page of damaged payloads by sha256, behind ``after``."""
    rows = await transaction.all(
        select(_p).where(_p.c.damage != "", _p.c.sha256 > after).order_by(_p.c.sha256).limit(limit)
    )
    return [PayloadRow(**row._mapping) for row in rows]


async def damaged_packs(transaction: Transaction, *, after: str, limit: int) -> Sequence[PackRow]:
    """A page of DAMAGED pack files that a payload names, by key, behind ``after``; the others are garbage."""
    rows = await transaction.all(
        select(_f.c.key, _f.c.state, _f.c.size_bytes)
        .where(_f.c.state == "DAMAGED", _f.c.key > after, exists().where(_pp.c.pack_key == _f.c.key))
        .order_by(_f.c.key)
        .limit(limit)
    )
    return [_pack(row) for row in rows]


async def releases_of(transaction: Transaction, sha256: str) -> Sequence[ReleaseName]:
    """The releases whose stored payload this is, by project and version."""
    rows = await transaction.all(
        select(_r.c.project, _r.c.version)
        .where(_r.c.stored_payload == sha256)
        .order_by(_r.c.project, _r.c.version_order)
    )
    return [ReleaseName(row.project, row.version) for row in rows]


async def projects_of(transaction: Transaction, sha256: str) -> Sequence[str]:
    """The projects that have a release with this payload."""
    rows = await transaction.all(
        select(_r.c.project).where(_r.c.payload_sha256 == sha256).distinct().order_by(_r.c.project)
    )
    return [row.project for row in rows]


async def doubtful_pins(transaction: Transaction, deployment_id: str) -> frozenset[str]:
    """The pack files pinned for an upload that it can no longer count on."""
    rows = await transaction.all(_DOUBTFUL_PINS, {"of": deployment_id})
    return frozenset(row.pack_key for row in rows)


async def unpin(transaction: Transaction, deployment_id: str, keys: Collection[str]) -> None:
    """Let go of pack files that an upload counts on no more."""
    pins = tables.pin
    for key in sorted(keys):
        await transaction.execute(
            delete(pins).where(pins.c.deployment_id == deployment_id, pins.c.pack_key == key)
        )


def _pack(row: Row[Any]) -> PackRow:
    return PackRow(row.key, row.state, row.size_bytes)

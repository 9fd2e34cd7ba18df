"""Payloads that are stored whole, named by their sha256, and the pack files that each of them needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql

from . import tables
from .catalogue import Transaction
from .prepared import Prepared

_p = tables.payload
_d = tables.manifest_draft
_GET = Prepared(select(_p).where(_p.c.sha256 == bindparam("sha256")))
_INSERT = Prepared(
    # Of the two dialects that have it, SQLite's compiler takes PostgreSQL's construct, too.
    postgresql.insert(_p).on_conflict_do_nothing(index_elements=[_p.c.sha256]).returning(_p.c.sha256),
    ("sha256", "size_bytes", "chunk_count", "manifest_key", "create_time"),
)
_INSERT_PACKS = Prepared(insert(tables.payload_pack), tables.payload_pack.c.keys())
_BEGIN_MANIFEST = Prepared(insert(_d), _d.c.keys())
_TAKE_MANIFEST = Prepared(delete(_d).where(_d.c.key == bindparam("of")))


@dataclass(frozen=True, slots=True)
class PayloadRow:
    """A stored payload. ``manifest_key`` changes when the payload is compacted or repaired.

    ``damage`` says what is wrong with its stored bytes; empty while they are sound. A damaged payload is
    read as far as it goes, but it does not count as stored: whoever has its bytes stores them anew.
    """

    sha256: str
    size_bytes: int
    chunk_count: int
    manifest_key: str
    create_time: datetime
    damage: str


async def get_payload(transaction: Transaction, sha256: str) -> PayloadRow | None:
    """Read a payload; None when it is not stored."""
    row = await transaction.one(_GET, {"sha256": sha256})
    return PayloadRow(**row._mapping) if row else None


async def insert_payload(
    transaction: Transaction,
    *,
    sha256: str,
    size_bytes: int,
    chunk_count: int,
    manifest_key: str,
    pack_keys: Collection[str],
) -> bool:
    """Insert a payload with its pack files; False when it is stored already.

    Raises ``ConstraintViolated`` (a foreign key) when one of the pack files is gone.
    """
    inserted = await transaction.one(
        _INSERT,
        {
            "sha256": sha256,
            "size_bytes": size_bytes,
            "chunk_count": chunk_count,
            "manifest_key": manifest_key,
            "create_time": await transaction.now(),
        },
    )
    if inserted is None:
        return False
    await transaction.execute(
        _INSERT_PACKS,
        [{"payload_sha256": sha256, "pack_key": key} for key in sorted(pack_keys)],
    )
    return True


async def replace_manifest(
    transaction: Transaction,
    row: PayloadRow,
    *,
    manifest_key: str,
    chunk_count: int,
    pack_keys: Collection[str],
) -> bool:
    """Let a payload be read by another manifest; its old one is condemned, and it is sound from then on.

    False when the payload's row is no longer ``row``. The caller has locked the pack files. Raises
    ``ConstraintViolated`` (a foreign key) when one of them is gone.
    """
    swapped = await transaction.changed(
        update(_p)
        .where(_p.c.sha256 == row.sha256, _p.c.manifest_key == row.manifest_key, _p.c.damage == row.damage)
        .values(manifest_key=manifest_key, chunk_count=chunk_count, damage="")
    )
    if not swapped:
        return False
    await transaction.execute(
        delete(tables.payload_pack).where(tables.payload_pack.c.payload_sha256 == row.sha256)
    )
    await transaction.execute(
        _INSERT_PACKS,
        [{"payload_sha256": row.sha256, "pack_key": key} for key in sorted(pack_keys)],
    )
    await condemn(transaction, row.manifest_key)
    return True


async def begin_manifest(transaction: Transaction, key: str) -> None:
    """Insert the row of a manifest that is about to be put."""
    await transaction.execute(_BEGIN_MANIFEST, {"key": key, "create_time": await transaction.now()})


async def take_manifest(transaction: Transaction, key: str) -> bool:
    """Take the row of a manifest that was put, for the one that names it now; False when it was collected."""
    return bool(await transaction.changed(_TAKE_MANIFEST, {"of": key}))


async def condemn(transaction: Transaction, key: str, *, size_bytes: int = 0) -> None:
    """Hand an object that no row names over to be removed, after a grace."""
    await transaction.execute(
        insert(tables.condemned).values(key=key, size_bytes=size_bytes, condemn_time=await transaction.now())
    )

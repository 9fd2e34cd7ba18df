"""Payloads that are stored whole, named by their sha256, and the pack files that each of them needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite

from . import tables
from .catalogue import Transaction

_p = tables.payload


@dataclass(frozen=True, slots=True)
class PayloadRow:
    """A stored payload. ``manifest_key`` changes when the payload is compacted or repaired."""

    sha256: str
    size_bytes: int
    chunk_count: int
    manifest_key: str
    create_time: datetime


async def get_payload(transaction: Transaction, sha256: str) -> PayloadRow | None:
    """Read a payload; None when it is not stored."""
    row = await transaction.one(select(_p).where(_p.c.sha256 == sha256))
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
    dialect = sqlite if transaction.dialect == "sqlite" else postgresql
    inserted = await transaction.one(
        dialect.insert(_p)
        .values(
            sha256=sha256,
            size_bytes=size_bytes,
            chunk_count=chunk_count,
            manifest_key=manifest_key,
            create_time=await transaction.now(),
        )
        .on_conflict_do_nothing(index_elements=[_p.c.sha256])
        .returning(_p.c.sha256)
    )
    if inserted is None:
        return False
    await transaction.execute(
        insert(tables.payload_pack),
        [{"payload_sha256": sha256, "pack_key": key} for key in sorted(pack_keys)],
    )
    return True


async def condemn(transaction: Transaction, key: str) -> None:
    """Hand an object that no row names over to be removed, after a grace."""
    await transaction.execute(insert(tables.condemned).values(key=key, condemn_time=await transaction.now()))

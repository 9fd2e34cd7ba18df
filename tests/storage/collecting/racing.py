"""What races are about: pack files and payloads that nothing names, who drops them, what became of them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Collection, Sequence

import pytest
from sqlalchemy import select, update

from longshore_chunks import Codec, PlacedChunk, chunk_digest
from longshore_storage.catalogue import (
    Catalogue,
    chunk_index,
    garbage,
    open_catalogue,
    packs,
    projects,
    stored_payloads,
    tables,
)
from longshore_storage.catalogue.rows import Actor
from longshore_storage.collecting.dead_uploads import give_up_dead_uploads

from .store import ABANDONED, DAY

RAWS = [bytes([number]) * 100 for number in range(3)]
DIGESTS = [chunk_digest(raw) for raw in RAWS]


@pytest.fixture
async def catalogue(migrated_postgres: str) -> AsyncIterator[Catalogue]:
    catalogue = open_catalogue(migrated_postgres)
    try:
        yield catalogue
    finally:
        await catalogue.close()


async def drop_packs(catalogue: Catalogue, keys: Collection[str]) -> garbage.Dropped:
    async with catalogue.transaction() as transaction:
        return await garbage.drop_packs(transaction, keys)


async def drop_payloads(catalogue: Catalogue, sha256s: Sequence[str]) -> garbage.Dropped:
    async with catalogue.transaction() as transaction:
        return await garbage.drop_payloads(transaction, sha256s)


def a_sha256() -> str:
    return hashlib.sha256(uuid.uuid4().bytes).hexdigest()


def some_chunks(key: str) -> list[PlacedChunk]:
    return [
        PlacedChunk(digest, key, 8 + 100 * number, 100, 100, Codec.RAW)
        for number, digest in enumerate(DIGESTS)
    ]


async def silence(catalogue: Catalogue, deployment_id: str) -> None:
    """Let nobody have heard of an upload for two days."""
    u = tables.upload
    async with catalogue.transaction() as transaction:
        old = await transaction.now() - 2 * DAY
        await transaction.execute(
            update(u).where(u.c.deployment_id == deployment_id).values(heartbeat_time=old, held=False)
        )


async def give_up(catalogue: Catalogue) -> int:
    """Give up every upload that was not heard of for a day; how many were."""
    return await give_up_dead_uploads(
        catalogue, resume_for=DAY, actor=Actor("node:one"), error=ABANDONED, given_up=lambda _: None
    )


async def a_project(catalogue: Catalogue) -> str:
    name = f"p{uuid.uuid4().hex}"
    async with catalogue.transaction() as transaction:
        await projects.ensure_project(transaction, name, name)
    return name


async def a_stored_pack(catalogue: Catalogue) -> tuple[str, str]:
    """A stored pack file that nothing names, with its chunks in a project's index."""
    key, project = f"packs/{uuid.uuid4().hex}", await a_project(catalogue)
    async with catalogue.transaction() as transaction:
        await packs.begin_pack(transaction, key)
        await packs.mark_stored(transaction, key, 300)
        await chunk_index.add_chunks(transaction, project, some_chunks(key))
    return key, project


async def a_payload(catalogue: Catalogue) -> tuple[str, str, str]:
    """A stored payload that nothing names: its sha256, its pack file, and the project that has its chunks."""
    key, project = await a_stored_pack(catalogue)
    sha256 = a_sha256()
    async with catalogue.transaction() as transaction:
        await stored_payloads.insert_payload(
            transaction,
            sha256=sha256,
            size_bytes=300,
            chunk_count=3,
            manifest_key=f"manifests/{sha256}",
            pack_keys=[key],
        )
    return sha256, key, project


async def condemned(catalogue: Catalogue) -> set[str]:
    async with catalogue.reading() as transaction:
        return {row.key for row in await transaction.all(select(tables.condemned.c.key))}


async def pins(catalogue: Catalogue, deployment_id: str) -> list[str]:
    p = tables.pin
    async with catalogue.reading() as transaction:
        rows = await transaction.all(select(p.c.pack_key).where(p.c.deployment_id == deployment_id))
    return [row.pack_key for row in rows]


async def check_payload(catalogue: Catalogue, sha256: str, dropped: garbage.Dropped, is_named: bool) -> None:
    async with catalogue.reading() as transaction:
        row = await stored_payloads.get_payload(transaction, sha256)
    assert (row is None) is bool(dropped.rows) is not is_named
    assert (f"manifests/{sha256}" in await condemned(catalogue)) is bool(dropped.rows)


async def is_kept(catalogue: Catalogue, key: str) -> bool:
    f, c = tables.pack_file, tables.chunk
    async with catalogue.reading() as transaction:
        row = await transaction.one(select(f.c.state).where(f.c.key == key))
        chunks = await transaction.all(select(c.c.digest).where(c.c.pack_key == key))
    return (
        row is not None
        and row.state == "STORED"
        and key not in await condemned(catalogue)
        and {chunk.digest for chunk in chunks} <= set(DIGESTS)
    )


async def is_gone(catalogue: Catalogue, key: str) -> bool:
    f, c = tables.pack_file, tables.chunk
    async with catalogue.reading() as transaction:
        row = await transaction.one(select(f.c.key).where(f.c.key == key))
        chunks = await transaction.all(select(c.c.digest).where(c.c.pack_key == key))
    return row is None and not chunks and key in await condemned(catalogue)

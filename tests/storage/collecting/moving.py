"""A payload whose stored bytes are moved: by a compaction, or by a repair; and what holds in any case."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from longshore_chunks import Codec, CuttingParameters, ManifestHeader, PlacedChunk, chunk_digest
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import (
    Catalogue,
    chunk_index,
    packs,
    releases,
    stored_payloads,
    tables,
)
from longshore_storage.catalogue.rows import Actor
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.compacting.copying import Place
from longshore_storage.compacting.rewriting import Moved, PayloadRewriter
from longshore_storage.healing import DamageMarker, PayloadRepair
from longshore_storage.payloads.manifest_writing import put_manifest
from longshore_storage.payloads.new_packs import NewPacks
from longshore_storage.payloads.threads import Workers
from longshore_storage.ports import BlobStore
from tests.storage.healing.hurt_world import blocks_of, sha256_of

from .racing import (
    a_project,
    condemned,
)
from .stepping import Filter
from .store import release_values

ACTOR = Actor("tests")
CUTTING = CuttingParameters()
PACK_BYTES = 10_000


@dataclass
class Payload:
    """A stored payload of some chunks: its row, its pack file, the project that has its chunks."""

    row: PayloadRow
    pack_key: str
    project: str
    raws: list[bytes]

    @property
    def chunks(self) -> list[PlacedChunk]:
        """Its chunks as they lie in the pack file."""
        return placed(self.raws, self.pack_key)

    @property
    def digests(self) -> list[bytes]:
        return [chunk_digest(raw) for raw in self.raws]


@dataclass
class Stores:
    """PostgreSQL beside a folder."""

    catalogue: Catalogue
    blobs: BlobStore
    workers: Workers

    async def a_payload(self) -> Payload:
        """A payload of which a release knows; nothing keeps it."""
        raws = [random.randbytes(100) for _ in range(3)]
        data = b"".join(raws)
        project, pack_key = await a_project(self.catalogue), f"packs/{uuid.uuid4().hex}"
        header = ManifestHeader(bytes.fromhex(sha256_of(data)), len(data), CUTTING, (pack_key,), len(raws))

        async def chunks() -> AsyncGenerator[list[PlacedChunk], None]:
            yield placed(raws, pack_key)

        manifest_key = await put_manifest(self.catalogue, self.blobs, self.workers, header, chunks())
        async with self.catalogue.transaction() as transaction:
            await packs.begin_pack(transaction, pack_key)
            await packs.mark_stored(transaction, pack_key, len(data))
            await chunk_index.add_chunks(transaction, project, placed(raws, pack_key))
            await stored_payloads.take_manifest(transaction, manifest_key)
            await stored_payloads.insert_payload(
                transaction,
                sha256=sha256_of(data),
                size_bytes=len(data),
                chunk_count=len(raws),
                manifest_key=manifest_key,
                pack_keys=[pack_key],
            )
            values = release_values(project, "1.0.0", sha256_of(data), len(data), "")
            await releases.insert_release(transaction, **{**values, "stored_payload": None})
        return Payload(await self.row(sha256_of(data)), pack_key, project, raws)

    async def damaged_payload(self) -> Payload:
        """The same, after its pack file was found gone."""
        payload = await self.a_payload()
        assert await self.marker().suspect(payload.pack_key)
        payload.row = await self.row(payload.row.sha256)
        assert payload.row.damage
        return payload

    async def pack_keys(self) -> frozenset[str]:
        async with self.catalogue.reading() as transaction:
            rows = await transaction.all(select(tables.pack_file.c.key))
        return frozenset(row.key for row in rows)

    async def row(self, sha256: str) -> PayloadRow:
        async with self.catalogue.reading() as transaction:
            row = await stored_payloads.get_payload(transaction, sha256)
        assert row is not None
        return row

    async def rewriter(self, payload: Payload) -> tuple[PayloadRewriter, str]:
        """A compaction that has copied the payload's chunks into a new pack file, which it tells."""
        new_packs = NewPacks(self.catalogue, self.blobs, self.workers, pack_bytes=PACK_BYTES)
        places: dict[Place, PlacedChunk] = {}
        origins: dict[Place, PlacedChunk] = {}
        for old, raw in zip(payload.chunks, payload.raws, strict=True):
            new = await new_packs.add(old.digest, Codec.RAW, raw, len(raw))
            places[old.pack_key, old.offset] = new
            origins[new.pack_key, new.offset] = old
        await new_packs.finish()
        moved = Moved(frozenset({payload.pack_key}), places, origins, new_packs)
        (new_key,) = {new.pack_key for new in places.values()}
        return PayloadRewriter(self.catalogue, self.blobs, self.workers, moved), new_key

    def marker(self) -> DamageMarker:
        return DamageMarker(self.catalogue, self.blobs, self.workers, actor=ACTOR)

    async def repair(self, payload: Payload) -> bool:
        repair = PayloadRepair(
            self.catalogue, self.blobs, self.workers, cutting=CUTTING, pack_bytes=PACK_BYTES, actor=ACTOR
        )
        return await repair.repair_payload(payload.row.sha256, blocks_of(b"".join(payload.raws)))

    async def check(self, payload: Payload) -> PayloadRow | None:
        """What holds in any case; tells the payload's row."""
        f, c, pp, d = tables.pack_file, tables.chunk, tables.payload_pack, tables.manifest_draft
        gone = await condemned(self.catalogue)
        async with self.catalogue.reading() as transaction:
            row = await stored_payloads.get_payload(transaction, payload.row.sha256)
            states = {pack.key: pack.state for pack in await transaction.all(select(f))}
            needed = {pack.pack_key for pack in await transaction.all(select(pp))}
            indexed = {chunk.pack_key for chunk in await transaction.all(select(c))}
            manifests = {draft.key for draft in await transaction.all(select(d))}
            manifests |= {one.manifest_key for one in await transaction.all(select(tables.payload))}
        assert not (manifests | states.keys()) & gone
        assert needed <= states.keys()
        assert all(states[key] == "STORED" for key in indexed)
        assert {blob.key async for blob in self.blobs.list("manifests/")} <= manifests | gone
        return row


def placed(raws: Sequence[bytes], pack_key: str) -> list[PlacedChunk]:
    return [
        PlacedChunk(chunk_digest(raw), pack_key, 8 + 100 * number, len(raw), len(raw), Codec.RAW)
        for number, raw in enumerate(raws)
    ]


@pytest.fixture
async def stores(catalogue: Catalogue, tmp_path: Path) -> AsyncIterator[Stores]:
    workers = Workers(1)
    async with open_blob_store(f"file://{tmp_path}/blobs") as blobs:
        yield Stores(catalogue, blobs, workers)
    workers.close()


def changes(*of: str) -> Filter:
    """Gates at what changes or locks rows of these tables; what only reads them is no matter."""
    return lambda sql: any(
        f" {table} " in f"{sql} " and ("FOR " in sql or not sql.startswith("SELECT")) for table in of
    )

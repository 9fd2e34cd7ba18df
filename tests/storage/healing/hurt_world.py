"""A payload store whose objects tests change behind its back, with all that heals it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import google_crc32c
from sqlalchemy import select

from longshore_chunks import ManifestReader, PlacedChunk
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import Catalogue, releases, stored_payloads, tables
from longshore_storage.catalogue.rows import Actor
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.healing import DamageMarker, PayloadRepair, Scrub
from longshore_storage.payloads import PayloadStore
from longshore_storage.payloads.segments import stored_chunks
from longshore_storage.payloads.threads import Workers
from tests.storage.payloads.world import SMALL, HookedBlobs, World

ACTOR = Actor("tests")


@dataclass
class HurtWorld(World):
    """The stores of one test, and what heals them."""

    workers: Workers
    marker: DamageMarker
    repair: PayloadRepair

    def scrub(self, *, rate_bytes_s: float | None = None) -> Scrub:
        quiet = PayloadStore(self.catalogue, self.blobs, settings=SMALL)
        return Scrub(self.catalogue, self.blobs, self.workers, quiet, self.marker, rate_bytes_s=rate_bytes_s)

    async def release(self, data: bytes, version: str = "1.0.0", *, project: str = "netops") -> str:
        """Upload a payload and release it; its sha256."""
        stored = await self.upload(data, project=project)
        await self.name_release(stored.sha256, len(data), version, project=project)
        return stored.sha256

    async def name_release(
        self, sha256: str, size_bytes: int, version: str, *, project: str = "netops"
    ) -> None:
        async with self.catalogue.transaction() as transaction:
            await releases.insert_release(
                transaction,
                project=project,
                version=version,
                version_key=version,
                version_order=version,
                payload_sha256=sha256,
                stored_payload=sha256,
                content_sha256=sha256,
                payload_size_bytes=size_bytes,
                payload_format="TAR",
                file_name="",
                entries=1,
                unpacked_size_bytes=size_bytes,
                created_by="tests",
                deployment_id="",
            )

    async def row(self, sha256: str) -> PayloadRow:
        async with self.catalogue.reading() as transaction:
            row = await stored_payloads.get_payload(transaction, sha256)
        assert row is not None
        return row

    async def chunks_of(self, sha256: str) -> list[PlacedChunk]:
        """The payload's chunks in order, as its manifest places them."""
        return ManifestReader().feed(await self.blobs.get((await self.row(sha256)).manifest_key))

    async def change_object(self, key: str, change: Callable[[bytes], bytes]) -> None:
        """What no store should do: other bytes under a key."""
        body = change(await self.blobs.get(key))
        await self.blobs.delete(key)
        await self.restore(key, body)

    async def restore(self, key: str, body: bytes) -> None:
        await self.blobs.put(key, [body], crc32c=google_crc32c.value(body))

    async def hurt_chunk(self, chunk: PlacedChunk) -> None:
        await self.change_object(chunk.pack_key, flipped(chunk.offset + chunk.stored_length // 2))

    async def payload_packs(self) -> list[tuple[str, str]]:
        """The (pack key, payload) of every row that says what a payload needs."""
        pp = tables.payload_pack
        async with self.catalogue.reading() as transaction:
            rows = await transaction.all(select(pp.c.pack_key, pp.c.payload_sha256))
        return [(row.pack_key, row.payload_sha256) for row in rows]

    async def segment_packs(self, deployment_id: str) -> list[str]:
        """The pack file of each chunk of an upload's stored part."""
        return [
            chunk.pack_key
            async for chunks in stored_chunks(self.catalogue, self.workers, deployment_id)
            for chunk in chunks
        ]

    async def pack_states(self) -> dict[str, str]:
        async with self.catalogue.reading() as transaction:
            f = tables.pack_file
            return {row.key: row.state for row in await transaction.all(select(f.c.key, f.c.state))}

    async def audited(self, action: str) -> list[tuple[str, str]]:
        """The (project, version) of the audit rows of an action, in order."""
        a = tables.audit_entry
        async with self.catalogue.reading() as transaction:
            rows = await transaction.all(
                select(a.c.project, a.c.version).where(a.c.action == action).order_by(a.c.id)
            )
        return [(row.project, row.version) for row in rows]


@asynccontextmanager
async def opened_world(
    catalogue: Catalogue,
    blob_store_url: str,
    *,
    read_timeout_s: float = 30,
    retry_for_s: float = 20,
) -> AsyncIterator[HurtWorld]:
    workers = Workers(2)
    async with open_blob_store(
        blob_store_url, read_timeout_s=read_timeout_s, retry_for_s=retry_for_s
    ) as blobs:
        hooked = HookedBlobs(blobs)
        marker = DamageMarker(catalogue, hooked, workers, actor=ACTOR)
        repair = PayloadRepair(
            catalogue,
            hooked,
            workers,
            cutting=SMALL.cutting,
            pack_bytes=SMALL.pack_bytes,
            actor=ACTOR,
        )
        async with PayloadStore(catalogue, hooked, settings=SMALL, suspect=marker.suspect) as store:
            yield HurtWorld(catalogue, hooked, store, workers, marker, repair)
    workers.close()


def flipped(at: int) -> Callable[[bytes], bytes]:
    """One bit of the byte at ``at`` is another; counted from the end when negative."""

    def change(body: bytes) -> bytes:
        changed = bytearray(body)
        changed[at] ^= 0x10
        return bytes(changed)

    return change


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def blocks_of(data: bytes, size: int = 10_000) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(data), size):
        yield data[at : at + size]

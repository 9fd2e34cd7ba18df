"""A payload store over real stores, with what tests do to it: upload, break off, resume, look into it."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest
from sqlalchemy import Table, func, select

from longshore_chunks import (
    Codec,
    Cutter,
    CuttingParameters,
    ManifestHeader,
    ManifestWriter,
    PlacedChunk,
    chunk_digest,
    encode,
)
from longshore_storage.catalogue import Catalogue, tables, uploads
from longshore_storage.payloads import (
    ChunkEntry,
    PayloadSettings,
    PayloadStore,
    PayloadWriter,
    StoredPayload,
)
from longshore_storage.ports import BlobStat, BlobStore
from tests.storage.catalogue.rows import insert_an_upload

KIB = 1024
CUTTING = CuttingParameters(min_size_bytes=2 * KIB, avg_size_bytes=4 * KIB, max_size_bytes=16 * KIB)
# So small that a payload of some hundred KiB meets every border.
SMALL = PayloadSettings(
    cutting=CUTTING,
    pack_bytes=32 * KIB,
    uploads_at_once=3,
    packs_in_flight=3,
    packs_per_upload=2,
    batch_bytes=24 * KIB,
    batches_in_flight=2,
    read_batch_bytes=24 * KIB,
    read_batches_in_flight=2,
    threads=2,
)

# For what does not depend on the stores: SQLite beside files only.
embedded_only = pytest.mark.parametrize("database_url", ["embedded"], indirect=True)

Hook = Callable[[str], Awaitable[None]]


class HookedBlobs:
    """A blob store as it is, with something that happens before puts and to what is got."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self.before_put: Hook | None = None
        self.before_get: Hook | None = None
        self.change: Callable[[str, bytes], bytes] | None = None
        self.got: list[tuple[str, int, int]] = []

    async def put(self, key: str, parts: Sequence[bytes | memoryview], *, crc32c: int) -> None:
        if self.before_put is not None:
            await self.before_put(key)
        await self._blobs.put(key, parts, crc32c=crc32c)

    async def get(
        self, key: str, offset: int = 0, length: int | None = None, *, first_hand: bool = False
    ) -> bytes:
        if self.before_get is not None:
            await self.before_get(key)
        body = await self._blobs.get(key, offset, length, first_hand=first_hand)
        self.got.append((key, offset, len(body)))
        return self.change(key, body) if self.change is not None else body

    async def stat(self, key: str) -> BlobStat:
        return await self._blobs.stat(key)

    async def delete(self, key: str) -> None:
        await self._blobs.delete(key)

    def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        return self._blobs.list(prefix)

    async def check(self) -> None:
        await self._blobs.check()

    async def close(self) -> None:
        await self._blobs.close()


@dataclass
class World:
    """The stores of one test."""

    catalogue: Catalogue
    blobs: HookedBlobs
    store: PayloadStore

    async def begin(self, *, project: str = "netops", declared_size_bytes: int | None = None) -> str:
        """Accept an upload; its id."""
        return await insert_an_upload(
            self.catalogue, project=project, declared_size_bytes=declared_size_bytes
        )

    def writer(
        self, deployment_id: str, *, project: str = "netops", epoch: int = 1
    ) -> AbstractAsyncContextManager[PayloadWriter]:
        return self.store.writer(deployment_id=deployment_id, project=project, epoch=epoch)

    async def take_over(self, deployment_id: str) -> int:
        """Become the holder, as a session that had waited long enough; the new epoch."""
        async with self.catalogue.transaction() as transaction:
            taken = await uploads.take_over(
                transaction, deployment_id, session_id="next", attempt=1, stale_after_s=-1
            )
        assert taken is not None
        assert taken.epoch is not None
        return taken.epoch

    async def upload(self, data: bytes, *, project: str = "netops", piece: int = 7 * KIB) -> StoredPayload:
        """Upload the plain way."""
        deployment_id = await self.begin(project=project)
        async with self.writer(deployment_id, project=project) as writer:
            await send(writer, data, piece=piece)
            return await writer.finish(len(data), hashlib.sha256(data).hexdigest())

    async def upload_chunks(
        self, entries: Sequence[ChunkEntry], *, project: str = "netops", at_a_time: int = 5
    ) -> StoredPayload:
        """Upload the thrifty way."""
        deployment_id = await self.begin(project=project)
        async with self.writer(deployment_id, project=project) as writer:
            await send_chunks(writer, entries, at_a_time=at_a_time)
            return await writer.finish()

    async def read(self, sha256: str, offset: int = 0) -> bytes:
        async with self.store.open(sha256) as reader:
            return b"".join([piece async for piece in reader.stream(offset)])

    async def forget_payloads(self) -> None:
        """Remove every payload's row, as if it had never been recorded."""
        async with self.catalogue.transaction() as transaction:
            # First what keeps them: the uploads that made them.
            await transaction.execute(tables.upload.delete())
            await transaction.execute(tables.payload.delete())

    async def upload_row(self, deployment_id: str) -> uploads.Upload:
        async with self.catalogue.reading() as transaction:
            row = await uploads.get_upload(transaction, deployment_id)
        assert row is not None
        return row

    async def column(self, table: Table, column: str) -> list[object]:
        async with self.catalogue.reading() as transaction:
            return [row[0] for row in await transaction.all(select(table.c[column]))]

    async def count(self, table: Table) -> int:
        async with self.catalogue.reading() as transaction:
            row = await transaction.one(select(func.count()).select_from(table))
        assert row is not None
        return int(row[0])

    async def keys(self, prefix: str) -> list[str]:
        return [blob.key async for blob in self.blobs.list(prefix)]


async def send(writer: PayloadWriter, data: bytes, *, piece: int = 7 * KIB) -> None:
    """Send what is not durable yet of ``data`` the plain way."""
    for at in range(writer.offset, len(data), piece):
        await writer.add_data(at, data[at : at + piece])


async def send_chunks(writer: PayloadWriter, entries: Sequence[ChunkEntry], *, at_a_time: int = 5) -> None:
    """Send what is not durable yet of ``entries``."""
    offset, left = 0, list(entries)
    while offset < writer.offset:
        offset += left.pop(0).raw_size
    assert offset == writer.offset
    for at in range(0, len(left), at_a_time):
        await writer.add_chunks(writer.offset, left[at : at + at_a_time])


def cut(data: bytes, cutting: CuttingParameters = CUTTING) -> list[bytes]:
    cutter = Cutter(cutting)
    return cutter.feed(data) + cutter.finish()


def entry_of(raw: bytes) -> ChunkEntry:
    """A chunk as a thrifty client sends one that is missing."""
    codec, stored = encode(raw)
    if codec is Codec.ZSTD:
        return ChunkEntry(chunk_digest(raw), len(raw), zstd_frame=stored)
    return ChunkEntry(chunk_digest(raw), len(raw), raw=raw)


def reference_to(raw: bytes) -> ChunkEntry:
    return ChunkEntry(chunk_digest(raw), len(raw))


def entries_of(raws: Iterable[bytes]) -> list[ChunkEntry]:
    return [entry_of(raw) for raw in raws]


def manifest_of(sha256: str, chunks: Sequence[PlacedChunk]) -> tuple[str, bytes]:
    """A manifest that says this of a payload, as anybody can make it, and a key that it may have."""
    pack_keys = tuple(dict.fromkeys(chunk.pack_key for chunk in chunks))
    size_bytes = sum(chunk.raw_length for chunk in chunks)
    header = ManifestHeader(bytes.fromhex(sha256), size_bytes, CUTTING, pack_keys, len(chunks))
    writer = ManifestWriter(header)
    body = writer.add(chunks) + writer.finish()
    return f"manifests/made-{writer.digest.hex()}", body


def random_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def text_bytes(size: int, seed: int = 1) -> bytes:
    """Something that compresses as programs and configuration do."""
    chance = random.Random(seed)
    words = [chance.randbytes(chance.randrange(2, 7)).hex() for _ in range(2000)]
    text = bytearray()
    while len(text) < size:
        text += " ".join(chance.choices(words, k=5000)).encode()
    return bytes(text[:size])


async def until(condition: Callable[[], bool], *, timeout_s: float = 10) -> None:
    """Wait for a condition that others bring about."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.001)

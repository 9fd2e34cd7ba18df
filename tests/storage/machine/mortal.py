"""The stores as one process sees them: its calls pass by what may befall it, and its clock is the test's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from longshore_storage.catalogue import Catalogue, Transaction
from longshore_storage.catalogue.direct import Answer
from longshore_storage.catalogue.prepared import Prepared
from longshore_storage.errors import BlobStoreUnavailable, CatalogueUnavailable, CommitUnknown
from longshore_storage.ports import BlobStat, BlobStore

from .bucket import Bucket, Clock
from .faults import Call, Life

_BLOBS_AWAY = BlobStoreUnavailable("the test let the store be away")
_CATALOGUE_AWAY = CatalogueUnavailable("the test let the database be away")
_UNKNOWN = CommitUnknown("the test broke the connection while committing")


class MortalTransaction(Transaction):
    """A transaction of a process that may end in the middle of it."""

    def __init__(self, opened: Transaction, life: Life, clock: Clock) -> None:
        super().__init__(opened._connection, opened._database)
        self._life = life
        self._clock = clock

    async def execute(
        self,
        statement: Executable | Prepared,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> Answer:
        execute = super().execute
        return await self._life.call(Call.SQL, lambda: execute(statement, parameters), away=_CATALOGUE_AWAY)

    async def now(self) -> datetime:
        return await super().now() + self._clock.waited


class MortalCatalogue(Catalogue):
    """A process's way to the database, by a pool of its own."""

    def __init__(self, opened: Catalogue, life: Life, clock: Clock) -> None:
        engine = opened._engine
        super().__init__(engine, opened.database, one_writer=engine.dialect.name == "sqlite")
        self._life = life
        self._clock = clock

    def share_writer(self, writer: asyncio.Lock) -> None:
        """Write only while holding this lock."""
        self._writer = writer

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as opened:
            yield MortalTransaction(opened, self._life, self._clock)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        async with super().reading() as opened:
            yield MortalTransaction(opened, self._life, self._clock)

    @asynccontextmanager
    async def rehearsing(self) -> AsyncIterator[Transaction]:
        async with super().rehearsing() as opened:
            yield MortalTransaction(opened, self._life, self._clock)

    async def _commit(self, connection: AsyncConnection) -> None:
        commit = super()._commit
        await self._life.call(Call.COMMIT, lambda: commit(connection), away=_UNKNOWN)


class MortalBlobs:
    """A process's way to the bucket; ``may_go`` is asked before each delete."""

    def __init__(
        self, store: BlobStore, bucket: Bucket, life: Life, may_go: Callable[[str], Awaitable[None]]
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._life = life
        self._may_go = may_go

    async def put(self, key: str, parts: Sequence[bytes | memoryview], *, crc32c: int) -> None:
        await self._life.call(
            Call.PUT,
            lambda: self._bucket.put(key, parts, self._store),
            away=_BLOBS_AWAY,
            later=lambda: self._bucket.put_later(key, parts),
        )

    async def get(
        self, key: str, offset: int = 0, length: int | None = None, *, first_hand: bool = False
    ) -> bytes:
        return await self._life.call(
            Call.GET,
            lambda: self._store.get(key, offset, length, first_hand=first_hand),
            away=_BLOBS_AWAY,
            garbled=_garbled,
        )

    async def stat(self, key: str) -> BlobStat:
        found = await self._life.call(Call.STAT, lambda: self._store.stat(key), away=_BLOBS_AWAY)
        return self._in_our_time(found)

    async def delete(self, key: str) -> None:
        async def delete() -> None:
            await self._may_go(key)
            await self._bucket.delete(key, self._store)

        await self._life.call(Call.DELETE, delete, away=_BLOBS_AWAY)

    async def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        async def begin() -> None: ...

        await self._life.call(Call.LIST, begin, away=_BLOBS_AWAY)
        async for found in self._store.list(prefix):
            yield self._in_our_time(found)
            self._life.check()

    async def check(self) -> None:
        self._life.check()
        await self._store.check()

    async def close(self) -> None:
        await self._store.close()

    def _in_our_time(self, found: BlobStat) -> BlobStat:
        return replace(found, modified_time=found.modified_time + self._bucket.put_time(found.key))


def _garbled(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0x10]) + body[middle + 1 :] if body else body

"""Reads of stored payloads that are held up, as by a store that is slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from longshore_server import stores as stores_module
from longshore_storage.blobs import open_blob_store
from longshore_storage.ports import BlobStore
from tests.storage.payloads.world import HookedBlobs


class Gate:
    """Lets reads of pack files through; while it is closed only those that were known before."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.held = 0
        self._open = asyncio.Event()
        self._open.set()
        self._closed = False

    @contextmanager
    def closed(self) -> Iterator[None]:
        self._closed = True
        self._open.clear()
        try:
            yield
        finally:
            self._closed = False
            self._open.set()

    async def pass_by(self, key: str) -> None:
        if not self._closed:
            self.known.add(key)
        if key.startswith("packs/") and key not in self.known:
            self.held += 1
            try:
                await self._open.wait()
            finally:
                self.held -= 1

    async def holds(self, reads: int) -> None:
        async with asyncio.timeout(20):
            while self.held < reads:
                await asyncio.sleep(0.01)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Stands before the blob store of every node that is started from now on."""
    gate = Gate()

    @asynccontextmanager
    async def opened(*arguments: Any, **options: Any) -> AsyncIterator[BlobStore]:
        async with open_blob_store(*arguments, **options) as blobs:
            hooked = HookedBlobs(blobs)
            hooked.before_get = gate.pass_by
            yield hooked

    monkeypatch.setattr(stores_module, "open_blob_store", opened)
    return gate

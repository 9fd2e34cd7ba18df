"""A blob store whose requests are measured."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from longshore_storage.errors import StorageError
from longshore_storage.ports import BlobStat, BlobStore

from .metrics import Metrics


class MeasuredBlobs:
    """Passes every request on, and notes how long it took, what it moved and how it failed."""

    def __init__(self, blobs: BlobStore, metrics: Metrics) -> None:
        self._blobs = blobs
        self._metrics = metrics

    async def put(self, key: str, parts: Sequence[bytes | memoryview], *, crc32c: int) -> None:
        """See the port."""
        with self._measured("put"):
            await self._blobs.put(key, parts, crc32c=crc32c)
        self._metrics.blob_bytes.labels("put").inc(sum(map(len, parts)))

    async def get(
        self, key: str, offset: int = 0, length: int | None = None, *, first_hand: bool = False
    ) -> bytes:
        """See the port."""
        with self._measured("get"):
            body = await self._blobs.get(key, offset, length, first_hand=first_hand)
        self._metrics.blob_bytes.labels("get").inc(len(body))
        return body

    async def stat(self, key: str) -> BlobStat:
        """See the port."""
        with self._measured("stat"):
            return await self._blobs.stat(key)

    async def delete(self, key: str) -> None:
        """See the port."""
        with self._measured("delete"):
            await self._blobs.delete(key)

    def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        """See the port; how long a listing takes depends on who reads it."""
        return self._blobs.list(prefix)

    async def check(self) -> None:
        """See the port."""
        await self._blobs.check()

    async def close(self) -> None:
        """See the port."""
        await self._blobs.close()

    @contextmanager
    def _measured(self, operation: str) -> Iterator[None]:
        begun_s = time.monotonic()
        try:
            yield
        except StorageError as error:
            self._metrics.blob_errors.labels(operation, type(error).__name__).inc()
            raise
        finally:
            self._metrics.blob_seconds.labels(operation).observe(time.monotonic() - begun_s)

"""What a piece of work asks of the blob store, as one span for all that it put and one for all that it got.

A payload of a few GiB is put in hundreds of requests, side by side: a span for each would tell less than
their count, their bytes, and how long they took together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

from longshore_storage.ports import BlobStat, BlobStore

from .spans import is_tracing, record_span


@dataclass(slots=True)
class _Requests:
    """Requests of one kind: from when to when, and all together."""

    begun: datetime | None = None
    ended: datetime | None = None
    count: int = 0
    size_bytes: int = 0
    failed: int = 0
    seconds: float = 0

    @contextmanager
    def noted(self) -> Iterator[None]:
        begun = datetime.now(UTC)
        self.begun = self.begun or begun
        self.count += 1
        try:
            yield
        except Exception:
            self.failed += 1
            raise
        finally:
            self.ended = datetime.now(UTC)
            self.seconds += (self.ended - begun).total_seconds()

    def record(self, name: str) -> None:
        if self.begun is not None and self.ended is not None:
            record_span(
                name,
                begun=self.begun,
                ended=self.ended,
                requests=self.count,
                failed_requests=self.failed,
                bytes=self.size_bytes,
                request_seconds=round(self.seconds, 6),
            )


@dataclass(frozen=True, slots=True)
class _Use:
    puts: _Requests
    gets: _Requests


_use: ContextVar[_Use | None] = ContextVar("store_use", default=None)


@contextmanager
def store_use() -> Iterator[None]:
    """Tell at the end of the block what it, and the tasks that it started, put into the store and got."""
    if not is_tracing():
        yield
        return
    use = _Use(_Requests(), _Requests())
    token = _use.set(use)
    try:
        yield
    finally:
        _use.reset(token)
        use.puts.record("store.put")
        use.gets.record("store.get")


class TracedBlobs:
    """Passes every request on, and notes it for who is within ``store_use``."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def put(self, key: str, parts: Sequence[bytes | memoryview], *, crc32c: int) -> None:
        """See the port."""
        if (use := _use.get()) is None:
            return await self._blobs.put(key, parts, crc32c=crc32c)
        with use.puts.noted():
            await self._blobs.put(key, parts, crc32c=crc32c)
        use.puts.size_bytes += sum(map(len, parts))
        return None

    async def get(
        self, key: str, offset: int = 0, length: int | None = None, *, first_hand: bool = False
    ) -> bytes:
        """See the port."""
        if (use := _use.get()) is None:
            return await self._blobs.get(key, offset, length, first_hand=first_hand)
        with use.gets.noted():
            body = await self._blobs.get(key, offset, length, first_hand=first_hand)
        use.gets.size_bytes += len(body)
        return body

    async def stat(self, key: str) -> BlobStat:
        """See the port."""
        return await self._blobs.stat(key)

    async def delete(self, key: str) -> None:
        """See the port."""
        await self._blobs.delete(key)

    def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        """See the port."""
        return self._blobs.list(prefix)

    async def check(self) -> None:
        """See the port."""
        await self._blobs.check()

    async def close(self) -> None:
        """See the port."""
        await self._blobs.close()

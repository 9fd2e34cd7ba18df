"""The bucket as only the test sees it: what must lie in it, and what was done to it behind everybody's back.

``contents`` mirrors the store: what was put, but for what was deleted, and as it was hurt. That the store
holds just that is an invariant, so the other invariants are read from here and cost no requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import google_crc32c

from longshore_storage.ports import BlobStore

MARKS = "catalogues/"


class Clock:
    """The time of all processes: the database's, and what was waited for."""

    def __init__(self) -> None:
        self.waited = timedelta(0)

    def wait(self, time: timedelta) -> None:
        self.waited += time


@dataclass
class Bucket:
    """``hand`` reaches the store past every process.

    ``hurt`` has the bodies of objects as they were before they were hurt, ``late`` what the store has taken
    and not done yet. ``strays`` are objects that no row need name: they landed late, or their rows were
    lost with a database.
    """

    hand: BlobStore
    clock: Clock
    contents: dict[str, bytes] = field(default_factory=dict)
    put_times: dict[str, timedelta] = field(default_factory=dict)
    every_key: dict[str, bytes] = field(default_factory=dict)
    hurt: dict[str, bytes] = field(default_factory=dict)
    ever_hurt: set[str] = field(default_factory=set)
    late: dict[str, bytes] = field(default_factory=dict)
    strays: set[str] = field(default_factory=set)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def put(self, key: str, parts: Sequence[bytes | memoryview], store: BlobStore) -> None:
        """Put for a process. What the store has begun it ends, whether or not that process waits for it."""
        body = b"".join(parts)
        assert self.every_key.setdefault(key, body) == body, f"{key} was used twice"
        await self._to_the_end(lambda: self._put(key, body, store))

    async def delete(self, key: str, store: BlobStore) -> None:
        """Delete for a process, to the end as well."""
        self.hurt.pop(key, None)
        await self._to_the_end(lambda: self._delete(key, store))

    def put_time(self, key: str) -> timedelta:
        """How far the clock was from the store's own when an object was put."""
        return self.put_times.get(key, timedelta(0))

    def put_later(self, key: str, parts: Sequence[bytes | memoryview]) -> None:
        """Take an object and do nothing for now; with a catalogue's mark never, which a person takes over."""
        if key.startswith(MARKS):
            return
        self.late[key] = self.every_key[key] = b"".join(parts)

    async def land(self) -> None:
        """Do what was taken."""
        while self.late:
            key, body = self.late.popitem()
            self.strays.add(key)
            await self._put(key, body, self.hand)

    async def settle(self) -> None:
        """Return when nothing is under way in the store."""
        while self.under_way:
            await asyncio.wait(self.under_way)

    async def hurt_object(self, key: str, body: bytes | None) -> None:
        """Let other bytes lie under a key, or none."""
        self.hurt.setdefault(key, self.contents.get(key, b""))
        self.ever_hurt.add(key)
        if body is None:
            await self._delete(key, self.hand)
        else:
            await self._put(key, body, self.hand)

    async def heal_object(self, key: str) -> None:
        """Let an object be again as it was put."""
        await self._put(key, self.hurt.pop(key), self.hand)

    async def _put(self, key: str, body: bytes, store: BlobStore) -> None:
        await store.put(key, [body], crc32c=google_crc32c.value(body))
        self.contents[key] = body
        self.put_times.setdefault(key, self.clock.waited)

    async def _delete(self, key: str, store: BlobStore) -> None:
        await store.delete(key)
        self.contents.pop(key, None)

    async def _to_the_end(self, work: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await work()

        task = asyncio.create_task(run())
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        await asyncio.shield(task)

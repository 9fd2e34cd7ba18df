"""The ports: what Longshore asks of a blob store and of a coordination service.

The third port, the catalogue, is SQL and stands in ``catalogue/``. Adapters raise only what
``errors`` names; vendor types and vendor errors never cross these lines.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BlobStat:
    """One stored object: its key, its size in bytes, and when the store took it (UTC)."""

    key: str
    size_bytes: int
    modified_time: datetime


class BlobStore(Protocol):
    """Immutable objects under random keys.

    Keys are relative paths of ``[a-z0-9/._-]``, made by the caller and never used twice. An object is
    visible whole or not at all, and durable once ``put`` returns. Nothing is changed in place. Listing
    may be slow; everything else is one round trip. Every method raises ``BlobStoreUnavailable`` for a
    passing fault and ``Misconfigured`` for a wrong bucket, credential or folder.
    """

    async def put(self, key: str, parts: Sequence[bytes | memoryview], *, crc32c: int) -> None:
        """Store the concatenation of ``parts`` under ``key``; durable when this returns.

        ``crc32c`` is the CRC32C (Castagnoli) of the whole body; a store that can check it does. Putting
        the same body again under the same key is harmless. Raises ``BlobStoreFull``, and ``CorruptBlob``
        when the body that arrived does not have that CRC32C.
        """
        ...

    async def get(
        self, key: str, offset: int = 0, length: int | None = None, *, first_hand: bool = False
    ) -> bytes:
        """Read ``length`` bytes from ``offset`` (to the end when None).

        A replicated store may give them from a replica, which may be damaged where the store is not:
        whoever judges the store, or has found the bytes wrong, asks for them ``first_hand``.
        Raises ``BlobNotFound``; ``CorruptBlob`` when the object is shorter than the range asked for.
        """
        ...

    async def stat(self, key: str) -> BlobStat:
        """Describe one object. Raises ``BlobNotFound``."""
        ...

    async def delete(self, key: str) -> None:
        """Remove one object; removing what is not there succeeds."""
        ...

    def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        """Every object whose key begins with ``prefix``, in key order, page by page."""
        ...

    async def check(self) -> None:
        """Return when the store answers and the bucket or folder is usable; raise otherwise."""
        ...

    async def close(self) -> None:
        """Release connections and threads. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """A node as its lease announces it. ``attributes`` is small JSON-like text, for people."""

    node_id: str
    name: str
    boot_number: int
    attributes: Mapping[str, str] = field(default_factory=dict)


class Lock(Protocol):
    """A held lock: who holds it, and the number that orders its holders."""

    @property
    def name(self) -> str:
        """The name that was locked."""
        ...

    @property
    def fence(self) -> int:
        """Rises with every holder of this name, for logs; writes are protected by numbers in SQL."""
        ...


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock that somebody holds: its name, who holds it, and how many others wait for it.

    ``holder`` is what the holder's client calls itself, a node's UUID say.
    """

    name: str
    holder: str
    waiting: int


class Coordination(Protocol):
    """Liveness: locks, membership and wake-up signals. It is never the truth.

    All of its data may vanish at any time; whoever waits for a signal also polls. Every method raises
    ``CoordinationUnavailable`` for a passing fault and ``Misconfigured`` for wrong endpoints,
    certificates or users.
    """

    def lock(self, name: str) -> AbstractAsyncContextManager[Lock]:
        """Wait in turn for ``name`` (first come, first served), hold it, and give it back at the end.

        When the lease behind it is lost, the task inside the block is cancelled and the block ends with
        ``LockLost``. A waiter that is cancelled leaves the queue at once. Not re-entrant.
        """
        ...

    async def locks(self) -> Sequence[HeldLock]:
        """The locks that are held now, by anybody, by name."""
        ...

    def membership(self, member: Member) -> AbstractAsyncContextManager[None]:
        """Announce ``member`` under a lease for as long as the block runs.

        Kept alive and, after the lease or all data was lost, announced again by itself; entering does not
        wait for the service, so that a node starts and serves reads while coordination is away.
        """
        ...

    async def members(self) -> Sequence[Member]:
        """Every member whose lease is alive now, by node id."""
        ...

    @property
    def is_alone(self) -> bool:
        """Whether no other client can ever hear its signals."""
        ...

    async def signal(self, kind: str, ident: str) -> None:
        """Wake whoever listens to ``kind``; never waits long, and a lost signal is only a delay."""
        ...

    def signals(self, kind: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """The idents signalled from now on, coalesced while nobody reads.

        Yields an empty string when signals may have been missed (a reconnect, a compaction, lost data):
        look at everything again. The iterator never ends by itself and survives the service being away.
        """
        ...

    async def check(self) -> None:
        """Return when the service answers; raise otherwise."""
        ...

    async def close(self) -> None:
        """Give back every lease and connection. Idempotent."""
        ...

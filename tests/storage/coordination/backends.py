"""What the tests of coordination run on: a hub in memory, or a prefix of a real etcd."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from longshore_storage.coordination import LocalCoordination, LocalHub, open_coordination
from longshore_storage.errors import CoordinationUnavailable
from longshore_storage.ports import Coordination
from tests.services.etcd_cluster import EtcdCluster, encoded, key_range


class Backend(Protocol):
    """Hands out clients that see each other, and looks at what they keep."""

    def client(self, holder: str = "") -> Coordination:
        """Another client, as another process would have it."""
        ...

    def queued(self, name: str) -> int:
        """How many hold or wait for the lock ``name``."""
        ...

    def left_over(self) -> list[str]:
        """What clients that are gone still keep."""
        ...


class LocalBackend:
    def __init__(self) -> None:
        self.hub = LocalHub()

    def client(self, holder: str = "") -> Coordination:
        return LocalCoordination(self.hub, holder=holder)

    def queued(self, name: str) -> int:
        return len(self.hub.queues.get(name, ()))

    def left_over(self) -> list[str]:
        return [*self.hub.queues, *self.hub.members]


class EtcdBackend:
    """``prefix`` of ``cluster``; leases last ``ttl_s``."""

    def __init__(self, cluster: EtcdCluster, prefix: str, *, ttl_s: int = 10) -> None:
        self.cluster = cluster
        self.prefix = prefix
        self.ttl_s = ttl_s
        self._leases_before = self.leases()

    def client(self, holder: str = "") -> Coordination:
        return open_coordination(self.cluster.url(self.prefix), lease_ttl_s=self.ttl_s, holder=holder)

    def queued(self, name: str) -> int:
        return len(self.keys(f"locks/{name}/"))

    def left_over(self) -> list[str]:
        leases = self.leases() - self._leases_before
        return [*self.keys(), *(f"lease {lease}" for lease in sorted(leases))]

    def entries(self, under: str = "") -> list[dict[str, str]]:
        """What etcd keeps under the prefix's keys that begin with ``under``; keys come without the prefix."""
        root = f"{self.prefix}/"
        found = self.call("kv/range", key_range(root + under)).get("kvs", [])
        keys = [base64.b64decode(entry["key"]).decode() for entry in found]
        return [{**entry, "key": key.removeprefix(root)} for key, entry in zip(keys, found, strict=True)]

    def keys(self, under: str = "") -> list[str]:
        return [entry["key"] for entry in self.entries(under)]

    def lease_of(self, key: str) -> int:
        return next(int(entry["lease"]) for entry in self.entries(key) if entry["key"] == key)

    def wipe(self) -> None:
        """Delete every key of the prefix, as somebody might by hand."""
        self.call("kv/deleterange", key_range(f"{self.prefix}/"))

    def revoke(self, lease: int) -> None:
        self.call("lease/revoke", {"ID": str(lease)})

    def compact(self) -> None:
        revision = self.call("kv/range", {"key": encoded("x")})["header"]["revision"]
        self.call("kv/compaction", {"revision": revision, "physical": True})

    def leases(self) -> set[str]:
        return {lease["ID"] for lease in self.call("lease/leases", {}).get("leases", [])}

    def call(self, path: str, body: dict[str, Any]) -> Any:
        running = next(member for member in self.cluster.members if member.running)
        return running.call(path, body)


async def until(
    condition: Callable[[], object] | Callable[[], Awaitable[object]], *, within_s: float = 15
) -> None:
    """Wait for ``condition``, plain or async; it is asked often."""
    async with asyncio.timeout(within_s):
        while True:
            answer = condition()
            if await answer if isinstance(answer, Awaitable) else answer:
                return
            await asyncio.sleep(0.01)


async def signalled(client: Coordination, ident: str) -> None:
    """Signal ``ident`` until it was sent."""

    async def sent() -> bool:
        with contextlib.suppress(CoordinationUnavailable):
            await client.signal("deployment", ident)
            return True
        return False

    await until(sent)


async def hears(client: Coordination, heard: AsyncIterator[str], ident: str) -> list[str]:
    """Signal ``ident`` until it is heard; everything heard up to it."""
    idents: list[str] = []

    async def repeat() -> None:
        while True:
            with contextlib.suppress(CoordinationUnavailable):
                await client.signal("deployment", ident)
            await asyncio.sleep(0.2)

    repeating = asyncio.create_task(repeat())
    try:
        async with asyncio.timeout(20):
            while ident not in idents:
                idents.append(await anext(heard))
    finally:
        repeating.cancel()
        await asyncio.wait([repeating])
    return idents

"""Locks by etcd's own recipe: a queue of leased keys, ordered by the revision that created them.

Owns ``{prefix}/locks/{name}/{random}``. Whoever has the first key holds the lock; each waiter watches
its predecessor only, so that a release wakes one. Invariants: a place in the queue is a lease of its
own, so it ends whole; nothing is remembered between two reads, so a waiter survives lost keys, lost
leases and a cluster restored from a backup; and a lock alone never protects a write, since its holder
may sleep through its end.

Source: ``client/v3/concurrency`` of etcd, of which the key and its guard are made stricter here.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from etcd3aio.kv import SortOrder, SortTarget, prefix_range_end

from longshore_storage.errors import CoordinationUnavailable
from longshore_storage.ports import HeldLock

from .etcd_channel import EtcdConnection
from .etcd_errors import LeaseNotFound
from .etcd_lease import RETRY_PAUSE_S, Lease
from .etcd_watch import wait_for_delete
from .held import HeldBlock


@dataclass(frozen=True, slots=True)
class EtcdLock:
    """A held lock; ``fence`` is the revision of etcd's store that created its key."""

    name: str
    fence: int


@asynccontextmanager
async def hold_lock(
    connection: EtcdConnection, prefix: str, name: str, ttl_s: int, holder: str
) -> AsyncIterator[EtcdLock]:
    """Wait for the lock ``name`` and hold it, as ``Coordination.lock`` says.

    A waiter rides out what is shorter than its lease; then it raises ``CoordinationUnavailable``.
    """
    queue = f"{prefix}/locks/{name}/"
    while True:
        async with Lease(connection, ttl_s, f"lock {name}") as lease:
            key = queue + uuid.uuid4().hex
            place = holder.encode()
            await lease.put(key, place)
            fence = await _wait_for_turn(connection, queue, key, place, lease)
            if fence is None:
                continue
            block = HeldBlock(name)
            lease.lost.add_done_callback(lambda _, block=block: block.lose())  # type: ignore[misc]
            lease.guard(key)
            async with block:
                yield EtcdLock(name, fence)
            return


async def read_locks(connection: EtcdConnection, prefix: str) -> list[HeldLock]:
    """Every lock that is held, by name."""
    under = f"{prefix}/locks/"
    answer = await connection.call(
        lambda endpoint, share_s: endpoint.kv.get(
            under,
            prefix_range_end(under),
            sort_order=SortOrder.ASCEND,
            sort_target=SortTarget.CREATE,
            timeout=share_s,
        )
    )
    queues: dict[str, list[str]] = {}
    for kv in answer.kvs:
        name, _, _ = kv.key.decode().removeprefix(under).rpartition("/")
        queues.setdefault(name, []).append(kv.value.decode(errors="replace"))
    return [HeldLock(name, holders[0], len(holders) - 1) for name, holders in sorted(queues.items())]


async def _wait_for_turn(
    connection: EtcdConnection, queue: str, key: str, place: bytes, lease: Lease
) -> int | None:
    """Wait until ``key`` is the first of its queue; its create revision, or None when the lease is lost."""
    while not lease.lost.done():
        try:
            revision, places = await _read_queue(connection, queue)
            keys = [place for place, _ in places]
            if key not in keys:
                await lease.put(key, place)
            elif keys[0] == key:
                return places[0][1]
            else:
                predecessor = keys[keys.index(key) - 1]
                await lease.wait(wait_for_delete(connection, predecessor, after_revision=revision))
        except LeaseNotFound:
            lease.lose("etcd does not know it")
        except CoordinationUnavailable:
            await asyncio.sleep(RETRY_PAUSE_S)
    return None


async def _read_queue(connection: EtcdConnection, queue: str) -> tuple[int, list[tuple[str, int]]]:
    """The store's revision, and the keys of the queue with their create revisions, first come first."""
    answer = await connection.call(
        lambda endpoint, share_s: endpoint.kv.get(
            queue,
            prefix_range_end(queue),
            keys_only=True,
            sort_order=SortOrder.ASCEND,
            sort_target=SortTarget.CREATE,
            timeout=share_s,
        )
    )
    places = [(kv.key.decode(), int(kv.create_revision)) for kv in answer.kvs]
    # A lock whose name goes on behind a slash keeps its own queue under ours.
    return int(answer.header.revision), [place for place in places if "/" not in place[0][len(queue) :]]

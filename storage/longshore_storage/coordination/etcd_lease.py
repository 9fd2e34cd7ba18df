"""A lease: granted, kept alive, noticed when lost, given back.

Owns the only clock that counts here, our own: a lease that no answer renewed for nine tenths of its
time is lost for us, so always before it ends for etcd. Its id is made here, so that a grant whose
answer was lost can be repeated and given back. Invariants: one lease per place in a queue and per
membership, so that giving up any of them can neither fail half-way nor leave a key that another keeps
alive; at worst a lease outlives its owner by its own time to live.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

import grpc
import structlog
from etcd3aio._protobuf import LeaseKeepAliveRequest

from longshore_storage.errors import StorageError

from .etcd_channel import CALL_TIMEOUT_S, Endpoint, EtcdConnection
from .etcd_errors import LeaseExists, StreamEnded
from .etcd_watch import wait_for_delete

FAREWELL_TIMEOUT_S = 2.0
RETRY_PAUSE_S = 0.5

_OURS = 0.9
"""The share of a lease's time that counts as ours; the rest is for clocks that differ and for stopping."""

_log = structlog.get_logger(__name__)


async def grant(connection: EtcdConnection, lease_id: int, ttl_s: int, *, timeout_s: float) -> int:
    """Grant a lease under an id of ours and return its time to live in seconds, as etcd set it."""
    try:
        answer = await connection.call(
            lambda endpoint, share_s: endpoint.lease.grant(ttl_s, lease_id, timeout=share_s),
            timeout_s=timeout_s,
        )
    except LeaseExists:
        return ttl_s
    return int(answer.TTL)


async def revoke(connection: EtcdConnection, lease_id: int) -> None:
    """End a lease and delete its keys; when etcd cannot be reached, it ends by itself."""
    with contextlib.suppress(StorageError):
        await connection.call(
            lambda endpoint, share_s: endpoint.lease.revoke(lease_id, timeout=share_s),
            timeout_s=FAREWELL_TIMEOUT_S,
            farewell=True,
        )


def new_lease_id() -> int:
    """A random id that etcd accepts: positive, 63 bits."""
    return secrets.randbelow(2**63 - 1) + 1


class Lease:
    """A lease that lives as long as its block. ``lost`` is done once it can no longer be relied on."""

    def __init__(self, connection: EtcdConnection, ttl_s: int, purpose: str) -> None:
        self._connection = connection
        self._ttl_s = ttl_s
        self._purpose = purpose
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._ours_until = 0.0
        self.id = new_lease_id()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    async def __aenter__(self) -> Lease:
        asked = self._loop.time()
        try:
            granted_s = await grant(self._connection, self.id, self._ttl_s, timeout_s=CALL_TIMEOUT_S)
        except BaseException:
            self._give_back()
            raise
        self._renewed(asked, granted_s)
        self._tasks.append(self._loop.create_task(self._keep_alive()))
        self._connection.ends.add(self._end)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        farewell = self._give_back()
        self._connection.ends.discard(self._end)
        if not self.lost.done():
            await asyncio.shield(farewell)

    def lose(self, reason: str) -> None:
        """Count the lease as lost."""
        if not self.lost.done():
            _log.warning("coordination.lease_lost", purpose=self._purpose, reason=reason)
            self.lost.set_result(None)

    async def put(self, key: str, value: bytes) -> None:
        """Write ``key`` under this lease. Raises ``LeaseNotFound`` when etcd has lost it."""
        await self._connection.call(
            lambda endpoint, share_s: endpoint.kv.put(key, value, lease=self.id, timeout=share_s)
        )

    async def wait(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Await ``waiting`` while the lease lasts, at most twice its time: then it is time to read again."""
        task = self._loop.create_task(waiting)
        try:
            # Not a time-out that is moved when the lease is lost: after a pause both are due at once.
            await asyncio.wait(
                [task, self.lost], timeout=2 * self._ttl_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            task.cancel()
            await asyncio.wait([task])
            failure = None if task.cancelled() else task.exception()
        if failure is not None:
            raise failure

    def guard(self, key: str) -> None:
        """From now on, count the lease as lost once ``key`` is not there."""
        self._tasks.append(self._loop.create_task(self._guard(key)))

    def _give_back(self) -> asyncio.Task[None]:
        farewell = self._loop.create_task(self._farewell())
        self._connection.finish(farewell)
        return farewell

    async def _farewell(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await revoke(self._connection, self.id)

    def _end(self) -> None:
        self._give_back()
        self.lose("this coordination client is closed")

    def _renewed(self, asked: float, granted_s: int) -> None:
        """Count from when we asked: etcd counts from when it answered, which is later."""
        self._ours_until = asked + granted_s * _OURS
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(self._ours_until, self.lose, "no answer in time")

    async def _keep_alive(self) -> None:
        pause_s = self._ttl_s / 3
        while not self.lost.done():
            await asyncio.sleep(pause_s)
            asked = self._loop.time()
            try:
                granted_s = await self._connection.call(
                    self._ask_to_renew, timeout_s=max(self._ours_until - asked, 0.1)
                )
            except StorageError:
                pause_s = min(RETRY_PAUSE_S, self._ttl_s / 10)
                continue
            if granted_s <= 0:
                self.lose("etcd does not know it")
                return
            self._renewed(asked, granted_s)
            pause_s = granted_s / 3

    async def _ask_to_renew(self, endpoint: Endpoint, timeout_s: float) -> int:
        stream = endpoint.lease_stub.LeaseKeepAlive(metadata=endpoint.stream_metadata, timeout=timeout_s)
        try:
            await stream.write(LeaseKeepAliveRequest(ID=self.id))
            answer = await stream.read()
        finally:
            stream.cancel()
        if answer is grpc.aio.EOF:
            raise StreamEnded("the stream ended")
        return int(answer.TTL)

    async def _guard(self, key: str) -> None:
        while not self.lost.done():
            try:
                answer = await self._connection.call(
                    lambda endpoint, share_s: endpoint.kv.get(key, keys_only=True, timeout=share_s)
                )
                if not answer.kvs:
                    self.lose("its key is gone")
                    return
                revision = int(answer.header.revision)
                await self.wait(wait_for_delete(self._connection, key, after_revision=revision))
            except StorageError:
                await asyncio.sleep(RETRY_PAUSE_S)

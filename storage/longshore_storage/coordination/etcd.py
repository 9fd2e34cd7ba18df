"""Coordination through etcd: locks, membership and signals of one prefix.

Owns the connection and puts the parts together; each part owns its keys. Nothing here is the truth:
all of it may vanish, and every part finds its way back by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from etcd3aio.kv import KVService

from longshore_storage.ports import HeldLock, Lock, Member

from .etcd_channel import EtcdConnection
from .etcd_lock import hold_lock, read_locks
from .etcd_membership import announce, read_members
from .etcd_signals import SignalSender, listen
from .names import checked_part, checked_path


class EtcdCoordination:
    """One client of one prefix.

    ``lease_ttl_s`` is how long a lock or member outlives its owner; ``holder`` stands in its locks.
    """

    def __init__(
        self, connection: EtcdConnection, prefix: str, *, lease_ttl_s: int = 15, holder: str = ""
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._ttl_s = lease_ttl_s
        self._holder = holder
        self._sender = SignalSender(connection, prefix)
        connection.ends.add(self._sender.end)

    def lock(self, name: str) -> AbstractAsyncContextManager[Lock]:
        """See the port. A waiter rides out an etcd that is away for less than its lease."""
        return hold_lock(
            self._connection, self._prefix, checked_path(name, "lock"), self._ttl_s, self._holder
        )

    async def locks(self) -> Sequence[HeldLock]:
        """See the port."""
        return await read_locks(self._connection, self._prefix)

    def membership(self, member: Member) -> AbstractAsyncContextManager[None]:
        """See the port."""
        checked_part(member.node_id, "node id")
        return announce(self._connection, self._prefix, member, self._ttl_s)

    async def members(self) -> Sequence[Member]:
        """See the port."""
        return await read_members(self._connection, self._prefix)

    async def signal(self, kind: str, ident: str) -> None:
        """See the port. Takes at most a second."""
        checked_part(kind, "kind of signal")
        await self._sender.send(kind, checked_path(ident, "ident of a signal"))

    @property
    def is_alone(self) -> bool:
        """See the port."""
        return False

    def signals(self, kind: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """See the port."""
        return listen(self._connection, self._prefix, checked_part(kind, "kind of signal"))

    async def check(self) -> None:
        """See the port. Asks for what the work needs, reading and writing, and writes nothing."""
        key = f"{self._prefix}/nodes/check"
        never = [KVService.txn_compare_version(key, -1)]
        await self._connection.call(
            lambda endpoint, share_s: endpoint.kv.txn(
                never,
                [KVService.txn_op_put(key, b"")],
                [KVService.txn_op_get(key)],
                timeout=share_s,
            )
        )

    async def close(self) -> None:
        """See the port. Takes a few seconds at most."""
        await self._connection.close()

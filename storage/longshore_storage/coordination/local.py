"""Coordination inside one process, in memory: the embedded default.

Owns the same contract as the etcd adapter without a service behind it. Clients that share a
``LocalHub`` see each other, as clients of one etcd prefix do. Refuses nothing but use after ``close``;
there are no leases here, so a lock is lost only when the client that holds it is closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from longshore_storage.errors import CoordinationUnavailable
from longshore_storage.ports import HeldLock, Lock, Member

from .held import HeldBlock
from .inbox import SignalInbox
from .names import checked_part, checked_path


@dataclass(frozen=True, slots=True)
class LocalLock:
    """A held lock of a hub."""

    name: str
    fence: int


@dataclass(eq=False, slots=True)
class _Place:
    """One place in the queue for a lock; the first place of a queue holds the lock."""

    client: LocalCoordination
    block: HeldBlock
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class LocalHub:
    """What clients in one process share: queues, members and listeners. Belongs to one event loop."""

    def __init__(self) -> None:
        self.queues: dict[str, deque[_Place]] = {}
        self.members: dict[str, tuple[object, Member]] = {}
        self.listeners: dict[str, set[SignalInbox]] = {}
        self.fence = 0

    def leave(self, name: str, place: _Place) -> None:
        """Take ``place`` out of the queue and tell whoever is first now."""
        queue = self.queues[name]
        queue.remove(place)
        if not queue:
            del self.queues[name]
        elif not queue[0].turn.done():
            queue[0].turn.set_result(None)


class LocalCoordination:
    """One client of a hub (its own by default)."""

    def __init__(self, hub: LocalHub | None = None, *, holder: str = "") -> None:
        self._hub = hub or LocalHub()
        self._is_alone = hub is None
        self.holder = holder
        self._closed = False

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[Lock]:
        """See the port. A waiter of a client that is closed gets ``CoordinationUnavailable``."""
        checked_path(name, "lock")
        self._check_open()
        place = _Place(self, HeldBlock(name))
        queue = self._hub.queues.setdefault(name, deque())
        queue.append(place)
        try:
            if len(queue) > 1:
                await place.turn
            self._hub.fence += 1
            async with place.block:
                yield LocalLock(name, self._hub.fence)
        finally:
            self._hub.leave(name, place)

    async def locks(self) -> Sequence[HeldLock]:
        """See the port."""
        self._check_open()
        return [
            HeldLock(name, queue[0].client.holder, len(queue) - 1)
            for name, queue in sorted(self._hub.queues.items())
        ]

    @asynccontextmanager
    async def membership(self, member: Member) -> AsyncIterator[None]:
        """See the port. A second announcement of the same node id replaces the first."""
        checked_part(member.node_id, "node id")
        self._check_open()
        announcement = (self, member)
        self._hub.members[member.node_id] = announcement
        try:
            yield
        finally:
            if self._hub.members.get(member.node_id) is announcement:
                del self._hub.members[member.node_id]

    async def members(self) -> Sequence[Member]:
        """See the port."""
        self._check_open()
        return [member for _, (_, member) in sorted(self._hub.members.items())]

    @property
    def is_alone(self) -> bool:
        """See the port."""
        return self._is_alone

    async def signal(self, kind: str, ident: str) -> None:
        """See the port. Delivered to every listener before this returns."""
        checked_part(kind, "kind of signal")
        checked_path(ident, "ident of a signal")
        self._check_open()
        for inbox in self._hub.listeners.get(kind, ()):
            inbox.put(ident)

    @asynccontextmanager
    async def signals(self, kind: str) -> AsyncIterator[AsyncIterator[str]]:
        """See the port. Nothing is ever missed here, short of 10,000 unread idents."""
        checked_part(kind, "kind of signal")
        self._check_open()
        inbox = SignalInbox()
        listeners = self._hub.listeners.setdefault(kind, set())
        listeners.add(inbox)
        try:
            yield inbox
        finally:
            listeners.discard(inbox)
            inbox.close()

    async def check(self) -> None:
        """See the port."""
        self._check_open()

    async def close(self) -> None:
        """See the port. Held locks are lost, waiters fail, announcements end."""
        self._closed = True
        for queue in self._hub.queues.values():
            for place in queue:
                if place.client is not self:
                    continue
                place.block.lose()
                if place is not queue[0] and not place.turn.done():
                    place.turn.set_exception(CoordinationUnavailable(_CLOSED))
        for node_id, (client, _) in list(self._hub.members.items()):
            if client is self:
                del self._hub.members[node_id]

    def _check_open(self) -> None:
        if self._closed:
            raise CoordinationUnavailable(_CLOSED)


_CLOSED = "this coordination client is closed"

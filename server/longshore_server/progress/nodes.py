"""Who watches nodes as they come, go and change: one reader for all of them, and none while nobody watches.

All nodes are read, with who is alive, when a signal comes and every second: a lease that ends sends none.
What only rises all the time is no change. Of each node the last state is kept, serialised once for all who
watch; of those that were removed, the newest names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

import structlog

from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Kind, Wakeups, woken
from longshore_storage.catalogue import Catalogue, nodes
from longshore_storage.catalogue.rows import Node
from longshore_storage.errors import StorageError
from longshore_storage.ports import Coordination

from .crowd import Crowd
from .frames import MESSAGE_BYTES
from .hub import HEARTBEAT_S

_log = structlog.get_logger(__name__)

# A watcher that was silent for so many ticks of the one clock gets a heartbeat.
_TICKS_A_HEARTBEAT: Final = 3
_LOOK_EVERY_S: Final = 1.0
_SPACING_S: Final = 0.25
_MOST_REMOVED: Final = 10_000
_NO_TIME: Final = datetime.fromtimestamp(0, UTC)


class NodeState(NamedTuple):
    """A node as it stands: its row, and whether its lease is alive."""

    node: Node
    alive: bool


EncodeNodes = Callable[[Sequence[NodeState], Sequence[str], bool], bytes]
"""Serialises nodes, names of removed ones, and whether all to begin with were told; results can be joined."""


class _Told(NamedTuple):
    """What is told of one name; ``version`` counts the changes seen here."""

    version: int
    environment: str
    data: bytes


class NodeChanges:
    """Looks while it runs; wakes its ``crowd`` whenever a node has changed."""

    def __init__(self, catalogue: Catalogue, coordination: Coordination, encode: EncodeNodes) -> None:
        self._catalogue = catalogue
        self._coordination = coordination
        self._encode = encode
        self._wake = asyncio.Event()
        self._known: dict[str, tuple[object, ...]] = {}
        self._removed: dict[str, _Told] = {}
        self.states: dict[str, _Told] = {}
        self.crowd = Crowd()
        self.version = 0
        self.beat = 0
        self.begun = False
        # Of nodes that were removed up to this version nothing is known any more.
        self.lost_version = 0

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    def tick(self) -> None:
        """Let watchers look whether a heartbeat is due."""
        self.beat += 1
        self.crowd.wake()

    def after(self, version: int) -> Iterable[_Told]:
        """What has changed since a version, the oldest change first."""
        told = (*self.states.values(), *self._removed.values())
        return sorted(one for one in told if one.version > version)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self._look()
            except StorageError as error:
                _log.warning("nodes.unread", error=str(error))
            except Exception:
                # Watchers would be left with heartbeats for ever.
                _log.exception("nodes.failed")
            await asyncio.sleep(_SPACING_S)
            await woken(self._wake, _LOOK_EVERY_S - _SPACING_S)

    async def _look(self) -> None:
        alive = await alive_nodes(self._coordination)
        async with self._catalogue.reading() as transaction:
            found = {node.name: node for node in await nodes.all_nodes(transaction)}
        before = self.version
        for name in [name for name in self.states if name not in found]:
            self._remove(name)
        for name, node in found.items():
            state = NodeState(node, node.id in alive)
            seen = _what_counts(state)
            if seen != self._known.get(name):
                self.version += 1
                self._known[name] = seen
                self._removed.pop(name, None)
                self.states[name] = _Told(self.version, node.environment, self._encode([state], [], False))
        if self.version > before or not self.begun:
            self.begun = True
            self.crowd.wake()

    def _remove(self, name: str) -> None:
        self.version += 1
        environment = self.states.pop(name).environment
        del self._known[name]
        self._removed[name] = _Told(self.version, environment, self._encode([], [name], False))
        if len(self._removed) > _MOST_REMOVED:
            self.lost_version = self._removed.pop(next(iter(self._removed))).version


class NodeWatching:
    """Tells each watcher the last state of every node.

    What is read for all who watch logs as this one's maker does, and not as the call that came first.
    """

    def __init__(
        self, catalogue: Catalogue, coordination: Coordination, wakeups: Wakeups, encode: EncodeNodes
    ) -> None:
        self._catalogue = catalogue
        self._coordination = coordination
        self._wakeups = wakeups
        self._encode = encode
        self._context = copy_context()
        self._up_to_date = encode([], [], True)
        self._changes: NodeChanges | None = None
        self._reading: asyncio.Task[None] | None = None
        self._watchers = 0

    async def run(self) -> None:
        """Pass wake-ups on and let the clock of heartbeats tick, until cancelled."""
        try:
            async with self._wakeups.listening(Kind.NODES, self._wake):
                while True:
                    await asyncio.sleep(HEARTBEAT_S / _TICKS_A_HEARTBEAT)
                    if self._changes is not None:
                        self._changes.tick()
        finally:
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.gather(self._reading, return_exceptions=True)

    def _wake(self, _: str) -> None:
        if self._changes is not None:
            self._changes.wake()

    async def watch(self, environment: str) -> AsyncGenerator[bytes, None]:
        """Yield messages for ever: all nodes of an environment, of every one with an empty one, then changes.

        Raises ``Refusal`` when more nodes were removed than are known any more before the next was taken.
        """
        with self._shared() as changes:
            told_beat = changes.beat
            while not changes.begun:
                await changes.crowd.wait()
                if not changes.begun and changes.beat - told_beat >= _TICKS_A_HEARTBEAT:
                    told_beat = changes.beat
                    yield b""
            version = changes.version
            for message in _messages((one for _, one in sorted(changes.states.items())), environment):
                yield message
            yield self._up_to_date
            told_beat = changes.beat
            while True:
                if version < changes.lost_version:
                    raise Refusal(
                        Reason.CONFLICT,
                        "more nodes were removed than are remembered here since the last message was read: "
                        "call again",
                    )
                changed, version = changes.after(version), changes.version
                for message in _messages(changed, environment):
                    told_beat = changes.beat
                    yield message + self._up_to_date
                if changes.beat - told_beat >= _TICKS_A_HEARTBEAT:
                    told_beat = changes.beat
                    yield self._up_to_date
                if version == changes.version:
                    await changes.crowd.wait()

    @contextmanager
    def _shared(self) -> Iterator[NodeChanges]:
        if self._changes is None:
            self._changes = NodeChanges(self._catalogue, self._coordination, self._encode)
            self._reading = asyncio.create_task(self._changes.run(), context=self._context.copy())
        changes = self._changes
        self._watchers += 1
        try:
            yield changes
        finally:
            self._watchers -= 1
            if self._watchers == 0:
                self._changes = None
                assert self._reading is not None
                self._reading.cancel()
                changes.crowd.close()


async def alive_nodes(coordination: Coordination) -> set[str]:
    """The ids of the nodes whose lease is alive; none where that cannot be told."""
    try:
        return {member.node_id for member in await coordination.members()}
    except StorageError:
        return set()


def _what_counts(state: NodeState) -> tuple[object, ...]:
    node = state.node
    # Who waits for a drain waits for what the node tells after it began.
    has_obeyed = node.cordon_time is not None and node.report_time >= node.cordon_time
    return state.alive, has_obeyed, replace(node, report_time=_NO_TIME, free_disk_bytes=0)


def _messages(told: Iterable[_Told], environment: str) -> Iterator[bytes]:
    """As many in each as fit, of those that are asked for."""
    parts: list[bytes] = []
    size_bytes = 0
    for one in told:
        if environment in ("", one.environment):
            if parts and size_bytes + len(one.data) > MESSAGE_BYTES:
                yield b"".join(parts)
                parts, size_bytes = [], 0
            parts.append(one.data)
            size_bytes += len(one.data)
    if parts:
        yield b"".join(parts)

"""Does to the world what the plan says, one fault at a time to one target, and ends it again."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from tests.cluster.history.records import FaultSeen
from tests.services.etcd_cluster import EtcdMember

from .damage import HIDDEN, HOW, Damage
from .nodes import Node
from .people import forget
from .plan import SERVICES, Fault
from .recording import Recorder
from .world import World

_START_S: Final = 60
_FORGOTTEN_S: Final = 20
_AGAIN_S: Final = 0.5
_FURTHEST: Final = timedelta(minutes=20)


class Faults:
    """Injects faults into a world."""

    def __init__(self, world: World, recorder: Recorder, damage: Damage) -> None:
        self._world = world
        self._damage = damage
        self._recorder = recorder
        # One process is not to be killed, stopped and restarted by several faults at once.
        self._held: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._over = asyncio.Event()
        self._ways: dict[str, Callable[[Fault], AbstractAsyncContextManager[None]]] = {
            "node killed": self._node_killed,
            "node terminated": self._node_terminated,
            "node stopped": self._node_stopped,
            "node removed": self._node_removed,
            **{f"{service} cut": self._cut for service in SERVICES},
            **{f"{service} silent": self._silent for service in SERVICES},
            **{f"{service} delayed": self._delayed for service in SERVICES},
            "etcd member killed": self._member_killed,
            "etcd leader moved": self._leader_moved,
            "etcd wiped": self._wiped,
            "minio restarted": self._restarted,
            "postgres restarted": self._restarted,
            **{f"object {how}": self._object_hurt for how in HOW},
            "clock set": self._clock_set,
            "disk full": self._disk_full,
        }

    async def run(self, faults: Iterator[Fault], *, pause_s: float, chance: random.Random) -> None:
        """Inject one after the other, with pauses, until ``stop``."""
        for fault in faults:
            await self._inject(fault)
            await self._pause(chance.uniform(0, 2 * pause_s))
            if self._over.is_set():
                return

    def stop(self) -> None:
        """End what lasts, and begin nothing more."""
        self._over.set()

    async def _inject(self, fault: Fault) -> None:
        kin = "etcd" if fault.kind.startswith("etcd ") and "-" not in fault.target else fault.target
        async with self._held[kin]:
            self._note(fault, "begins")
            async with self._ways[fault.kind](fault):
                self._note(fault, "lasts")
                await self._pause(fault.lasts_s)
            self._note(fault, "ends")

    async def _pause(self, time_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), time_s)

    def _note(self, fault: Fault, phase: str) -> None:
        self._recorder.add(FaultSeen, fault=fault.kind, target=fault.target, phase=phase)

    @asynccontextmanager
    async def _node_killed(self, fault: Fault) -> AsyncIterator[None]:
        async with self._down(fault.target) as node:
            await asyncio.to_thread(node.kill)
            yield

    @asynccontextmanager
    async def _node_terminated(self, fault: Fault) -> AsyncIterator[None]:
        async with self._down(fault.target) as node:
            await asyncio.to_thread(node.stop)
            yield

    @asynccontextmanager
    async def _node_removed(self, fault: Fault) -> AsyncIterator[None]:
        """It is forgotten while it is down, and comes back with all that it had."""
        async with self._down(fault.target) as node:
            await asyncio.to_thread(node.kill if fault.strength < 0.5 else node.stop)
            with suppress(TimeoutError):
                async with asyncio.timeout(_FORGOTTEN_S):
                    # While its lease lasts it counts as one that runs.
                    while not await forget(self._world, self._recorder, node.name):
                        await asyncio.sleep(_AGAIN_S)
            yield

    @asynccontextmanager
    async def _down(self, name: str) -> AsyncIterator[Node]:
        """The node is kept down by nobody but us, and started again at the end."""
        node = self._world.node(name)
        node.wanted = False
        try:
            yield node
        finally:
            node.wanted = True
            with suppress(TimeoutError):
                await node.until_listening(deadline_s=_START_S)

    @asynccontextmanager
    async def _node_stopped(self, fault: Fault) -> AsyncIterator[None]:
        node = self._world.node(fault.target)
        node.pause()
        try:
            yield
        finally:
            node.resume()

    @asynccontextmanager
    async def _link(self, fault: Fault, method: str, **values: int) -> AsyncIterator[None]:
        name, _, service = fault.target.partition("-")
        proxies = self._world.node(name).links.to(service)
        for proxy in proxies:
            await asyncio.to_thread(getattr(proxy, method), **values)
        try:
            yield
        finally:
            for proxy in proxies:
                await asyncio.to_thread(proxy.mend)

    def _cut(self, fault: Fault) -> AbstractAsyncContextManager[None]:
        return self._link(fault, "cut")

    def _silent(self, fault: Fault) -> AbstractAsyncContextManager[None]:
        return self._link(fault, "silence")

    def _delayed(self, fault: Fault) -> AbstractAsyncContextManager[None]:
        return self._link(fault, "delay", delay_ms=20 + round(fault.strength * 600))

    @asynccontextmanager
    async def _member_killed(self, fault: Fault) -> AsyncIterator[None]:
        member = next(one for one in self._world.services.etcd.members if one.name == fault.target)
        await asyncio.to_thread(member.kill)
        try:
            yield
        finally:
            await asyncio.to_thread(member.start)

    @asynccontextmanager
    async def _leader_moved(self, fault: Fault) -> AsyncIterator[None]:
        await asyncio.to_thread(_move_leader, self._world.services.etcd.members, fault.strength)
        yield

    @asynccontextmanager
    async def _wiped(self, fault: Fault) -> AsyncIterator[None]:
        etcd = self._world.services.etcd
        await asyncio.to_thread(etcd.kill)
        try:
            yield
        finally:
            await asyncio.to_thread(etcd.lose_data)

    @asynccontextmanager
    async def _restarted(self, fault: Fault) -> AsyncIterator[None]:
        services = self._world.services
        service = services.minio if fault.target == "minio" else services.postgres
        await asyncio.to_thread(service.kill if fault.strength < 0.5 else service.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(service.start)

    @asynccontextmanager
    async def _object_hurt(self, fault: Fault) -> AsyncIterator[None]:
        """What is hidden comes back; everything else stays as it is then."""
        how = fault.kind.removeprefix("object ")
        key = await self._damage.hurt(how, fault.target, fault.strength)
        yield
        if key and how == HIDDEN:
            await self._damage.give_back(key)

    @asynccontextmanager
    async def _clock_set(self, fault: Fault) -> AsyncIterator[None]:
        self._world.clock.shift(_FURTHEST * (2 * fault.strength - 1))
        try:
            yield
        finally:
            self._world.clock.shift(timedelta())

    @asynccontextmanager
    async def _disk_full(self, fault: Fault) -> AsyncIterator[None]:
        disk = self._world.disk
        assert disk is not None
        full: AbstractContextManager[None] = disk.full()
        await asyncio.to_thread(full.__enter__)
        try:
            yield
        finally:
            await asyncio.to_thread(full.__exit__, None, None, None)


def _move_leader(members: list[EtcdMember], strength: float) -> None:
    """Hand the leadership to another member, which only the leader can."""
    told = [member.call("maintenance/status", {}) for member in members]
    leader = told[0]["leader"]
    ids = [status["header"]["member_id"] for status in told]
    others = [each for each in ids if each != leader]
    target = others[min(int(strength * len(others)), len(others) - 1)]
    members[ids.index(leader)].call("maintenance/transfer-leadership", {"targetID": target})

"""Two processes over the same stores, the bucket, the clock and the model; steps are taken in it."""

from __future__ import annotations

import asyncio
import functools
import random
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from sqlalchemy import Table, select

from longshore_server.unbroken import to_the_end
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import Catalogue, Transaction, open_catalogue, tables
from longshore_storage.collecting import collector, orphans, rehearsal
from longshore_storage.compacting import planning
from longshore_storage.compacting.live_bytes import LiveBytes
from longshore_storage.errors import CommitUnknown, Unavailable

from .bucket import MARKS, Bucket, Clock
from .faults import Attempt, Died, Fault, attempting
from .model import Model
from .process import COLLECTING, Process, opened_process
from .telling import Told

if TYPE_CHECKING:
    from .audit import Audit

T = TypeVar("T")


class Step(Told, ABC):
    """Something that is done to the stores."""

    @abstractmethod
    async def take(self, world: World) -> None:
        """Do it, and check what came of it."""


class BrokeOff:
    """What a step gives that was broken off by its fault: it may have taken effect or not."""


@dataclass
class Presence:
    """One step while it is taken."""

    alone: bool


@dataclass(frozen=True)
class Place:
    """Where the stores of one example are."""

    database_url: str
    blob_store_url: str
    threaded: bool = True


@dataclass
class World:
    """``hand`` reads the database past every process; ``afterwards`` is asked of the next audit."""

    place: Place
    hand: Catalogue
    bucket: Bucket
    clock: Clock
    model: Model = field(default_factory=Model)
    backup: Any = None
    violations: list[str] = field(default_factory=list)
    afterwards: list[Callable[[Audit], None]] = field(default_factory=list)
    _processes: dict[int, tuple[Process, AsyncExitStack]] = field(default_factory=dict)
    _graves: list[AsyncExitStack] = field(default_factory=list)
    _without_grace: int = 0
    _present: list[Presence] = field(default_factory=list)
    _writer: asyncio.Lock = field(default_factory=asyncio.Lock)
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def process(self, on: int) -> Process:
        """The process of that number; a dead one is started again."""
        async with self._starting:
            process, stack = self._processes.get(on, (None, None))
            if process is not None and stack is not None:
                if not process.life.is_over:
                    return process
                # What is left of it may still be unwinding.
                self._graves.append(stack)
            stack = AsyncExitStack()
            opened = opened_process(
                self.place.database_url,
                self.place.blob_store_url,
                self.bucket,
                may_go=self.check_may_go,
                writer=None if self.place.threaded else self._writer,
            )
            process = await stack.enter_async_context(opened)
            self._processes[on] = process, stack
            return process

    async def attempt(
        self, on: int, fault: Fault | None, work: Callable[[Process], Coroutine[Any, Any, T]]
    ) -> T | BrokeOff:
        """Let a process do some work until it ends or its fault breaks it off."""
        process = await self.process(on)
        attempt = Attempt(fault)

        async def run() -> T:
            attempting.set(attempt)
            attempt.task = asyncio.current_task()
            return await work(process)

        task = asyncio.create_task(run())
        await asyncio.wait([task])
        if task.cancelled():
            return BrokeOff()
        error = task.exception()
        if process.life.is_over or isinstance(error, Died):
            return BrokeOff()
        if attempt.struck and isinstance(error, Unavailable | CommitUnknown):
            return BrokeOff()
        return task.result()

    @contextmanager
    def present(self) -> Iterator[Presence]:
        """Take note of a step; it is alone when no other one is taken in its time."""
        presence = Presence(alone=not self._present)
        for other in self._present:
            other.alone = False
        self._present.append(presence)
        try:
            yield presence
        finally:
            self._present.remove(presence)

    @property
    def is_grace_left_out(self) -> bool:
        """Whether some run of collecting removes at once what it condemns."""
        return self._without_grace > 0

    @contextmanager
    def grace_left_out(self, now: bool) -> Iterator[None]:
        """While a run of collecting does so, if it does."""
        self._without_grace += now
        try:
            yield
        finally:
            self._without_grace -= now

    async def meanwhile(self, steps: Sequence[Step]) -> None:
        """Take steps in the middle of another one; if that is cancelled, then when they are done."""
        for step in steps:
            await to_the_end(step.take(self))

    async def settle(self) -> None:
        """After a step: bury who died, wait for what the store has under way, and see that all is idle."""
        await self.bucket.settle()
        for on, (process, stack) in list(self._processes.items()):
            if process.life.is_over:
                self._graves.append(stack)
                del self._processes[on]
        while self._graves:
            await self._graves.pop().aclose()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"it left something running: {left}"
        # Places are given back by callbacks, which run a turn of the loop later.
        await asyncio.sleep(0)
        for process, _ in self._processes.values():
            process.check_idle()

    async def close(self) -> None:
        self._graves += [stack for _, stack in self._processes.values()]
        while self._graves:
            await self._graves.pop().aclose()

    async def now(self) -> datetime:
        async with self.hand.reading() as transaction:
            return await self.now_in(transaction)

    async def now_in(self, transaction: Transaction) -> datetime:
        return await transaction.now() + self.clock.waited

    async def rows(self, table: Table, *conditions: Any) -> list[Any]:
        async with self.hand.reading() as transaction:
            return list(await transaction.all(select(table).where(*conditions)))

    async def check_may_go(self, key: str) -> None:
        """An object goes only after it was condemned for the grace, and while nothing names it."""
        if key not in self.bucket.contents or key.startswith(MARKS):
            return
        c = tables.condemned
        async with self.hand.reading() as transaction:
            row = await transaction.one(select(c.c.condemn_time).where(c.c.key == key))
            before = await self.now_in(transaction) - COLLECTING.grace
            named = [
                column.table.name
                for column in (
                    tables.pack_file.c.key,
                    tables.payload.c.manifest_key,
                    tables.manifest_draft.c.key,
                )
                if await transaction.one(select(column).where(column == key))
            ]
        if row is None:
            self.violations.append(f"{key} is deleted, but it was not condemned")
        elif row.condemn_time > before and not self.is_grace_left_out:
            self.violations.append(f"{key} is deleted before its grace is over")
        if named:
            self.violations.append(f"{key} is deleted, but {named} names it")


@asynccontextmanager
async def opened_world(place: Place) -> AsyncIterator[World]:
    """Nobody has ever stored anything in it."""
    clock = Clock()
    hand = open_catalogue(place.database_url)
    with _small_and_repeatable():
        try:
            async with open_blob_store(place.blob_store_url) as store:
                world = World(place, hand, Bucket(store, clock), clock)
                try:
                    yield world
                finally:
                    await world.close()
        finally:
            await hand.close()


@contextmanager
def _small_and_repeatable() -> Iterator[None]:
    chance = random.Random(0)
    with pytest.MonkeyPatch.context() as patch:
        # So that the order of keys, and with it the steps' way, is the same when an example is played again.
        patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=chance.getrandbits(128), version=4))
        # So that a run of collecting is not mostly about listing next to nothing.
        for module in (collector, orphans, rehearsal):
            patch.setattr(module, "SLICES", ("manifests/", "packs/"))
        patch.setattr(planning, "LiveBytes", functools.partial(LiveBytes, table_bits=16))
        yield

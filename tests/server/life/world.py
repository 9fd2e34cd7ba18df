"""A place with its callers, controllers and nodes: any of them may die or be cut off at any of its calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from longshore_server.refusal import Refusal
from longshore_server.rollout.step import Progress, RolloutStep
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue, open_catalogue, rollouts
from longshore_storage.catalogue.journal import StatusMoved
from longshore_storage.catalogue.lifecycle import ActivationStatus, DeploymentStatus
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.coordination import open_coordination
from longshore_storage.errors import CommitUnknown, Unavailable
from tests.server.rollouts import ACTOR, ENVIRONMENT, PROJECT, Place
from tests.storage.machine.bucket import Clock
from tests.storage.machine.faults import Attempt, Died, Fault, Life, attempting
from tests.storage.machine.mortal import MortalCatalogue
from tests.storage.machine.telling import Told

VERSIONS = ("1.0.0", "2.0.0", "3.0.0")
NODES = ("a", "b", "c")
_MOST_STEPS_TO_THE_END = 200


class Step(Told, ABC):
    """Something that somebody does."""

    @abstractmethod
    async def take(self, world: World) -> None:
        """Do it; whatever comes of it is looked at by the audit."""


@dataclass
class World:
    """``hand`` looks past everybody; ``ids`` are of all deployments that were asked for, in order."""

    hand: Catalogue
    place: Place
    wakeups: Wakeups
    ids: list[str] = field(default_factory=list)
    ended: dict[str, Deployment] = field(default_factory=dict)
    controllers: dict[int, RolloutStep] = field(default_factory=dict)

    def mortal_place(self, life: Life) -> Place:
        """The use cases of a process that may die."""
        return Place(MortalCatalogue(self.hand, life, Clock()), self.wakeups)

    async def attempt(self, fault: Fault | None, work: Callable[[Place], Awaitable[object]]) -> None:
        """Let a caller do something; that it is refused, or cut off by its fault, is no failure."""
        life, attempt = Life(), Attempt(fault)
        token = attempting.set(attempt)
        try:
            await work(self.mortal_place(life))
        except (Refusal, StatusMoved):
            return
        except (Died, Unavailable, CommitUnknown):
            assert attempt.struck
        finally:
            attempting.reset(token)

    async def control(self, on: int, fault: Fault | None, *, takes_over: bool) -> None:
        """Let a controller take a step; with ``takes_over`` as one that has just got the lock."""
        if takes_over:
            self.controllers.pop(on, None)

        async def work(place: Place) -> None:
            controller = self.controllers.get(on)
            if controller is None:
                controller = place.step(name=f"controller {on}")
                await controller.take_over()
                self.controllers[on] = controller
            else:
                controller._catalogue = place.catalogue
            await controller.take()

        await self.attempt(fault, work)

    async def come_to_the_end(self) -> None:
        """Nothing is cut off any more, and every node does what it is assigned."""
        await self.place.node("a")
        step = self.place.step(name="the last one")
        await step.take_over()
        for _ in range(_MOST_STEPS_TO_THE_END):
            await self._let_pass()
            for name in NODES:
                for due in await self.place.due(name):
                    done = ActivationStatus.REMOVED if due.release_id is None else ActivationStatus.LIVE
                    await self.place.report(name, done)
            if await step.take() is Progress.NOTHING_LEFT:
                return
        raise AssertionError("it never comes to its end")

    async def _let_pass(self) -> None:
        """Whoever waits for a person in the middle of a rollout goes on."""
        async with self.hand.reading() as transaction:
            active = await rollouts.active_rollout(transaction, PROJECT, ENVIRONMENT)
        if active is not None and active.status is DeploymentStatus.PAUSED and not active.cancelled_by:
            await self.place.pausing.resume(active.id, ACTOR)
        elif active is not None and active.waiting_gate_id:
            await self.place.promote(active.id, active.waiting_gate_id)


@asynccontextmanager
async def opened_world(database_url: str) -> AsyncIterator[World]:
    """Three releases, two nodes that install, and nothing live."""
    hand = open_catalogue(database_url)
    coordination = open_coordination("local://")
    wakeups = Wakeups(coordination)
    try:
        place = Place(hand, wakeups)
        for version in VERSIONS:
            await place.release(version)
        for name in NODES[:2]:
            await place.node(name)
        yield World(hand, place, wakeups)
    finally:
        await wakeups.close()
        await coordination.close()
        await hand.close()


def chosen(things: Sequence[str], which: int) -> str:
    """One of them, whatever the number; never asked of nothing."""
    return things[which % len(things)]

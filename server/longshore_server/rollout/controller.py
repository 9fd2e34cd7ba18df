"""Finds places with work and drives each under its lock; every control node runs one.

The lock only chooses who drives. When the driver dies at any instant, the next in the queue takes over
from the rows; a node that is drained lets go between two steps, and leaves the queues. Signals wake it, a
slow poll stands behind them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from longshore_server.wakeups import Kind, Wakeups, rollout_ident, rollout_lock, woken
from longshore_storage.catalogue import Catalogue, rollouts
from longshore_storage.catalogue.journal import StatusMoved
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.catalogue.strategy import UnknownTerms
from longshore_storage.errors import StorageError
from longshore_storage.ports import Coordination

from .step import Progress, RolloutStep

_log = structlog.get_logger(__name__)

_RETRY_S = 1.0

Place = tuple[str, str]


class RolloutController:
    """Runs until cancelled; see the module. While ``hands_over``, others drive: see ``look``."""

    def __init__(
        self,
        catalogue: Catalogue,
        coordination: Coordination,
        wakeups: Wakeups,
        *,
        node_id: str,
        node_name: str,
        poll_s: float,
        progress_deadline_s: float,
        on_end: Callable[[Deployment], None] = lambda _: None,
        hands_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._catalogue = catalogue
        self._coordination = coordination
        self._wakeups = wakeups
        self._node_id = node_id
        self._node_name = node_name
        self._poll_s = poll_s
        self._progress_deadline_s = progress_deadline_s
        self._on_end = on_end
        self._hands_over = hands_over
        self._held: set[Place] = set()
        self._look = asyncio.Event()
        self._driven: dict[Place, asyncio.Event] = {}
        self._tasks: dict[Place, asyncio.Task[None]] = {}

    @property
    def held(self) -> int:
        """How many places this node drives."""
        return len(self._held)

    @property
    def waited_for(self) -> int:
        """For how many places' locks it waits."""
        return len(self._driven) - len(self._held)

    def look(self) -> None:
        """Look at everything now: what ``hands_over`` says may have changed."""
        self._wake("")

    async def run(self) -> None:
        """Look for places with work, again and again."""
        try:
            async with self._wakeups.listening(Kind.ROLLOUTS, self._wake):
                while True:
                    self._look.clear()
                    try:
                        if self._hands_over():
                            self._leave_queues()
                        else:
                            await self._start_drivers()
                    except StorageError as error:
                        _log.warning("rollouts.unseen", error=str(error))
                    await woken(self._look, self._poll_s)
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _wake(self, ident: str) -> None:
        known = [driven for place, driven in self._driven.items() if ident in ("", rollout_ident(*place))]
        for driven in known:
            driven.set()
        # A driver that ends meanwhile has everything looked at.
        if not (ident and known):
            self._look.set()

    async def _start_drivers(self) -> None:
        async with self._catalogue.reading() as transaction:
            places = await rollouts.places_with_work(transaction)
        for place in places:
            if place not in self._driven:
                self._driven[place] = asyncio.Event()
                task = self._tasks[place] = asyncio.create_task(self._drive(place))
                # One that is cancelled before it begins runs nothing of its own.
                task.add_done_callback(partial(self._ended, place))

    def _ended(self, place: Place, _: object) -> None:
        del self._driven[place], self._tasks[place]
        # What was queued between the last look and now would otherwise wait for the poll.
        self._look.set()

    def _leave_queues(self) -> None:
        for place, task in self._tasks.items():
            if place not in self._held:
                task.cancel()

    async def _drive(self, place: Place) -> None:
        project, environment = place
        log = _log.bind(project=project, environment=environment)
        try:
            async with self._coordination.lock(rollout_lock(project, environment)):
                self._held.add(place)
                try:
                    await self._step_until_done(place)
                finally:
                    self._held.remove(place)
        except (StorageError, StatusMoved) as error:
            # Another node may own it by now, or a service is away: look again, do not insist.
            log.warning("rollout.interrupted", error=str(error))
            await asyncio.sleep(_RETRY_S)
        except UnknownTerms as error:
            # Nodes of the version that wrote them drive it; a poll later one may have ended it.
            log.info("rollout.left", reason=str(error))
            await asyncio.sleep(self._poll_s)
        except Exception:
            log.exception("rollout.failed")
            await asyncio.sleep(_RETRY_S)

    async def _step_until_done(self, place: Place) -> None:
        project, environment = place
        wake = self._driven[place]
        step = RolloutStep(
            self._catalogue,
            self._wakeups,
            node_id=self._node_id,
            node_name=self._node_name,
            project=project,
            environment=environment,
            progress_deadline_s=self._progress_deadline_s,
            on_end=self._on_end,
        )
        await step.take_over()
        while True:
            wake.clear()
            if self._hands_over():
                _log.info("rollout.handed_over", project=project, environment=environment)
                return
            progress = await step.take()
            if progress is Progress.NOTHING_LEFT or step.emptied:
                return
            due_in_s = self._poll_s if step.due_in_s is None else min(step.due_in_s, self._poll_s)
            if progress is Progress.SOON:
                await asyncio.sleep(due_in_s)
            elif progress is Progress.WAITING or step.assigned:
                await woken(wake, due_in_s)

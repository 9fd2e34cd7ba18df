"""One step of one place's rollouts: look at the rows and do the next thing that is due.

A step holds no state but the driver's, so it may be repeated, and another node may go on with the next one
after any of them. It decides what is looked at: the head of the queue, which begins or supersedes what rolls
out, or the rollout under way (``rolling``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, auto

import structlog

from longshore_server.deploying.cancelling import cancel_message
from longshore_server.refusal import Reason, Refusal
from longshore_server.tracing import name_trace_in_log
from longshore_server.wakeups import Kind, Wakeups
from longshore_storage.catalogue import Catalogue, Transaction, projects, rollout_nodes, rollouts
from longshore_storage.catalogue.lifecycle import DeploymentStatus
from longshore_storage.catalogue.rows import Deployment, Live
from longshore_storage.catalogue.strategy import Strategy

from .driver import Driver
from .queue_head import QueueHead
from .rolling import Rolling, own_activations
from .taking_back import end_without_success
from .traced import record_rollout, record_step

_log = structlog.get_logger(__name__)


class Progress(Enum):
    """What a step found."""

    MOVED = auto()
    WAITING = auto()
    SOON = auto()
    NOTHING_LEFT = auto()


class RolloutStep:
    """Takes steps for one place, under its lock; ``on_end`` is told what has ended by them."""

    def __init__(
        self,
        catalogue: Catalogue,
        wakeups: Wakeups,
        *,
        node_id: str,
        node_name: str,
        project: str,
        environment: str,
        progress_deadline_s: float,
        on_end: Callable[[Deployment], None] = lambda _: None,
    ) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups
        self._on_end = on_end
        self._project = project
        self._environment = environment
        self._driver = Driver(
            project,
            environment,
            node_id=node_id,
            node_name=node_name,
            progress_deadline_s=progress_deadline_s,
        )
        self._queue_head = QueueHead(self._driver)
        self._rolling = Rolling(self._driver)
        # Of the last step: nothing more is due before something is queued.
        self.emptied = False

    @property
    def assigned(self) -> bool:
        """Whether nodes were assigned something by the last step: nothing more is due before they report."""
        return self._driver.assigned

    @property
    def due_in_s(self) -> float | None:
        """In how many seconds the next step is due without anybody's doing; None where it is not."""
        return self._driver.telling.due_in_s if self._driver.telling.untold else self._driver.due_in_s

    async def take_over(self) -> None:
        """Become the owner of what is rolling out here, if anything is. Raises ``UnknownTerms``."""
        async with self._catalogue.reading() as transaction:
            active = await rollouts.active_rollout(transaction, self._project, self._environment)
        if active is None:
            return
        # Before it is taken from who knows them.
        Strategy.to_drive(active.strategy, active.failure_policy)
        async with self._catalogue.transaction() as transaction:
            taken = await rollouts.take_over(
                transaction, self._project, self._environment, self._driver.node_id
            )
        if taken is not None:
            self._driver.epoch = taken.owner_epoch
            _name_in_log(taken)
            _log.info("rollout.taken_over", owner_epoch=taken.owner_epoch)

    async def take(self) -> Progress:
        """Do the next thing that is due. Raises ``UnknownTerms``."""
        begun = datetime.now(UTC)
        self._driver.begin_step()
        self.emptied = False
        async with self._catalogue.transaction() as transaction:
            # Everything here happens under the live row's lock: the order in which locks are taken is
            # project, live row, deployment, assignment, activation, everywhere.
            live = await projects.lock_live(transaction, self._project, self._environment)
            active = await rollouts.active_rollout(transaction, self._project, self._environment)
            head = await rollouts.queue_head(transaction, self._project, self._environment)
            _name_in_log(active or head)
            if active is None and head is None:
                return Progress.NOTHING_LEFT
            moved = False
            if head is not None and (active is None or head.id == active.supersede_requested_by):
                # What only waits, behind a freeze say, ends nothing.
                moved = await self._queue_head.come(transaction, live, head, active)
            if active is not None and not moved:
                moved = await self._go_on(transaction, live, active)
        for deployment in self._driver.ended:
            _name_in_log(deployment)
            _log.info(
                "deployment.ended",
                project=self._project,
                environment=self._environment,
                version=deployment.version,
                status=deployment.status,
                message=deployment.status_message,
            )
            record_rollout(deployment)
            self._on_end(deployment)
        if moved:
            record_step(active or head, begun, assigned=self.assigned)
        if self.assigned:
            self._wakeups.send(Kind.ASSIGNMENTS, self._environment)
        self.emptied = bool(self._driver.ended) and head is None
        if moved:
            return Progress.MOVED
        return Progress.SOON if self._driver.telling.untold else Progress.WAITING

    async def _go_on(self, transaction: Transaction, live: Live, active: Deployment) -> bool:
        if not active.cancelled_by or active.status is DeploymentStatus.REVERTING:
            return await self._rolling.advance(transaction, live, active)
        covered = await rollout_nodes.covered(transaction, active)
        await self._driver.tell(transaction, active, own_activations(covered), at_once=True)
        refusal = Refusal(Reason.CANCELLED, cancel_message(active.cancelled_by, active.cancel_reason))
        await end_without_success(
            self._driver, transaction, live, active, covered, refusal, DeploymentStatus.CANCELLED
        )
        return True


def _name_in_log(deployment: Deployment | None) -> None:
    if deployment is not None:
        structlog.contextvars.bind_contextvars(deployment_id=deployment.id, request_id=deployment.request_id)
        name_trace_in_log(deployment.trace_context)

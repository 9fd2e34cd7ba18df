"""One step of one place's rollout: look at the rows and do the next thing that is due.

A step holds no state but the epoch of the rollout it owns, and what it has seen of who is silent, so it may
be repeated, and another node may go on with the next one after any of them. Every write is guarded by that
epoch, in the UPDATE that also takes the next event number; a step that meets a higher one raises
``StatusMoved`` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from enum import Enum, auto

import structlog

from longshore_server.deploying.cancelling import cancel_message
from longshore_server.deploying.queueing import check_expected_live
from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Kind, Wakeups
from longshore_storage.catalogue import Catalogue, Transaction, assignments, deployments, nodes, projects
from longshore_storage.catalogue.journal import append_event, change_status
from longshore_storage.catalogue.lifecycle import (
    ACTIVATION_TERMINAL,
    ROLLING,
    ActivationStatus,
    DeploymentKind,
    DeploymentStatus,
)
from longshore_storage.catalogue.releases import get_release
from longshore_storage.catalogue.rows import Activation, Actor, Deployment, Live, Node, Release

from .silence import SilenceWatch
from .telling import Telling

_log = structlog.get_logger(__name__)

NO_NODES = "no_nodes"
FROZEN = "frozen"


class Progress(Enum):
    """What a step found."""

    MOVED = auto()
    WAITING = auto()
    SOON = auto()
    NOTHING_LEFT = auto()


class Turn(Enum):
    """Whether the turn of a queue's head has come."""

    COME = auto()
    WAITS = auto()
    ENDED = auto()


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
        self._on_end = on_end
        self._ended: list[Deployment] = []
        # Of the last step: nothing more is due before a node reports, or something is queued.
        self.assigned = False
        self.emptied = False
        self._wakeups = wakeups
        self._node_id = node_id
        self._actor = Actor(f"node:{node_name}")
        self._project = project
        self._environment = environment
        self._silence = SilenceWatch(progress_deadline_s)
        self._epoch = 0
        self._telling = Telling()

    @property
    def due_in_s(self) -> float:
        """When the next step may come after one that found ``SOON``."""
        return self._telling.due_in_s

    async def take_over(self) -> None:
        """Become the owner of what is rolling out here, if anything is."""
        async with self._catalogue.transaction() as transaction:
            taken = await deployments.take_over(transaction, self._project, self._environment, self._node_id)
        if taken is not None:
            self._epoch = taken.owner_epoch
            _name_in_log(taken)
            _log.info("rollout.taken_over", owner_epoch=self._epoch)

    async def take(self) -> Progress:
        """Do the next thing that is due."""
        self._ended.clear()
        self.assigned = self.emptied = False
        async with self._catalogue.transaction() as transaction:
            # Everything here happens under the live row's lock: the order in which locks are taken is
            # project, live row, deployment, assignment, activation, everywhere.
            live = await projects.lock_live(transaction, self._project, self._environment)
            active = await deployments.active_rollout(transaction, self._project, self._environment)
            head = await deployments.queue_head(transaction, self._project, self._environment)
            _name_in_log(active or head)
            if active is None:
                if head is None:
                    return Progress.NOTHING_LEFT
                moved = await self._begin(transaction, live, head, touched=())
            elif (
                head is not None
                and head.id == active.supersede_requested_by
                and (turn := await self._turn_of(transaction, live, head)) is not Turn.WAITS
            ):
                # What only waits, behind a freeze say, ends nothing.
                moved = turn is Turn.ENDED or await self._supersede(transaction, live, active, head)
            elif active.cancelled_by and active.status is DeploymentStatus.ROLLING_OUT:
                moved = await self._cancel(transaction, live, active)
            else:
                moved = await self._advance(transaction, live, active)
        for deployment in self._ended:
            _name_in_log(deployment)
            _log.info(
                "deployment.ended",
                project=self._project,
                environment=self._environment,
                version=deployment.version,
                status=deployment.status,
                message=deployment.status_message,
            )
            self._on_end(deployment)
        if self.assigned:
            self._wakeups.send(Kind.ASSIGNMENTS, self._environment)
        self.emptied = bool(self._ended) and head is None
        if moved:
            return Progress.MOVED
        return Progress.SOON if self._telling.untold else Progress.WAITING

    async def _turn_of(self, transaction: Transaction, live: Live, head: Deployment) -> Turn:
        """Whether the head of the queue may begin; it ends here when what it expects to be live is not."""
        if head.expected_live_deployment_id is not None:
            try:
                check_expected_live(live.live_deployment_id, head.expected_live_deployment_id)
            except Refusal as refusal:
                await self._refuse(transaction, head, refusal)
                return Turn.ENDED
        if live.freeze_reason and head.kind is not DeploymentKind.ROLLBACK:
            await self._wait(transaction, head, FROZEN, f"frozen by {live.frozen_by}: {live.freeze_reason}")
            return Turn.WAITS
        return Turn.COME

    async def _begin(
        self, transaction: Transaction, live: Live, head: Deployment, *, touched: Collection[Activation]
    ) -> bool:
        turn = await self._turn_of(transaction, live, head)
        if turn is not Turn.COME:
            return turn is Turn.ENDED
        covered = await self._covered(transaction, touched)
        if not covered:
            why = f"no node with the role install is registered in {self._environment!r}"
            await self._wait(transaction, head, NO_NODES, why)
            return False
        release = await get_release(transaction, head.release_id) if head.release_id is not None else None
        generation = await projects.next_generation(transaction, live)
        begun = await change_status(
            transaction,
            head.id,
            expected=(DeploymentStatus.QUEUED,),
            to=DeploymentStatus.ROLLING_OUT,
            actor=self._actor,
            action="deployment.started",
            message=f"to {len(covered)} node{'s' if len(covered) != 1 else ''}",
            values={
                "generation": generation,
                "owner_epoch": head.owner_epoch + 1,
                "owner_node_id": self._node_id,
                "start_time": await transaction.now(),
                **await self._previous(transaction, live),
            },
        )
        self._epoch = begun.owner_epoch
        await self._assign(transaction, covered, release, generation, head.id)
        return True

    async def _wait(self, transaction: Transaction, head: Deployment, reason: str, why: str) -> None:
        """Let people see what the head of the queue waits for."""
        if (head.status_reason, head.status_message) != (reason, why):
            await deployments.set_columns(transaction, head.id, status_reason=reason, status_message=why)

    async def _supersede(
        self, transaction: Transaction, live: Live, active: Deployment, head: Deployment
    ) -> bool:
        touched = await self._activations(transaction, active.revert_generation or active.generation)
        await self._telling.tell(transaction, active, touched, owner_epoch=self._epoch)
        ended = await change_status(
            transaction,
            active.id,
            expected=ROLLING,
            to=DeploymentStatus.SUPERSEDED,
            actor=self._actor,
            action="deployment.superseded",
            message=f"by deployment {head.id}",
            owner_epoch=self._epoch,
        )
        self._ended.append(ended)
        await self._begin(transaction, live, head, touched=touched)
        return True

    async def _advance(self, transaction: Transaction, live: Live, active: Deployment) -> bool:
        reverting = active.status is DeploymentStatus.REVERTING
        generation = active.revert_generation if reverting else active.generation
        activations = await self._activations(transaction, generation)
        if live.generation > generation:
            await self._assign_anew(transaction, live, active, activations)
            return True
        if await self._give_up_silent(transaction, activations):
            activations = await self._activations(transaction, generation)
        told = await self._telling.tell(transaction, active, activations, owner_epoch=self._epoch)
        failed = [one for one in activations if one.status is ActivationStatus.FAILED]
        if reverting:
            if any(one.status not in ACTIVATION_TERMINAL for one in activations):
                return told
            await self._end_taken_back(transaction, active, kept=failed)
        elif failed:
            first = f"{failed[0].node_name}: {failed[0].message}"
            why = f"{len(failed)} of {len(activations)} nodes failed; {first}"
            refusal = Refusal(Reason.ROLLOUT_FAILED, why)
            await self._revert(transaction, live, active, activations, refusal, DeploymentStatus.FAILED)
        elif all(one.status is _aim(active) for one in activations):
            await self._succeed(transaction, live, active, len(activations))
        else:
            return told
        return True

    async def _assign_anew(
        self, transaction: Transaction, live: Live, active: Deployment, activations: Sequence[Activation]
    ) -> None:
        """A node has obeyed a higher generation, before the database was restored: assign past that."""
        reverting = active.status is DeploymentStatus.REVERTING
        release_id = live.live_release_id if reverting else active.release_id
        release = await get_release(transaction, release_id) if release_id is not None else None
        generation = await projects.next_generation(transaction, live)
        column = "revert_generation" if reverting else "generation"
        await append_event(
            transaction,
            active.id,
            "assigned_anew",
            f"Assigned anew as generation {generation}: a node has obeyed a higher one than before",
            {},
            expected=ROLLING,
            owner_epoch=self._epoch,
        )
        await deployments.set_columns(transaction, active.id, **{column: generation})
        await self._assign(transaction, activations, release, generation, active.id)

    async def _succeed(self, transaction: Transaction, live: Live, active: Deployment, count: int) -> None:
        where = f"{count} node{'s' if count != 1 else ''}"
        ended = await change_status(
            transaction,
            active.id,
            expected=(DeploymentStatus.ROLLING_OUT,),
            to=DeploymentStatus.SUCCEEDED,
            actor=self._actor,
            action="deployment.succeeded",
            message=f"live on {where}" if active.release_id else f"taken off {where}",
            owner_epoch=self._epoch,
        )
        self._ended.append(ended)
        await projects.set_live(
            transaction,
            live,
            release_id=active.release_id,
            deployment_id=active.id,
            generation=active.generation,
        )
        if active.rollback_of:
            await deployments.mark_rolled_back(transaction, active.rollback_of, active.id)

    async def _revert(
        self,
        transaction: Transaction,
        live: Live,
        active: Deployment,
        activations: Sequence[Activation],
        why: Refusal,
        outcome: DeploymentStatus,
    ) -> None:
        release = await get_release(transaction, live.live_release_id) if live.live_release_id else None
        generation = await projects.next_generation(transaction, live)
        await change_status(
            transaction,
            active.id,
            expected=(DeploymentStatus.ROLLING_OUT,),
            to=DeploymentStatus.REVERTING,
            actor=self._actor,
            action="deployment.reverting",
            message=why.message,
            owner_epoch=self._epoch,
            values={
                "revert_generation": generation,
                "intended_outcome": outcome,
                "error": why.to_row(),
            },
        )
        await self._assign(transaction, activations, release, generation, active.id)

    async def _cancel(self, transaction: Transaction, live: Live, active: Deployment) -> bool:
        activations = await self._activations(transaction, active.generation)
        await self._telling.tell(transaction, active, activations, owner_epoch=self._epoch)
        refusal = Refusal(Reason.CANCELLED, cancel_message(active.cancelled_by, active.cancel_reason))
        await self._revert(transaction, live, active, activations, refusal, DeploymentStatus.CANCELLED)
        return True

    async def _refuse(self, transaction: Transaction, head: Deployment, why: Refusal) -> None:
        ended = await change_status(
            transaction,
            head.id,
            expected=(DeploymentStatus.QUEUED,),
            to=DeploymentStatus.FAILED,
            actor=self._actor,
            action="deployment.failed",
            message=why.message,
            values={"error": why.to_row()},
        )
        self._ended.append(ended)

    async def _end_taken_back(
        self, transaction: Transaction, active: Deployment, *, kept: Sequence[Activation]
    ) -> None:
        assert active.error is not None
        message = str(active.error["message"])
        if kept:
            message += f"; could not be taken back: {', '.join(one.node_name for one in kept[:20])}"
        ended = await change_status(
            transaction,
            active.id,
            expected=(DeploymentStatus.REVERTING,),
            to=DeploymentStatus(active.intended_outcome),
            actor=self._actor,
            action=f"deployment.{active.intended_outcome.lower()}",
            message=message,
            owner_epoch=self._epoch,
        )
        self._ended.append(ended)

    async def _give_up_silent(self, transaction: Transaction, activations: Sequence[Activation]) -> bool:
        silent = self._silence.too_long(activations)
        if silent:
            await assignments.give_up_silent(
                transaction,
                silent,
                message=f"the node reported nothing for {self._silence.deadline_s:.0f} s: see whether it "
                "runs, or take it off the list with `longshore admin remove-node`",
            )
        return bool(silent)

    async def _covered(
        self, transaction: Transaction, touched: Collection[Activation]
    ) -> Sequence[Node | Activation]:
        expected = await nodes.installing_nodes(transaction, self._environment)
        known = {node.id for node in expected}
        return [*expected, *(one for one in touched if one.node_id not in known)]

    async def _previous(self, transaction: Transaction, live: Live) -> dict[str, str]:
        if live.live_deployment_id is None:
            return {}
        release = await get_release(transaction, live.live_release_id) if live.live_release_id else None
        return {
            "previous_deployment_id": live.live_deployment_id,
            "previous_version": release.version if release else "",
        }

    async def _assign(
        self,
        transaction: Transaction,
        covered: Sequence[Node | Activation],
        release: Release | None,
        generation: int,
        deployment_id: str,
    ) -> None:
        self.assigned = True
        await assignments.assign(
            transaction,
            covered,
            project=self._project,
            environment=self._environment,
            release=release,
            generation=generation,
            deployment_id=deployment_id,
        )

    async def _activations(self, transaction: Transaction, generation: int) -> Sequence[Activation]:
        return await assignments.activations_of_generation(
            transaction, self._project, self._environment, generation
        )


def _aim(active: Deployment) -> ActivationStatus:
    """Where a node must stand for a rollout to succeed there."""
    return ActivationStatus.REMOVED if active.release_id is None else ActivationStatus.LIVE


def _name_in_log(deployment: Deployment | None) -> None:
    if deployment is not None:
        structlog.contextvars.bind_contextvars(deployment_id=deployment.id, request_id=deployment.request_id)

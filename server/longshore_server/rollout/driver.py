"""What drives one place's rollouts from step to step: its epoch, what it has told, and who was silent.

Every write about a rollout goes through here and is guarded by the epoch, in the UPDATE that also takes the
next event number; one that meets a higher epoch raises ``StatusMoved`` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from longshore_storage.catalogue import Transaction, assignments, projects, rollout_nodes
from longshore_storage.catalogue.activations import give_up_silent
from longshore_storage.catalogue.journal import append_event, change_status, set_owned
from longshore_storage.catalogue.lifecycle import ROLLING, DeploymentStatus
from longshore_storage.catalogue.releases import get_release
from longshore_storage.catalogue.rows import Activation, Actor, Deployment, Live, Release, RolloutNode

from .silence import SilenceWatch
from .telling import Telling


class Driver:
    """One driver of one place; see the module."""

    def __init__(
        self, project: str, environment: str, *, node_id: str, node_name: str, progress_deadline_s: float
    ) -> None:
        self.project = project
        self.environment = environment
        self.node_id = node_id
        self.actor = Actor(f"node:{node_name}")
        self.epoch = 0
        self.telling = Telling()
        # Of the last step: what ended by it, whether nodes were assigned something, and in how many seconds
        # something is due without anybody's doing.
        self.ended: list[Deployment] = []
        self.assigned = False
        self.due_in_s: float | None = None
        self._silence = SilenceWatch(progress_deadline_s)

    def begin_step(self) -> None:
        """Forget what the last step did."""
        self.ended.clear()
        self.assigned = False
        self.due_in_s = None

    async def move(
        self,
        transaction: Transaction,
        active: Deployment,
        to: DeploymentStatus,
        action: str,
        *,
        message: str,
        expected: Collection[DeploymentStatus] = (DeploymentStatus.ROLLING_OUT,),
        values: Mapping[str, Any] | None = None,
    ) -> Deployment:
        """Change the status of the rollout that is driven. Raises ``StatusMoved``."""
        moved = await change_status(
            transaction,
            active.id,
            expected=expected,
            to=to,
            actor=self.actor,
            action=action,
            message=message,
            owner_epoch=self.epoch,
            values=values,
        )
        if moved.has_ended:
            self.ended.append(moved)
        return moved

    async def set(self, transaction: Transaction, active: Deployment, **values: Any) -> None:
        """Set columns of the rollout that is driven. Raises ``StatusMoved``."""
        await set_owned(transaction, active.id, self.epoch, **values)

    async def next_generation(self, transaction: Transaction, live: Live, active: Deployment) -> int:
        """Hand out the generation of the next turn. Raises ``StatusMoved``."""
        generation = await projects.next_generation(transaction, live)
        await self.set(transaction, active, last_generation=generation)
        return generation

    async def append(
        self, transaction: Transaction, active: Deployment, kind: str, message: str, body: Mapping[str, Any]
    ) -> None:
        """Append an event to the rollout that is driven. Raises ``StatusMoved``."""
        await append_event(
            transaction, active.id, kind, message, body, expected=ROLLING, owner_epoch=self.epoch
        )

    async def tell(
        self,
        transaction: Transaction,
        active: Deployment,
        activations: Sequence[Activation],
        *,
        at_once: bool = False,
    ) -> bool:
        """Append an event on what nodes did since the last one; False when nothing is told now."""
        return await self.telling.tell(
            transaction, active, activations, owner_epoch=self.epoch, at_once=at_once
        )

    async def assign(
        self,
        transaction: Transaction,
        nodes: Collection[RolloutNode],
        release: Release | None,
        generation: int,
        deployment_id: str,
    ) -> None:
        """Assign a release, or nothing, to nodes whose turn it is."""
        self.assigned = True
        await assignments.assign(
            transaction,
            nodes,
            project=self.project,
            environment=self.environment,
            release=release,
            generation=generation,
            deployment_id=deployment_id,
        )

    async def give_turn(
        self,
        transaction: Transaction,
        nodes: Collection[RolloutNode],
        release: Release | None,
        generation: int,
        active: Deployment,
        *,
        reverting: bool = False,
    ) -> None:
        """Assign them, and note that their turn has come."""
        if not nodes:
            return
        ids = [node.id for node in nodes]
        await rollout_nodes.note_turn(transaction, active.id, ids, generation, reverting=reverting)
        await self.assign(transaction, nodes, release, generation, active.id)

    async def give_up_silent(self, transaction: Transaction, activations: Sequence[Activation]) -> bool:
        """Fail nodes that have reported nothing for too long; False when there are none."""
        silent = self._silence.too_long(activations)
        if silent:
            await give_up_silent(
                transaction,
                silent,
                message=f"the node reported nothing for {self._silence.deadline_s:.0f} s: see whether it "
                "runs, or take it off the list with `longshore remove-node`",
            )
        return bool(silent)


async def release_of(transaction: Transaction, place: Live | Deployment) -> Release | None:
    """What is live, or what a deployment makes live; None for nothing."""
    release_id = place.live_release_id if isinstance(place, Live) else place.release_id
    return await get_release(transaction, release_id) if release_id is not None else None

"""The head of a place's queue: whether its turn has come, and how it begins, in another's place or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto

from longshore_server.deploying.queueing import FROZEN, check_expected_live
from longshore_server.refusal import Refusal
from longshore_storage.catalogue import Transaction, deployments, nodes, projects, rollout_nodes
from longshore_storage.catalogue.journal import change_status
from longshore_storage.catalogue.lifecycle import ROLLING, DeploymentKind, DeploymentStatus, FailurePolicy
from longshore_storage.catalogue.rows import Deployment, Live, RolloutNode
from longshore_storage.catalogue.strategy import Strategy

from .driver import Driver, release_of
from .rolling import own_activations
from .turns import canary_standing, in_order, whose_turn

NO_NODES = "no_nodes"


class _Turn(Enum):
    """Whether the turn of a queue's head has come."""

    COME = auto()
    WAITS = auto()
    ENDED = auto()


class QueueHead:
    """Lets a driver's queue go on."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def _turn_of(self, transaction: Transaction, live: Live, head: Deployment) -> _Turn:
        """Whether the head of the queue may begin; it ends here when what it expects to be live is not."""
        if head.expected_live_deployment_id is not None:
            try:
                check_expected_live(live.live_deployment_id, head.expected_live_deployment_id)
            except Refusal as refusal:
                await self._refuse(transaction, head, refusal)
                return _Turn.ENDED
        if live.freeze_reason and not await _takes_back(transaction, head):
            await self._wait(transaction, head, FROZEN, f"frozen by {live.frozen_by}: {live.freeze_reason}")
            return _Turn.WAITS
        return _Turn.COME

    async def come(
        self,
        transaction: Transaction,
        live: Live,
        head: Deployment,
        active: Deployment | None,
    ) -> bool:
        """Begin it where its turn has come, in the place of what is ``active``; False where it waits."""
        turn = await self._turn_of(transaction, live, head)
        if turn is not _Turn.COME:
            return turn is _Turn.ENDED
        before = await rollout_nodes.covered(transaction, active) if active is not None else []
        touched = [node for node in before if node.is_touched]
        covered = await self._covered(transaction, live, head, touched)
        if not covered:
            await self._wait(transaction, head, NO_NODES, await self._why_nobody(transaction, live))
            return False
        if active is not None:
            await self._supersede(transaction, active, head, before)
        await self._begin(transaction, live, head, covered)
        return True

    async def _begin(
        self, transaction: Transaction, live: Live, head: Deployment, covered: Sequence[RolloutNode]
    ) -> None:
        strategy = _strategy(live, head)
        generation = await projects.next_generation(transaction, live)
        first = _first_turn(covered, strategy)
        chosen = {node.id for node in first}
        later = f", {len(first)} of them at first" if len(first) < len(covered) else ""
        begun = await change_status(
            transaction,
            head.id,
            expected=(DeploymentStatus.QUEUED,),
            to=DeploymentStatus.ROLLING_OUT,
            actor=self._driver.actor,
            action="deployment.started",
            message=f"to {len(covered)} node{'s' if len(covered) != 1 else ''}{later}",
            values={
                "generation": generation,
                "last_generation": generation,
                "covered_nodes": len(covered),
                "strategy": strategy.to_row(),
                "failure_policy": head.failure_policy or live.failure_policy or FailurePolicy.TAKE_BACK,
                "owner_epoch": head.owner_epoch + 1,
                "owner_node_id": self._driver.node_id,
                "start_time": await transaction.now(),
                **await self._previous(transaction, live),
            },
        )
        self._driver.epoch = begun.owner_epoch
        await rollout_nodes.cover(
            transaction,
            head.id,
            [replace(node, generation=generation if node.id in chosen else 0) for node in covered],
        )
        release = await release_of(transaction, head)
        if first:
            await self._driver.assign(transaction, first, release, generation, head.id)

    async def _wait(self, transaction: Transaction, head: Deployment, reason: str, why: str) -> None:
        """Let people see what the head of the queue waits for."""
        if (head.status_reason, head.status_message) != (reason, why):
            await deployments.set_columns(transaction, head.id, status_reason=reason, status_message=why)

    async def _supersede(
        self, transaction: Transaction, active: Deployment, head: Deployment, covered: Sequence[RolloutNode]
    ) -> None:
        await self._driver.tell(transaction, active, own_activations(covered), at_once=True)
        await self._driver.move(
            transaction,
            active,
            DeploymentStatus.SUPERSEDED,
            "deployment.superseded",
            message=f"by deployment {head.id}",
            expected=ROLLING,
            values={"paused_by": "", "waiting_gate_id": "", "canary_due_time": None},
        )

    async def _refuse(self, transaction: Transaction, head: Deployment, why: Refusal) -> None:
        ended = await change_status(
            transaction,
            head.id,
            expected=(DeploymentStatus.QUEUED,),
            to=DeploymentStatus.FAILED,
            actor=self._driver.actor,
            action="deployment.failed",
            message=why.message,
            values={"error": why.to_row()},
        )
        self._driver.ended.append(ended)

    async def _covered(
        self, transaction: Transaction, live: Live, head: Deployment, touched: Sequence[RolloutNode]
    ) -> list[RolloutNode]:
        """The nodes that the rollout is for, and those that the one before it has touched."""
        expected = await nodes.installing_nodes(transaction, self._driver.environment, live.node_selector)
        known = {node.id for node in expected}
        others = [node.id for node in touched if node.id not in known]
        if others:
            expected = [*expected, *await nodes.get_nodes(transaction, others)]
        return in_order(expected, _strategy(live, head), touched)

    async def _why_nobody(self, transaction: Transaction, live: Live) -> str:
        every_one = await nodes.all_nodes(transaction)
        here = self._driver.environment
        installing = [one for one in every_one if one.environment == here and "install" in one.roles]
        if not installing:
            return f"no node with the role install is registered in {here!r}"
        if all(one.cordon_reason for one in installing):
            return f"every node of {here!r} is cordoned: lift one's cordon (`longshore uncordon`)"
        return (
            f"no node of {here!r} that is not cordoned matches the project's selector: see `longshore nodes` "
            "and `longshore select`"
        )

    async def _previous(self, transaction: Transaction, live: Live) -> dict[str, str]:
        if live.live_deployment_id is None:
            return {}
        release = await release_of(transaction, live)
        return {
            "previous_deployment_id": live.live_deployment_id,
            "previous_version": release.version if release else "",
        }


async def _takes_back(transaction: Transaction, head: Deployment) -> bool:
    """Whether it makes live again what was live there before, which no freeze holds up."""
    if head.kind is not DeploymentKind.ROLLBACK or head.release_id is None:
        return False
    return await deployments.last_success(transaction, head.environment, head.release_id) is not None


def _strategy(live: Live, head: Deployment) -> Strategy:
    return Strategy.to_drive(head.strategy or live.strategy, head.failure_policy or live.failure_policy)


def _first_turn(covered: Sequence[RolloutNode], strategy: Strategy) -> list[RolloutNode]:
    """Who is assigned the release when the rollout begins; nobody while others are at work on another."""
    standing = canary_standing(strategy, len(covered), passed=0)
    reach = standing.reach if standing else len(covered)
    return whose_turn(covered, strategy, covered=len(covered), reach=reach, reverting=False)

"""A rollout under way, a step further: tell who reported, assign whose turn has come, end it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue import Transaction, deployments, projects, rollout_nodes
from longshore_storage.catalogue.lifecycle import ActivationStatus, DeploymentStatus
from longshore_storage.catalogue.rows import Activation, Deployment, Live, RolloutNode
from longshore_storage.catalogue.strategy import Strategy, canary_gate_id

from .driver import Driver, release_of
from .taking_back import end_without_success, take_back_further
from .turns import Standing, canary_standing, whose_turn

_MOST_NAMED = 20


class Rolling:
    """Takes a driver's rollout a step further."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def advance(self, transaction: Transaction, live: Live, active: Deployment) -> bool:
        """Do the next thing that is due in a rollout; False when there is nothing, yet."""
        nodes = await rollout_nodes.covered(transaction, active)
        if live.generation > active.last_generation:
            await self._assign_anew(transaction, live, active, nodes)
            return True
        newest = [node.activation for node in nodes if node.activation is not None]
        if await self._driver.give_up_silent(transaction, newest):
            nodes = await rollout_nodes.covered(transaction, active)
        told = await self._driver.tell(transaction, active, own_activations(nodes))
        strategy = Strategy.to_drive(active.strategy, active.failure_policy)
        if active.status is DeploymentStatus.REVERTING:
            return await take_back_further(self._driver, transaction, live, active, nodes, strategy) or told
        if active.paused_by or active.status is DeploymentStatus.PAUSED:
            return await self._pause_or_resume(transaction, active) or told
        return await self._go_on(transaction, live, active, nodes, strategy) or told

    async def _go_on(
        self,
        transaction: Transaction,
        live: Live,
        active: Deployment,
        nodes: Sequence[RolloutNode],
        strategy: Strategy,
    ) -> bool:
        failed = [one for one in own_activations(nodes) if one.status is ActivationStatus.FAILED]
        standing = canary_standing(strategy, active.covered_nodes, passed=active.passed_canary_steps)
        reached = nodes[: standing.reach] if standing else nodes
        turn = whose_turn(nodes, strategy, covered=active.covered_nodes, reach=len(reached), reverting=False)
        all_ended = not turn and all(_has_ended(node, active) for node in reached)
        if why := _why_it_fails(nodes, failed, strategy, all_ended=all_ended, reached=reached):
            await end_without_success(
                self._driver, transaction, live, active, nodes, why, DeploymentStatus.FAILED
            )
            return True
        if turn:
            generation = await self._driver.next_generation(transaction, live, active)
            if active.waiting_gate_id:
                # A node of the step was removed, and another takes its place: the step is reached anew, and
                # who promoted it has not seen that one.
                await self._driver.set(
                    transaction, active, waiting_gate_id="", canary_due_time=None, promoted_gate_id=""
                )
            release = await release_of(transaction, active)
            await self._driver.give_turn(transaction, turn, release, generation, active)
            return True
        if not all_ended:
            return False
        if standing is not None:
            return await self._stand(transaction, active, standing, len(strategy.canary_steps))
        await self._succeed(transaction, live, active, nodes, failed)
        return True

    async def _stand(
        self, transaction: Transaction, active: Deployment, standing: Standing, total_steps: int
    ) -> bool:
        """At a canary step that is reached: wait, or pass it."""
        of_steps = f"Canary step {standing.number} of {total_steps}"
        now = await transaction.now()
        if not active.waiting_gate_id:
            wait_s = standing.step.wait_s
            due = now + timedelta(seconds=wait_s) if wait_s is not None else None
            gate_id = canary_gate_id(active.id, standing.number)
            nodes = f"{standing.reach} node{'s' if standing.reach != 1 else ''}"
            goes_on = f"goes on at {due:%Y-%m-%d %H:%M:%S} UTC" if due else "waits to be promoted"
            await self._driver.set(transaction, active, waiting_gate_id=gate_id, canary_due_time=due)
            await self._driver.append(
                transaction,
                active,
                "canary_step_reached",
                f"{of_steps} reached with {nodes}: {goes_on}",
                {
                    "step": standing.number,
                    "total_steps": total_steps,
                    "node_count": standing.reach,
                    "gate_id": gate_id,
                    "due_time": due.isoformat() if due else "",
                },
            )
            return True
        promoted_by = active.promoted_by if active.promoted_gate_id == active.waiting_gate_id else ""
        if not promoted_by and (active.canary_due_time is None or now < active.canary_due_time):
            if active.canary_due_time is not None:
                self._driver.due_in_s = (active.canary_due_time - now).total_seconds()
            return False
        await self._driver.set(
            transaction,
            active,
            passed_canary_steps=standing.number,
            waiting_gate_id="",
            canary_due_time=None,
        )
        await self._driver.append(
            transaction,
            active,
            "canary_step_passed",
            f"{of_steps} passed" + (f": promoted by {promoted_by}" if promoted_by else ""),
            {"step": standing.number, "total_steps": total_steps, "promoted_by": promoted_by},
        )
        return True

    async def _pause_or_resume(self, transaction: Transaction, active: Deployment) -> bool:
        if active.paused_by and active.status is DeploymentStatus.ROLLING_OUT:
            why = f": {active.pause_reason}" if active.pause_reason else ""
            await self._driver.move(
                transaction,
                active,
                DeploymentStatus.PAUSED,
                "deployment.paused",
                message=f"by {active.paused_by}{why}",
            )
            return True
        if not active.paused_by:
            await self._driver.move(
                transaction,
                active,
                DeploymentStatus.ROLLING_OUT,
                "deployment.resumed",
                message="goes on",
                expected=(DeploymentStatus.PAUSED,),
            )
            return True
        return False

    async def _assign_anew(
        self, transaction: Transaction, live: Live, active: Deployment, nodes: Sequence[RolloutNode]
    ) -> None:
        """A node has obeyed a higher generation, before the database was restored: assign past that."""
        reverting = active.status is DeploymentStatus.REVERTING
        touched = [node for node in nodes if (node.revert_generation if reverting else node.generation)]
        generation = await self._driver.next_generation(transaction, live, active)
        await self._driver.append(
            transaction,
            active,
            "assigned_anew",
            f"Assigned anew as generation {generation}: a node has obeyed a higher one than before",
            {},
        )
        first = "revert_generation" if reverting else "generation"
        await self._driver.set(transaction, active, **{first: generation})
        release = await release_of(transaction, live if reverting else active)
        await self._driver.give_turn(transaction, touched, release, generation, active, reverting=reverting)

    async def _succeed(
        self,
        transaction: Transaction,
        live: Live,
        active: Deployment,
        nodes: Sequence[RolloutNode],
        failed: Sequence[Activation],
    ) -> None:
        done = len(nodes) - len(failed)
        count = f"{done} of {len(nodes)} nodes" if failed else f"{done} node{'s' if done != 1 else ''}"
        message = f"live on {count}" if active.release_id else f"taken off {count}"
        if failed:
            message += f"; failed: {_named(failed)}"
        to = DeploymentStatus.PARTIAL if failed else DeploymentStatus.SUCCEEDED
        await self._driver.move(
            transaction,
            active,
            to,
            f"deployment.{to.lower()}",
            message=message,
            values={"paused_by": "", "waiting_gate_id": "", "canary_due_time": None},
        )
        await projects.set_live(
            transaction,
            live,
            release_id=active.release_id,
            deployment_id=active.id,
            # The first: every node that was assigned anything of it has at least that.
            generation=active.generation,
        )
        if active.rollback_of:
            await deployments.mark_rolled_back(transaction, active.rollback_of, active.id)


def _why_it_fails(
    nodes: Sequence[RolloutNode],
    failed: Sequence[Activation],
    strategy: Strategy,
    *,
    all_ended: bool,
    reached: Sequence[RolloutNode],
) -> Refusal | None:
    if not nodes:
        return Refusal(Reason.ROLLOUT_FAILED, "every node that it covered was removed meanwhile")
    # However many may fail: a canary, or a rollout, that no node got through has shown nothing.
    nobody = all_ended and len(failed) >= len(reached)
    if len(failed) <= strategy.max_failed_nodes and not nobody:
        return None
    first = f"{failed[0].node_name}: {failed[0].message}"
    return Refusal(Reason.ROLLOUT_FAILED, f"{len(failed)} of {len(nodes)} nodes failed; {first}")


def _has_ended(node: RolloutNode, active: Deployment) -> bool:
    """Whether a node has come to where the rollout wants it, or has failed."""
    aim = ActivationStatus.REMOVED if active.release_id is None else ActivationStatus.LIVE
    return node.own is not None and node.own.status in (aim, ActivationStatus.FAILED)


def own_activations(nodes: Sequence[RolloutNode]) -> list[Activation]:
    """The newest activation of each node for the rollout that covers it."""
    return [node.own for node in nodes if node.own is not None]


def _named(failed: Sequence[Activation]) -> str:
    """Nodes that failed, with the reason of the first, for people."""
    names = ", ".join(one.node_name for one in failed[:_MOST_NAMED])
    more = f" and {len(failed) - _MOST_NAMED} more" if len(failed) > _MOST_NAMED else ""
    return f"{names}{more} ({failed[0].message})"

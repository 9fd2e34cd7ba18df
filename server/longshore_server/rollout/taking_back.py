"""How a rollout ends without success: nodes are taken back as the strategy says, or kept as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from longshore_server.refusal import Refusal
from longshore_storage.catalogue import Transaction, projects
from longshore_storage.catalogue.lifecycle import (
    ACTIVATION_TERMINAL,
    ActivationStatus,
    DeploymentStatus,
    FailurePolicy,
)
from longshore_storage.catalogue.rows import Deployment, Live, RolloutNode
from longshore_storage.catalogue.strategy import Strategy

from .driver import Driver, release_of
from .turns import whose_turn

_MOST_NAMED = 20
_BEFORE_SWITCH = (ActivationStatus.PENDING, ActivationStatus.FETCHING)
_NOT_REVERTING = (DeploymentStatus.ROLLING_OUT, DeploymentStatus.PAUSED)


async def end_without_success(
    driver: Driver,
    transaction: Transaction,
    live: Live,
    active: Deployment,
    nodes: Sequence[RolloutNode],
    why: Refusal,
    outcome: DeploymentStatus,
) -> None:
    """End a rollout as ``outcome``: at once where nodes are kept as they are, else by taking them back."""
    expected = _NOT_REVERTING if outcome is DeploymentStatus.CANCELLED else (DeploymentStatus.ROLLING_OUT,)
    nothing_waits: dict[str, Any] = {"paused_by": "", "waiting_gate_id": "", "canary_due_time": None}
    if active.failure_policy == FailurePolicy.KEEP:
        # Who has not begun to switch has what is live, and is not to go on: nor to what was superseded.
        unswitched = [node for node in nodes if node.is_touched and _has_not_switched(node)]
        unswitched_ids = {node.id for node in unswitched}
        kept = [node for node in nodes if node.is_touched and node.id not in unswitched_ids]
        message = f"{why.message}; {_kept(kept)}" if kept else why.message
        if unswitched:
            generation = await driver.next_generation(transaction, live, active)
            nothing_waits["revert_generation"] = generation
            release = await release_of(transaction, live)
            await driver.give_turn(transaction, unswitched, release, generation, active, reverting=True)
        await driver.move(
            transaction,
            active,
            outcome,
            f"deployment.{outcome.lower()}",
            message=message,
            expected=expected,
            values={**nothing_waits, "error": why.to_row()},
        )
        return
    generation = await projects.next_generation(transaction, live)
    strategy = Strategy.to_drive(active.strategy, active.failure_policy)
    await driver.move(
        transaction,
        active,
        DeploymentStatus.REVERTING,
        "deployment.reverting",
        message=why.message,
        expected=expected,
        values={
            **nothing_waits,
            "revert_generation": generation,
            "last_generation": generation,
            "intended_outcome": outcome,
            "error": why.to_row(),
        },
    )
    turn = whose_turn(nodes, strategy, covered=active.covered_nodes, reach=0, reverting=True)
    release = await release_of(transaction, live)
    await driver.give_turn(transaction, turn, release, generation, active, reverting=True)


async def take_back_further(
    driver: Driver,
    transaction: Transaction,
    live: Live,
    active: Deployment,
    nodes: Sequence[RolloutNode],
    strategy: Strategy,
) -> bool:
    """Assign what is live again to those whose turn it is, or end; False while nodes are at work."""
    turn = whose_turn(nodes, strategy, covered=active.covered_nodes, reach=0, reverting=True)
    if turn:
        generation = await driver.next_generation(transaction, live, active)
        release = await release_of(transaction, live)
        await driver.give_turn(transaction, turn, release, generation, active, reverting=True)
        return True
    if any(node.is_touched and not node.revert_generation for node in nodes):
        return False
    back = [node.activation for node in nodes if node.revert_generation and node.activation is not None]
    if any(one.status not in ACTIVATION_TERMINAL for one in back):
        return False
    assert active.error is not None
    message = str(active.error["message"])
    if stuck := [node for node in nodes if _is_stuck(node)]:
        message += f"; could not be taken back: {_named(stuck)}"
    outcome = DeploymentStatus(active.intended_outcome)
    await driver.move(
        transaction,
        active,
        outcome,
        f"deployment.{outcome.lower()}",
        message=message,
        expected=(DeploymentStatus.REVERTING,),
    )
    return True


def _has_not_switched(node: RolloutNode) -> bool:
    return node.activation is not None and node.activation.status in _BEFORE_SWITCH


def _is_stuck(node: RolloutNode) -> bool:
    back = node.activation if node.revert_generation else None
    return back is not None and back.status is ActivationStatus.FAILED


def _kept(nodes: Sequence[RolloutNode]) -> str:
    if len(nodes) == 1:
        return f"node {_named(nodes)} stays as it is"
    return f"nodes {_named(nodes)} stay as they are"


def _named(nodes: Sequence[RolloutNode]) -> str:
    names = [node.name for node in nodes[:_MOST_NAMED]]
    if len(nodes) > _MOST_NAMED:
        names.append(f"{len(nodes) - _MOST_NAMED} more")
    first, last = names[:-1], names[-1]
    return f"{', '.join(first)} and {last}" if first else last

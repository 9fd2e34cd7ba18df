"""What holds after every step, whoever did what and died where: read from the rows."""

from __future__ import annotations

from itertools import pairwise

from sqlalchemy import select

from longshore_storage.catalogue import tables
from longshore_storage.catalogue.lifecycle import (
    FOLLOWING,
    ROLLING,
    TERMINAL,
    WENT_LIVE,
    DeploymentStatus,
    FailurePolicy,
)
from longshore_storage.catalogue.rows import Deployment, Live
from tests.server.rollouts import PROJECT

from .world import World

D = DeploymentStatus
_WITH_AN_ERROR = {D.FAILED, D.CANCELLED}


async def audit(world: World) -> None:
    """Check everything."""
    async with world.hand.reading() as transaction:
        found = [Deployment.of(row) for row in await transaction.all(select(tables.deployment))]
        lives = [Live.of(row) for row in await transaction.all(select(tables.project_environment))]
        assigned = await transaction.all(select(tables.assignment))
        changes = await transaction.all(
            select(tables.event)
            .where(tables.event.c.kind == "status_changed")
            .order_by(tables.event.c.deployment_id, tables.event.c.sequence)
        )
        sequences = await transaction.all(
            select(tables.event.c.deployment_id, tables.event.c.sequence).order_by(tables.event.c.sequence)
        )
        audited = await transaction.all(
            select(tables.audit_entry).where(
                tables.audit_entry.c.from_status != tables.audit_entry.c.to_status
            )
        )
    deployments = {deployment.id: deployment for deployment in found}
    assert len([one for one in found if one.status in ROLLING]) <= 1
    for deployment in found:
        _check_deployment(world, deployment)
        history = [row for row in changes if row.deployment_id == deployment.id]
        _check_history(deployment, [(row.body["from_status"], row.body["to_status"]) for row in history])
        numbers = [row.sequence for row in sequences if row.deployment_id == deployment.id]
        assert numbers == list(range(1, deployment.last_sequence + 1))
        told = [row.to_status for row in audited if row.deployment_id == deployment.id]
        assert len(told) == len(history), "a change of status without its audit row, or the other way round"
    orders = [one.queue_order for one in found if one.queue_order is not None]
    assert len(orders) == len(set(orders)), "two have the same place in the queue"
    for live in lives:
        _check_live(live, deployments)
        for row in assigned:
            assert row.generation <= live.generation, "a generation that was never handed out"


def _check_deployment(world: World, deployment: Deployment) -> None:
    status = deployment.status
    assert (deployment.end_time is not None) == (status in TERMINAL)
    assert (deployment.error is not None) == (status in _WITH_AN_ERROR or status is D.REVERTING) or (
        # What went back, and was superseded before it had ended.
        status is D.SUPERSEDED and deployment.revert_generation > 0
    )
    assert (status is D.CANCELLED) <= bool(deployment.cancelled_by)
    assert (status is D.STAGED) <= bool(deployment.gate_id)
    assert (status in TERMINAL) <= (not deployment.paused_by and not deployment.waiting_gate_id)
    assert deployment.last_generation >= max(deployment.generation, deployment.revert_generation)
    if status in TERMINAL:
        before = world.ended.setdefault(deployment.id, deployment)
        kept = {name: getattr(before, name) for name in _UNCHANGING}
        assert {name: getattr(deployment, name) for name in _UNCHANGING} == kept, "what has ended has changed"


_UNCHANGING = (
    *(
        "status",
        "status_message",
        "version",
        "release_id",
        "generation",
        "error",
        "end_time",
        "last_sequence",
    ),
    *("owner_epoch", "previous_deployment_id", "queue_order", "cancelled_by"),
)


def _check_history(deployment: Deployment, changes: list[tuple[str, str]]) -> None:
    """Each change begins where the one before ended, and is allowed."""
    assert changes[0] == ("", D.PENDING)
    for (_, ended), (begun, to) in pairwise(changes):
        assert begun == ended
        assert D(to) in FOLLOWING[D(begun)]
    assert changes[-1][1] == deployment.status


def _check_live(live: Live, deployments: dict[str, Deployment]) -> None:
    if live.live_deployment_id is None:
        assert (live.live_release_id, live.live_generation) == (None, 0)
        return
    by = deployments[live.live_deployment_id]
    assert by.status in WENT_LIVE
    assert (live.live_release_id, live.live_generation) == (by.release_id, by.generation)
    newest = max(
        (one for one in deployments.values() if one.status in WENT_LIVE), key=lambda one: one.generation
    )
    assert newest.id == by.id, "what succeeded last is live"


async def audit_the_end(world: World) -> None:
    """When all has come to its end: nothing waits but for people, and every node has what is live."""
    await audit(world)
    async with world.hand.reading() as transaction:
        statuses = {row.status for row in await transaction.all(select(tables.deployment.c.status))}
        assigned = await transaction.all(
            select(tables.assignment).where(tables.assignment.c.project == PROJECT)
        )
        policies = await transaction.all(select(tables.deployment.c.id, tables.deployment.c.failure_policy))
    keeping = {row.id for row in policies if row.failure_policy == FailurePolicy.KEEP}
    assert statuses <= {*TERMINAL, D.STAGED}
    live = await world.place.live() if statuses else None
    for row in assigned:
        assert live is not None
        if row.generation >= live.live_generation and row.deployment_id not in keeping:
            assert row.release_id == live.live_release_id, f"{row.node_id} should have something else"

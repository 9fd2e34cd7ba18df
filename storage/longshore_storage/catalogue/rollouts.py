"""Rollouts: the one under way in each place, what waits behind it, and what people ask of its driver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import and_, bindparam, literal, select, update

from . import tables
from .audit_trail import record_audit
from .catalogue import Transaction
from .lifecycle import ROLLING, UNFINISHED, DeploymentStatus
from .prepared import Prepared
from .rows import Actor, Deployment

_d = tables.deployment
_here = and_(_d.c.project == bindparam("of"), _d.c.environment == bindparam("within"))
_rolls = _d.c.status.in_([literal(status.value) for status in sorted(ROLLING)])
_ACTIVE = Prepared(select(_d).where(_here, _rolls))
_QUEUE_HEAD = Prepared(
    select(_d).where(_here, _d.c.status == DeploymentStatus.QUEUED.value).order_by(_d.c.queue_order).limit(1)
)
_PLACES_WITH_WORK = Prepared(
    select(_d.c.project, _d.c.environment)
    .where(_d.c.status.in_([literal(status.value) for status in sorted(UNFINISHED)]))
    .distinct()
)
_TAKE_OVER = Prepared(
    update(_d)
    .where(_here, _rolls)
    .values(owner_epoch=_d.c.owner_epoch + 1, owner_node_id=bindparam("by"))
    .returning(*_d.c)
)


class RollingPlace(NamedTuple):
    """A place with the deployment that rolls out there."""

    project: str
    environment: str
    deployment_id: str


async def active_rollout(transaction: Transaction, project: str, environment: str) -> Deployment | None:
    """The one rollout that is under way, if any."""
    row = await transaction.one(_ACTIVE, {"of": project, "within": environment})
    return Deployment.of(row) if row else None


async def rolling_places(transaction: Transaction) -> Sequence[RollingPlace]:
    """Every rollout that is under way."""
    rows = await transaction.all(
        select(_d.c.project, _d.c.environment, _d.c.id.label("deployment_id")).where(_d.c.status.in_(ROLLING))
    )
    return [RollingPlace(**row._mapping) for row in rows]


async def queue_head(transaction: Transaction, project: str, environment: str) -> Deployment | None:
    """The queued deployment whose turn it is next."""
    row = await transaction.one(_QUEUE_HEAD, {"of": project, "within": environment})
    return Deployment.of(row) if row else None


async def unfinished(transaction: Transaction, project: str, environment: str) -> Sequence[Deployment]:
    """What is queued or rolling out, in the queue's order."""
    rows = await transaction.all(
        select(_d)
        .where(_d.c.project == project, _d.c.environment == environment, _d.c.status.in_(UNFINISHED))
        .order_by(_d.c.queue_order)
    )
    return [Deployment.of(row) for row in rows]


async def places_with_work(transaction: Transaction) -> Sequence[tuple[str, str]]:
    """The (project, environment) pairs in which something is queued or rolling out."""
    rows = await transaction.all(_PLACES_WITH_WORK)
    return [(row.project, row.environment) for row in rows]


async def take_over(
    transaction: Transaction, project: str, environment: str, node_id: str
) -> Deployment | None:
    """Become the owner of the rollout under way: its epoch rises, so a former owner's writes fail."""
    row = await transaction.one(_TAKE_OVER, {"of": project, "within": environment, "by": node_id})
    return Deployment.of(row) if row else None


async def request_cancelling(
    transaction: Transaction, deployment_id: str, by: str, reason: str
) -> Deployment:
    """Ask the controller to take back a rollout; the caller holds the live row's lock."""
    row = await transaction.one(
        update(_d)
        .where(_d.c.id == deployment_id)
        .values(cancelled_by=by, cancel_reason=reason)
        .returning(*_d.c)
    )
    assert row is not None
    return Deployment.of(row)


async def request_pausing(transaction: Transaction, deployment_id: str, by: str, reason: str) -> Deployment:
    """Ask the controller to pause a rollout, or, with an empty ``by``, to let it go on.

    The caller holds the live row's lock.
    """
    row = await transaction.one(
        update(_d).where(_d.c.id == deployment_id).values(paused_by=by, pause_reason=reason).returning(*_d.c)
    )
    assert row is not None
    transaction.tells_of(deployment_id)
    return Deployment.of(row)


async def request_promoting(
    transaction: Transaction, deployment: Deployment, gate_id: str, actor: Actor
) -> Deployment:
    """Ask the controller to pass a canary's gate; the caller holds the live row's lock."""
    row = await transaction.one(
        update(_d)
        .where(_d.c.id == deployment.id)
        .values(promoted_gate_id=gate_id, promoted_by=actor.principal)
        .returning(*_d.c)
    )
    assert row is not None
    asked = Deployment.of(row)
    transaction.tells_of(deployment.id)
    await record_audit(
        transaction,
        actor,
        "deployment.promoted",
        deployment=asked,
        from_status=asked.status,
        message=f"canary step {asked.passed_canary_steps + 1}",
    )
    return asked


async def request_superseding(transaction: Transaction, project: str, environment: str, by: str) -> None:
    """Ask the controller to end the rollout under way in favour of the deployment ``by``."""
    await transaction.execute(
        update(_d)
        .where(_d.c.project == project, _d.c.environment == environment, _d.c.status.in_(ROLLING))
        .values(supersede_requested_by=by)
    )

"""Deployments: accepting, finding, listing, and how one is taken back. Status changes: ``journal``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, delete, func, insert, literal, or_, select, update

from . import tables
from .catalogue import Transaction
from .journal import first_event, record_audit
from .lifecycle import (
    ROLLING,
    TERMINAL,
    UNFINISHED,
    WENT_LIVE,
    ActivationStatus,
    DeploymentKind,
    DeploymentStatus,
)
from .prepared import Prepared, PreparedForSome
from .rows import Actor, Deployment

_d = tables.deployment
_here = and_(_d.c.project == bindparam("of"), _d.c.environment == bindparam("within"))
_rolls = _d.c.status.in_([literal(status.value) for status in sorted(ROLLING)])
_GET = Prepared(select(_d).where(_d.c.id == bindparam("of")))
_ACTIVE = Prepared(select(_d).where(_here, _rolls))
_QUEUE_HEAD = Prepared(
    select(_d).where(_here, _d.c.status == DeploymentStatus.QUEUED.value).order_by(_d.c.queue_order).limit(1)
)
_PLACES_WITH_WORK = Prepared(
    select(_d.c.project, _d.c.environment)
    .where(_d.c.status.in_([literal(status.value) for status in sorted(UNFINISHED)]))
    .distinct()
)
_act, _live, _rn = tables.activation, tables.project_environment, tables.rollout_node
_forth = and_(
    _d.c.id == _act.c.deployment_id,
    _act.c.generation >= _d.c.generation,
    or_(_d.c.revert_generation == 0, _act.c.generation < _d.c.revert_generation),
)
_COUNTS = PreparedForSome(
    lambda ids: (
        select(_act.c.deployment_id, _act.c.status, func.count().label("nodes"))
        .join(_d, _forth)
        .where(_act.c.deployment_id.in_(ids))
        .group_by(_act.c.deployment_id, _act.c.status)
        .union_all(
            select(_rn.c.deployment_id, literal(ActivationStatus.PENDING.value), func.count())
            .where(_rn.c.deployment_id.in_(ids), _rn.c.generation == 0)
            .group_by(_rn.c.deployment_id)
        )
    )
)
_WHICH_LIVE = PreparedForSome(
    lambda ids: select(_live.c.live_deployment_id).where(_live.c.live_deployment_id.in_(ids))
)
_TAKE_OVER = Prepared(
    update(_d)
    .where(_here, _rolls)
    .values(owner_epoch=_d.c.owner_epoch + 1, owner_node_id=bindparam("by"))
    .returning(*_d.c)
)


class NodeCount(NamedTuple):
    """How many of a deployment's nodes are in a state."""

    deployment_id: str
    status: str
    nodes: int


async def insert_deployment(
    transaction: Transaction,
    actor: Actor,
    *,
    action: str = "deployment.accepted",
    labels: Mapping[str, str] = MappingProxyType({}),
    **values: Any,
) -> Deployment:
    """Insert a deployment in PENDING with its labels, its first event and its audit row.

    Raises ``ConstraintViolated`` when the id exists.
    """
    columns = {
        "status": DeploymentStatus.PENDING,
        "deployed_by": actor.principal,
        "peer": actor.peer,
        "request_id": actor.request_id,
        "create_time": await transaction.now(),
        "last_sequence": 1,
        "labels": dict(labels),
        **values,
    }
    row = await transaction.one(_inserting(frozenset(columns)), columns)
    assert row is not None
    deployment = Deployment.of(row)
    if labels:
        rows = [{"key": key, "value": value, "number": deployment.number} for key, value in labels.items()]
        await transaction.execute(insert(tables.deployment_label).values(rows))
    await first_event(transaction, deployment, actor, action)
    return deployment


@cache
def _inserting(columns: Collection[str]) -> Prepared:
    return Prepared(insert(_d).returning(*_d.c), columns)


async def get_deployment(transaction: Transaction, deployment_id: str) -> Deployment | None:
    """Read a deployment; an upload that is only validated is none."""
    deployment = await get_accepted(transaction, deployment_id)
    if deployment is not None and deployment.kind is DeploymentKind.VALIDATION:
        return None
    return deployment


async def get_deployments(transaction: Transaction, deployment_ids: Collection[str]) -> Sequence[Deployment]:
    """Read those of these deployments that there are, in no order."""
    rows = await transaction.all(
        select(_d).where(_d.c.id.in_(deployment_ids), _d.c.kind != DeploymentKind.VALIDATION)
    )
    return [Deployment.of(row) for row in rows]


async def get_accepted(transaction: Transaction, deployment_id: str) -> Deployment | None:
    """Read what was accepted under an id: a deployment, or an upload that is only validated."""
    row = await transaction.one(_GET, {"of": deployment_id})
    return Deployment.of(row) if row else None


async def drop_validation(transaction: Transaction, deployment_id: str) -> None:
    """Forget an upload that was only validated, with its upload, events, findings and labels."""
    row = await transaction.one(
        select(_d.c.number)
        .where(_d.c.id == deployment_id, _d.c.kind == DeploymentKind.VALIDATION)
        .with_for_update()
    )
    if row is None:
        return
    label, event = tables.deployment_label, tables.event
    await transaction.execute(delete(label).where(label.c.number == row.number))
    await transaction.execute(delete(event).where(event.c.deployment_id == deployment_id))
    await transaction.execute(delete(_d).where(_d.c.id == deployment_id))


async def set_columns(transaction: Transaction, deployment_id: str, **values: Any) -> None:
    """Set columns that are no status: what an upload moved so far, say."""
    await transaction.execute(update(_d).where(_d.c.id == deployment_id).values(**values))


async def active_rollout(transaction: Transaction, project: str, environment: str) -> Deployment | None:
    """The one rollout that is under way, if any."""
    row = await transaction.one(_ACTIVE, {"of": project, "within": environment})
    return Deployment.of(row) if row else None


class RollingPlace(NamedTuple):
    """A place with the deployment that rolls out there."""

    project: str
    environment: str
    deployment_id: str


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


async def unfinished_counts(transaction: Transaction) -> dict[str, int]:
    """How many deployments stand in each status that is not terminal."""
    rows = await transaction.all(
        select(_d.c.status, func.count().label("deployments"))
        .where(_d.c.status.in_(set(DeploymentStatus) - TERMINAL), _d.c.kind != DeploymentKind.VALIDATION)
        .group_by(_d.c.status)
    )
    return {row.status: row.deployments for row in rows}


async def places_with_work(transaction: Transaction) -> Sequence[tuple[str, str]]:
    """The (project, environment) pairs in which something is queued or rolling out."""
    rows = await transaction.all(_PLACES_WITH_WORK)
    return [(row.project, row.environment) for row in rows]


async def last_success(
    transaction: Transaction, project: str, environment: str, release_id: int
) -> Deployment | None:
    """The newest deployment that made a release live in an environment."""
    row = await transaction.one(
        select(_d)
        .where(
            _d.c.project == project,
            _d.c.environment == environment,
            _d.c.release_id == release_id,
            _d.c.status.in_(WENT_LIVE),
        )
        .order_by(_d.c.number.desc())
        .limit(1)
    )
    return Deployment.of(row) if row else None


async def previous_of(transaction: Transaction, deployment: Deployment) -> Deployment | None:
    """What was live before ``deployment``'s release went live, skipping what was rolled back.

    A rollback stands for the deployment that it restored, so going back again goes further back and never
    forth to what was taken back.
    """
    current: Deployment | None = deployment
    while current is not None:
        while current.restored_deployment_id:
            restored = await get_deployment(transaction, current.restored_deployment_id)
            assert restored is not None, "a deployment is never deleted"
            current = restored
        if not current.previous_deployment_id:
            return None
        current = await get_deployment(transaction, current.previous_deployment_id)
        # A release that was made live once more is not what was live before itself.
        if (
            current is not None
            and not current.rolled_back_by
            and current.release_id not in (None, deployment.release_id)
        ):
            return current
    return None


async def mark_rolled_back(transaction: Transaction, deployment_id: str, by: str) -> None:
    """Note on a deployment that another took it back; the first to do so is remembered."""
    await transaction.execute(
        update(_d).where(_d.c.id == deployment_id, _d.c.rolled_back_by == "").values(rolled_back_by=by)
    )


async def node_counts(transaction: Transaction, deployment_ids: Collection[str]) -> Sequence[NodeCount]:
    """Nodes by state, on the way forth (not back); those whose turn has not come count as PENDING."""
    rows = await transaction.all(*_COUNTS.of(list(deployment_ids)))
    return [NodeCount(row.deployment_id, row.status, row.nodes) for row in rows]


async def live_ids(transaction: Transaction, deployment_ids: Collection[str]) -> frozenset[str]:
    """Which of these deployments are what is live in their environment now."""
    rows = await transaction.all(*_WHICH_LIVE.of(list(deployment_ids)))
    return frozenset(row[0] for row in rows)


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

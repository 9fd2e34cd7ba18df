"""Deployments: accepting, finding and counting, and which were live before. Status changes: ``journal``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, delete, func, insert, literal, or_, select, update

from . import tables
from .catalogue import Transaction
from .journal import first_event
from .lifecycle import (
    WENT_LIVE,
    ActivationStatus,
    DeploymentKind,
    DeploymentStatus,
)
from .prepared import Prepared, PreparedForSome
from .rows import Actor, Deployment

_d = tables.deployment
_GET = Prepared(select(_d).where(_d.c.id == bindparam("of")))
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
        "trace_context": actor.trace_context,
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


async def last_success(transaction: Transaction, environment: str, release_id: int) -> Deployment | None:
    """The newest deployment that made a release live in an environment."""
    row = await transaction.one(
        select(_d)
        .where(
            _d.c.release_id == release_id,
            _d.c.environment == environment,
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

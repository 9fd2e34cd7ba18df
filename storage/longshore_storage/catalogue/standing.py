"""How deployments stand, in as few columns as tell whether anything changed: for who looks all the time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, select

from . import tables
from .catalogue import Transaction
from .lifecycle import TERMINAL, DeploymentKind, DeploymentStatus

_d, _u = tables.deployment, tables.upload
_UNENDED = sorted(set(DeploymentStatus) - TERMINAL)


class Standing(NamedTuple):
    """One deployment; whatever changes of it changes one of these.

    But for what nodes do without an event, and for the release's payload being deleted: that may concern any
    number of deployments that ended long ago, which nobody looks at here.
    """

    id: str
    status: str
    status_reason: str
    status_message: str
    last_sequence: int
    cancelled_by: str
    paused_by: str
    promoted_gate_id: str
    rolled_back_by: str
    durable_bytes: int | None
    rollback_of: str
    previous_deployment_id: str


async def standing_now(transaction: Transaction, *, ended_since: datetime) -> Sequence[Standing]:
    """Every deployment that has not ended, or not before then."""
    unended = await _standing(transaction, _d.c.status.in_(_UNENDED))
    # One that ends in between is in both or, if it began in between too, in the second.
    ended = await _standing(transaction, _d.c.end_time >= ended_since, _d.c.all_events)
    return [*unended, *ended]


async def standing_of(transaction: Transaction, deployment_ids: Collection[str]) -> Sequence[Standing]:
    """Those of these deployments that there are."""
    return await _standing(transaction, _d.c.id.in_(deployment_ids))


async def _standing(transaction: Transaction, *conditions: ColumnElement[bool]) -> Sequence[Standing]:
    rows = await transaction.all(_columns().where(_d.c.kind != DeploymentKind.VALIDATION, *conditions))
    return [Standing._make(row) for row in rows]


def _columns() -> Select[Any]:
    return select(
        _d.c.id,
        _d.c.status,
        _d.c.status_reason,
        _d.c.status_message,
        _d.c.last_sequence,
        _d.c.cancelled_by,
        _d.c.paused_by,
        _d.c.promoted_gate_id,
        _d.c.rolled_back_by,
        _u.c.durable_bytes,
        _d.c.rollback_of,
        _d.c.previous_deployment_id,
    ).outerjoin(_u, _u.c.deployment_id == _d.c.id)

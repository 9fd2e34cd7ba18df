"""Events of deployments that ended long ago: all go but the changes of status. Their numbers stay.

``compacted_through`` moves in the transaction in which events go, so that whoever reads them knows at any
moment up to which number some are missing; what it has not reached is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, select, tuple_, update

from . import tables
from .catalogue import Transaction

_d, _e, _h = tables.deployment, tables.event, tables.hook_output
_KEPT_KIND = "status_changed"


class Compacted(NamedTuple):
    """What one page removed, and whether nothing is left to remove of the deployment."""

    events: int
    done: bool


async def old_deployments(transaction: Transaction, *, before: datetime, limit: int) -> Sequence[str]:
    """Deployments that ended before then and have all their events, those that ended first first."""
    rows = await transaction.all(
        select(_d.c.id).where(_d.c.end_time < before, _d.c.all_events).order_by(_d.c.end_time).limit(limit)
    )
    return [row.id for row in rows]


async def count_old(transaction: Transaction, *, before: datetime) -> tuple[int, int]:
    """How many events would go, and how many runs of hooks with what they put out."""
    old = select(_d.c.id).where(_d.c.end_time < before, _d.c.all_events)
    events = select(func.count()).where(_e.c.deployment_id.in_(old), _e.c.kind != _KEPT_KIND)
    runs = select(func.count()).where(_h.c.deployment_id.in_(old))
    counted = await transaction.one(
        select(events.scalar_subquery().label("events"), runs.scalar_subquery().label("runs"))
    )
    return (counted.events, counted.runs) if counted is not None else (0, 0)


async def drop_hook_outputs(transaction: Transaction, deployment_id: str, *, limit: int) -> int:
    """Remove what hooks of a deployment put out, ``limit`` runs at most; tells how many.

    Also of runs whose end nobody heard: the deployment ended long ago.
    """
    key = (_h.c.node_id, _h.c.environment, _h.c.project, _h.c.generation, _h.c.number)
    page = select(*key).where(_h.c.deployment_id == deployment_id).limit(limit)
    return await transaction.changed(delete(_h).where(tuple_(*key).in_(page)))


async def compact_events(transaction: Transaction, deployment_id: str, *, limit: int) -> Compacted:
    """Compact the next ``limit`` events of a deployment that has ended."""
    deployment = await transaction.one(
        select(_d.c.compacted_through, _d.c.last_sequence)
        .where(_d.c.id == deployment_id, _d.c.end_time.is_not(None), _d.c.all_events)
        .with_for_update(key_share=True)
    )
    if deployment is None:
        return Compacted(0, done=True)
    last = await transaction.one(
        select(_e.c.sequence)
        .where(_e.c.deployment_id == deployment_id, _e.c.sequence > deployment.compacted_through)
        .order_by(_e.c.sequence)
        .offset(limit - 1)
        .limit(1)
    )
    through = last.sequence if last is not None else deployment.last_sequence
    done = through == deployment.last_sequence
    events = await transaction.changed(
        delete(_e).where(
            _e.c.deployment_id == deployment_id,
            _e.c.sequence > deployment.compacted_through,
            _e.c.sequence <= through,
            _e.c.kind != _KEPT_KIND,
        )
    )
    await transaction.execute(
        update(_d).where(_d.c.id == deployment_id).values(compacted_through=through, all_events=not done)
    )
    return Compacted(events, done)

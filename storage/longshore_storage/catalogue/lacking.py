"""What a node lacks: of which projects it has not what it should, by what is live and what it is assigned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, String, and_, bindparam, cast, func, literal, or_, select

from . import tables
from .catalogue import Transaction
from .lifecycle import ROLLING, ActivationStatus
from .nodes import matches
from .prepared import Prepared
from .rows import Node

_a, _act = tables.assignment, tables.activation
_d, _e, _n = tables.deployment, tables.project_environment, tables.node
MOST_TRIES: Final = 6
_FIRST_PAUSE: Final = timedelta(minutes=1)


class Behind(NamedTuple):
    """A project of which a node has not what it should; ``tries`` is None where that is to be assigned."""

    project: str
    tries: int | None
    end_time: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to do something about it."""
        if self.tries is None or self.end_time is None:
            return True
        return bool(self.end_time + _FIRST_PAUSE * 2**self.tries <= now)


async def behind(transaction: Transaction, node_id: str) -> Sequence[Behind]:
    """Every project of which a node has not what it should; nothing while the node is cordoned."""
    found = []
    for row in await transaction.all(_lacking(), {"of": node_id}):
        if matches(row.labels, row.node_selector):
            is_unassigned = row.older or ((row.taken_off or row.forgotten) and not row.rolling)
        else:
            is_unassigned = (row.release_id is not None or row.forgotten) and not row.rolling
        if is_unassigned:
            found.append(Behind(row.project, None, None))
        elif row.failed:
            found.append(Behind(row.project, row.tries, row.end_time))
    return found


@cache
def _lacking() -> Prepared:
    # What a rollout that failed has left on nodes stays as it is until somebody says where to.
    is_wanted = or_(_a.c.deployment_id == "", _a.c.release_id.is_not_distinct_from(_e.c.live_release_id))
    failed = and_(
        _act.c.status == literal(ActivationStatus.FAILED.value), _act.c.tries < MOST_TRIES, is_wanted
    )
    selective = cast(_e.c.node_selector, String) != "{}"
    rolling = (
        select(_d.c.id)
        .where(
            _d.c.project == _e.c.project,
            _d.c.environment == _e.c.environment,
            _d.c.status.in_([literal(status.value) for status in sorted(ROLLING)]),
        )
        .exists()
    )
    statement = (
        select(
            _e.c.project,
            _e.c.node_selector,
            _n.c.labels,
            _older().label("older"),
            _taken_off().label("taken_off"),
            _forgotten().label("forgotten"),
            _a.c.release_id,
            rolling.label("rolling"),
            failed.label("failed"),
            _act.c.tries,
            _act.c.end_time,
        )
        .select_from(_e)
        .join(_n, _n.c.environment == _e.c.environment)
        .outerjoin(
            _a,
            and_(
                _a.c.node_id == _n.c.id,
                _a.c.environment == _e.c.environment,
                _a.c.project == _e.c.project,
            ),
        )
        .outerjoin(
            _act,
            and_(
                _act.c.node_id == _a.c.node_id,
                _act.c.environment == _a.c.environment,
                _act.c.project == _a.c.project,
                _act.c.generation == _a.c.generation,
            ),
        )
        .where(
            _n.c.id == bindparam("of"),
            _n.c.cordon_reason == "",
            or_(_older(), _taken_off(), _forgotten(), failed, and_(selective, _a.c.release_id.is_not(None))),
        )
        .order_by(_e.c.project)
    )
    return Prepared(statement, is_long=True)


class Assigned(NamedTuple):
    """What a node is assigned of a project, against what is live."""

    generation: int
    release_id: int | None
    is_older: bool
    was_taken_off: bool


async def assigned_to(transaction: Transaction, node: Node, project: str) -> Assigned | None:
    """What a node is assigned of a project; None where it never was anything."""
    row = await transaction.one(
        select(
            _a.c.generation,
            _a.c.release_id,
            _older().label("is_older"),
            _taken_off().label("was_taken_off"),
        )
        .join_from(_a, _e, and_(_e.c.project == _a.c.project, _e.c.environment == _a.c.environment))
        .where(_a.c.node_id == node.id, _a.c.environment == node.environment, _a.c.project == project)
    )
    return Assigned(row.generation, row.release_id, row.is_older, row.was_taken_off) if row else None


async def is_forgotten(transaction: Transaction, node: Node, project: str) -> bool:
    """Whether a node was assigned something of a project before, of which it is assigned nothing now."""
    row = await transaction.one(
        select(_act.c.node_id)
        .where(_act.c.node_id == node.id, _act.c.environment == node.environment, _act.c.project == project)
        .limit(1)
    )
    return row is not None


async def is_rolling(transaction: Transaction, node: Node, project: str) -> bool:
    """Whether a rollout of a project is under way where the node is."""
    row = await transaction.one(
        select(_d.c.id).where(
            _d.c.project == project, _d.c.environment == node.environment, _d.c.status.in_(ROLLING)
        )
    )
    return row is not None


def _older() -> ColumnElement[bool]:
    """Whether what is live came after what a node is assigned, if anything."""
    return and_(
        func.coalesce(_a.c.generation, 0) < _e.c.live_generation,
        # Nothing is to be taken off a node that has nothing.
        or_(_a.c.node_id.is_not(None), _e.c.live_release_id.is_not(None)),
    )


def _taken_off() -> ColumnElement[bool]:
    """Whether a node is assigned nothing because it did not match: no deployment has assigned that."""
    return and_(
        _a.c.node_id.is_not(None),
        _a.c.release_id.is_(None),
        _a.c.deployment_id == "",
        _e.c.live_release_id.is_not(None),
    )


def _forgotten() -> ColumnElement[bool]:
    """Whether a node is assigned nothing, and was before: it was removed, and has kept what it had."""
    before = select(_act.c.node_id).where(
        _act.c.node_id == _n.c.id,
        _act.c.environment == _e.c.environment,
        _act.c.project == _e.c.project,
    )
    return and_(_a.c.node_id.is_(None), before.correlate(_n, _e).exists())

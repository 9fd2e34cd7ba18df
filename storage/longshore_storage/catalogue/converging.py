"""How a node comes to what is live by itself: one that joined, was away, or failed.

What is live is the live row's; a node that is assigned something older, or nothing, assigns it to itself.
What it failed at is tried again a bounded number of times, with a pause that doubles, once nobody drives a
rollout there. A node that has obeyed a higher generation than the database knows, which was restored from a
backup then, raises it. None of it writes an event: the deployments have ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update

from . import tables
from .assignments import assign
from .catalogue import Transaction
from .journal import record_audit
from .lifecycle import ROLLING, ActivationStatus
from .nodes import get_node
from .projects import lock_live, lock_project, next_generation, raise_generation
from .releases import get_release
from .rows import Actor, Node

_a, _act = tables.assignment, tables.activation
_d, _e, _n = tables.deployment, tables.project_environment, tables.node

MOST_TRIES: Final = 6
_FIRST_PAUSE: Final = timedelta(minutes=1)


class Behind(NamedTuple):
    """A project of which a node has not what is live; ``tries`` is None where it was never assigned."""

    project: str
    tries: int | None
    end_time: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to do something about it."""
        if self.tries is None or self.end_time is None:
            return True
        return bool(self.end_time + _FIRST_PAUSE * 2**self.tries <= now)


async def behind(transaction: Transaction, node_id: str) -> Sequence[Behind]:
    """Every project of which a node has not what is live in its environment; nothing while it is cordoned."""
    older = and_(
        func.coalesce(_a.c.generation, 0) < _e.c.live_generation,
        # Nothing is to be taken off a node that has nothing.
        or_(_a.c.node_id.is_not(None), _e.c.live_release_id.is_not(None)),
    )
    failed = and_(_act.c.status == ActivationStatus.FAILED, _act.c.tries < MOST_TRIES)
    rows = await transaction.all(
        select(_e.c.project, older.label("older"), _act.c.tries, _act.c.end_time)
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
        .where(_n.c.id == node_id, _n.c.cordon_reason == "", or_(older, failed))
        .order_by(_e.c.project)
    )
    return [
        Behind(row.project, None, None) if row.older else Behind(row.project, row.tries, row.end_time)
        for row in rows
    ]


async def catch_up(transaction: Transaction, node_id: str, project: str, actor: Actor) -> bool:
    """Assign to a node what is live, or let it try once more; False when somebody else saw to it."""
    node = await get_node(transaction, node_id)
    if node is None or node.cordon_reason:
        return False
    live = await lock_live(transaction, project, node.environment)
    assigned = await _generation_of(transaction, node, project)
    release = await get_release(transaction, live.live_release_id) if live.live_release_id else None
    if assigned >= live.live_generation:
        # Whoever drives a rollout sees to its nodes.
        if not assigned or await _is_rolling(transaction, node, project):
            return False
        return await _try_again(transaction, node, project, assigned)
    if not assigned and release is None:
        return False
    # One that was forgotten and came back has been there before.
    await transaction.execute(delete(_act).where(*_at(node, project, live.live_generation)))
    await assign(
        transaction,
        [node],
        project=project,
        environment=node.environment,
        release=release,
        generation=live.live_generation,
        deployment_id="",
    )
    await record_audit(
        transaction,
        actor,
        "node.caught_up",
        project=project,
        environment=node.environment,
        version=release.version if release else "",
        message=f"{node.name} had {f'generation {assigned}' if assigned else 'nothing'}, live is generation "
        f"{live.live_generation}",
    )
    return True


async def ahead(transaction: Transaction, node_id: str, own: Mapping[str, int]) -> Sequence[str]:
    """Of these projects with the generations that a node has obeyed, those of which the database is behind.

    It was restored from a backup. A project that it does not know is left as it is.
    """
    p = tables.project
    rows = await transaction.all(
        select(
            p.c.name,
            func.coalesce(_a.c.generation, 0).label("assigned"),
            func.coalesce(_e.c.live_generation, 0).label("live"),
        )
        .select_from(p)
        .join(_n, _n.c.id == node_id)
        .outerjoin(_e, and_(_e.c.project == p.c.name, _e.c.environment == _n.c.environment))
        .outerjoin(
            _a,
            and_(
                _a.c.node_id == _n.c.id,
                _a.c.environment == _n.c.environment,
                _a.c.project == p.c.name,
            ),
        )
        .where(p.c.name.in_(own))
        .order_by(p.c.name)
    )
    return [row.name for row in rows if own[row.name] > max(row.assigned, row.live)]


async def raise_past(transaction: Transaction, node_id: str, project: str, own: int, actor: Actor) -> None:
    """Raise a place's generation past ``own``, and assign what is live to the node anew.

    Where a rollout is under way, whoever drives it sees the raise, and assigns anew.
    """
    node = await get_node(transaction, node_id)
    if node is None or await lock_project(transaction, project) is None:
        return
    live = await lock_live(transaction, project, node.environment)
    if await _generation_of(transaction, node, project) > own:
        return
    if live.generation < own:
        live = await raise_generation(transaction, live, own)
        await record_audit(
            transaction,
            actor,
            "node.ahead",
            project=project,
            environment=node.environment,
            message=f"{node.name} has obeyed generation {own}: the database is older, it was restored",
        )
    if await _is_rolling(transaction, node, project):
        return
    release = await get_release(transaction, live.live_release_id) if live.live_release_id else None
    await assign(
        transaction,
        [node],
        project=project,
        environment=node.environment,
        release=release,
        generation=await next_generation(transaction, live),
        deployment_id="",
    )


async def _generation_of(transaction: Transaction, node: Node, project: str) -> int:
    """What a node is assigned; 0 where it is nothing."""
    row = await transaction.one(
        select(_a.c.generation).where(
            _a.c.node_id == node.id, _a.c.environment == node.environment, _a.c.project == project
        )
    )
    return row.generation if row is not None else 0


async def _is_rolling(transaction: Transaction, node: Node, project: str) -> bool:
    row = await transaction.one(
        select(_d.c.id).where(
            _d.c.project == project, _d.c.environment == node.environment, _d.c.status.in_(ROLLING)
        )
    )
    return row is not None


async def _try_again(transaction: Transaction, node: Node, project: str, generation: int) -> bool:
    return bool(
        await transaction.changed(
            update(_act)
            .where(
                *_at(node, project, generation),
                _act.c.status == ActivationStatus.FAILED,
                _act.c.tries < MOST_TRIES,
            )
            .values(
                status=ActivationStatus.PENDING,
                tries=_act.c.tries + 1,
                end_time=None,
                report_time=await transaction.now(),
            )
        )
    )


def _at(node: Node, project: str, generation: int) -> tuple[ColumnElement[bool], ...]:
    return (
        _act.c.node_id == node.id,
        _act.c.environment == node.environment,
        _act.c.project == project,
        _act.c.generation == generation,
    )

"""How a node comes to what it should have by itself: one that joined, was away, or failed.

What is live is the live row's; a node that is assigned something older, or nothing, assigns it to itself.
Where it does not match the project's selector (any more), it assigns itself nothing, and what is live again
when it does, but not while a rollout is under way: who drives that sees to its nodes. What it failed at is
tried again a bounded number of times, with a pause that doubles. A node that has obeyed a higher generation
than the database knows, which was restored from a backup then, raises it. None of it writes an event: the
deployments have ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)

from . import tables
from .assignments import assign
from .catalogue import Transaction
from .journal import record_audit
from .lifecycle import ROLLING, ActivationStatus
from .nodes import get_node, matches
from .prepared import Prepared
from .projects import lock_live, lock_project, next_generation, raise_generation
from .releases import get_release
from .rows import Actor, Live, Node, Release

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
            is_unassigned = row.older or (row.taken_off and not row.rolling)
        else:
            is_unassigned = row.release_id is not None and not row.rolling
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
            or_(_older(), _taken_off(), failed, and_(selective, _a.c.release_id.is_not(None))),
        )
        .order_by(_e.c.project)
    )
    return Prepared(statement, is_long=True)


async def catch_up(transaction: Transaction, node_id: str, project: str, actor: Actor) -> bool:
    """Assign to a node what it should have, or let it try once more; False when somebody else saw to it."""
    node = await get_node(transaction, node_id)
    if node is None or node.cordon_reason:
        return False
    live = await lock_live(transaction, project, node.environment)
    assigned = await _assigned(transaction, node, project)
    is_rolling = await _is_rolling(transaction, node, project)
    if not matches(node.labels, live.node_selector):
        if assigned is not None and assigned.release_id is not None and not is_rolling:
            await _take_off(transaction, node, live, actor)
            return True
    elif assigned is None or assigned.is_older or (assigned.was_taken_off and not is_rolling):
        return await _give_what_is_live(transaction, node, live, assigned, actor)
    # Whoever drives a rollout sees to its nodes.
    if assigned is None or is_rolling:
        return False
    return await _try_again(transaction, node, project, assigned.generation, actor)


async def _give_what_is_live(
    transaction: Transaction, node: Node, live: Live, assigned: _Assigned | None, actor: Actor
) -> bool:
    release = await get_release(transaction, live.live_release_id) if live.live_release_id else None
    if assigned is None and release is None:
        return False
    generation = live.live_generation
    if assigned is not None and assigned.generation >= generation:
        generation = await next_generation(transaction, live)
    # One that was forgotten and came back has been there before.
    await transaction.execute(delete(_act).where(*_at(node, live.project, generation)))
    await _assign(transaction, node, live, release, generation)
    had = f"generation {assigned.generation}" if assigned else "nothing"
    await record_audit(
        transaction,
        actor,
        "node.caught_up",
        project=live.project,
        environment=live.environment,
        version=release.version if release else "",
        message=f"{node.name} had {had}, live is generation {live.live_generation}",
    )
    return True


async def _take_off(transaction: Transaction, node: Node, live: Live, actor: Actor) -> None:
    await _assign(transaction, node, live, None, await next_generation(transaction, live))
    wanted = ", ".join(f"{key}={value}" for key, value in sorted(live.node_selector.items()))
    await record_audit(
        transaction,
        actor,
        "node.taken_off",
        project=live.project,
        environment=live.environment,
        message=f"{node.name} does not match the project's selector, {wanted}",
    )


async def _assign(
    transaction: Transaction, node: Node, live: Live, release: Release | None, generation: int
) -> None:
    await assign(
        transaction,
        [node],
        project=live.project,
        environment=live.environment,
        release=release,
        generation=generation,
        deployment_id="",
    )


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
    assigned = await _assigned(transaction, node, project)
    if assigned is not None and assigned.generation > own:
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
    release = None
    if live.live_release_id and matches(node.labels, live.node_selector):
        release = await get_release(transaction, live.live_release_id)
    await _assign(transaction, node, live, release, await next_generation(transaction, live))


class _Assigned(NamedTuple):
    """What a node is assigned of a project, against what is live."""

    generation: int
    release_id: int | None
    is_older: bool
    was_taken_off: bool


async def _assigned(transaction: Transaction, node: Node, project: str) -> _Assigned | None:
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
    return _Assigned(row.generation, row.release_id, row.is_older, row.was_taken_off) if row else None


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


async def _is_rolling(transaction: Transaction, node: Node, project: str) -> bool:
    row = await transaction.one(
        select(_d.c.id).where(
            _d.c.project == project, _d.c.environment == node.environment, _d.c.status.in_(ROLLING)
        )
    )
    return row is not None


async def _try_again(
    transaction: Transaction, node: Node, project: str, generation: int, actor: Actor
) -> bool:
    row = await transaction.one(
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
        .returning(_act.c.version, _act.c.tries, _act.c.message)
    )
    if row is None:
        return False
    await record_audit(
        transaction,
        actor,
        "node.tried_again",
        project=project,
        environment=node.environment,
        version=row.version,
        message=f"{node.name} had failed (try {row.tries} of {MOST_TRIES}): {row.message}",
    )
    return True


def _at(node: Node, project: str, generation: int) -> tuple[ColumnElement[bool], ...]:
    return (
        _act.c.node_id == node.id,
        _act.c.environment == node.environment,
        _act.c.project == project,
        _act.c.generation == generation,
    )

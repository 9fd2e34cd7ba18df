"""A database restored from a backup knows less than nodes have obeyed: they raise its generations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import and_, func, select

from . import tables
from .assignments import assign_by_itself
from .audit_trail import record_audit
from .catalogue import Transaction
from .lacking import assigned_to, is_rolling
from .nodes import get_node, matches
from .projects import lock_live, lock_project, next_generation, raise_generation
from .releases import get_release
from .rows import Actor

_a, _e, _n = tables.assignment, tables.project_environment, tables.node


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
    assigned = await assigned_to(transaction, node, project)
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
    if await is_rolling(transaction, node, project):
        return
    release = None
    if live.live_release_id and matches(node.labels, live.node_selector):
        release = await get_release(transaction, live.live_release_id)
    await assign_by_itself(transaction, node, live, release, await next_generation(transaction, live))

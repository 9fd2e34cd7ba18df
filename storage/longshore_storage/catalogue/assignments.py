"""Assignments: what nodes should have of a project, and the pending activations that come with them.

The generation guards them: a node obeys, and stores, only a higher one than it has.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import and_, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql

from . import tables
from .activations import is_open
from .catalogue import Transaction
from .lifecycle import ActivationStatus
from .prepared import Prepared, PreparedForSome
from .rows import Assignment, Live, Node, Release, RolloutNode

_a = tables.assignment
_act = tables.activation
_d = tables.deployment
_NODES_A_STATEMENT: Final = 500
_ASSIGNMENT_COLUMNS = [column for column in _a.c if column.name != "assign_time"]
_new = postgresql.insert(_a)
# Of the two dialects that have it, SQLite's compiler takes PostgreSQL's construct, too.
_SET_ASSIGNED = Prepared(
    _new.on_conflict_do_update(
        index_elements=list(_a.primary_key),
        set_={column.name: _new.excluded[column.name] for column in _a.c if not column.primary_key},
        where=_a.c.generation < _new.excluded.generation,
    ),
    _a.c.keys(),
)
_SUPERSEDE = PreparedForSome(
    lambda node_ids: (
        update(_act)
        .where(
            _act.c.node_id.in_(node_ids),
            _act.c.environment == bindparam("of_environment"),
            _act.c.project == bindparam("of_project"),
            _act.c.generation < bindparam("below"),
            is_open,
        )
        .values(status=ActivationStatus.SUPERSEDED.value, end_time=bindparam("now"))
    )
)
_INSERT_ACTIVATION = Prepared(
    insert(_act).values(status=ActivationStatus.PENDING.value),
    (
        "node_id",
        "environment",
        "project",
        "generation",
        "node_name",
        "deployment_id",
        "release_id",
        "version",
        "total_bytes",
        "report_time",
    ),
)
_DUE = Prepared(
    select(
        *_ASSIGNMENT_COLUMNS,
        func.coalesce(_d.c.request_id, "").label("request_id"),
        func.coalesce(_d.c.trace_context, "").label("trace_context"),
    )
    .join(
        _act,
        and_(
            _act.c.node_id == _a.c.node_id,
            _act.c.environment == _a.c.environment,
            _act.c.project == _a.c.project,
            _act.c.generation == _a.c.generation,
        ),
    )
    .join(_d, _d.c.id == _a.c.deployment_id, isouter=True)
    .where(_a.c.node_id == bindparam("of"), is_open)
    .order_by(_a.c.assign_time)
)


async def assign(
    transaction: Transaction,
    nodes: Collection[Node | RolloutNode],
    *,
    project: str,
    environment: str,
    release: Release | None,
    generation: int,
    deployment_id: str,
) -> None:
    """Assign a release (or nothing) to nodes and write down their pending activations.

    The caller holds the live row's lock, under which ``generation`` was handed out. However many nodes there
    are, the database is asked three times for each 500 of them.
    """
    now = await transaction.now()
    names = {node.id: node.name for node in nodes}
    every_id = sorted(names)
    for begin in range(0, len(every_id), _NODES_A_STATEMENT):
        ids = every_id[begin : begin + _NODES_A_STATEMENT]
        await transaction.execute(
            _SET_ASSIGNED,
            [
                {
                    "node_id": node_id,
                    "environment": environment,
                    "project": project,
                    "release_id": release.id if release else None,
                    "generation": generation,
                    "deployment_id": deployment_id,
                    "assign_time": now,
                }
                for node_id in ids
            ],
        )
        statement, listed = _SUPERSEDE.of(ids)
        of = {"of_environment": environment, "of_project": project}
        await transaction.execute(statement, {**of, "below": generation, "now": now, **listed})
        await transaction.execute(
            _INSERT_ACTIVATION,
            [
                {
                    "node_id": node_id,
                    "environment": environment,
                    "project": project,
                    "generation": generation,
                    "node_name": names[node_id],
                    "deployment_id": deployment_id,
                    "release_id": release.id if release else None,
                    "version": release.version if release else "",
                    "total_bytes": release.payload_size_bytes if release else 0,
                    "report_time": now,
                }
                for node_id in ids
            ],
        )


async def assign_by_itself(
    transaction: Transaction, node: Node, live: Live, release: Release | None, generation: int
) -> None:
    """Assign to one node what it sees to without a deployment; like ``assign`` otherwise."""
    await assign(
        transaction,
        [node],
        project=live.project,
        environment=live.environment,
        release=release,
        generation=generation,
        deployment_id="",
    )


async def due_assignments(transaction: Transaction, node_id: str) -> Sequence[Assignment]:
    """What one node should have and has not ended its activation of."""
    rows = await transaction.all(_DUE, {"of": node_id})
    return [Assignment.of(row) for row in rows]


async def assigned_releases(
    transaction: Transaction, project: str, environment: str
) -> Sequence[tuple[str, int | None]]:
    """Which release each node is assigned of a project."""
    rows = await transaction.all(
        select(_a.c.node_id, _a.c.release_id).where(_a.c.project == project, _a.c.environment == environment)
    )
    return [(row.node_id, row.release_id) for row in rows]


async def are_kept_on_another(transaction: Transaction, live: Live) -> bool:
    """Whether nodes have stayed on what a rollout that failed assigned them, and not on what is live."""
    row = await transaction.one(
        select(_a.c.node_id)
        .where(
            _a.c.project == live.project,
            _a.c.environment == live.environment,
            _a.c.generation > live.live_generation,
            # What nodes assigned themselves names none.
            _a.c.deployment_id != "",
            _a.c.release_id.is_distinct_from(live.live_release_id),
        )
        .limit(1)
    )
    return row is not None

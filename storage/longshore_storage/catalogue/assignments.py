"""Assignments (what a node should have) and activations (what it did about them).

The generation guards both: a node obeys, reports and stores only its assignment's. ``begin_switch`` holds
the assignment's row while it looks, so that a batch with a higher generation either comes before the
switch, which then does not happen, or after it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, insert, select, tuple_, update

from . import tables
from .catalogue import Transaction
from .lifecycle import ACTIVATION_TERMINAL, ActivationStatus
from .projects import insert_if_absent
from .rows import Activation, Assignment, Node, Release

_a = tables.assignment
_act = tables.activation
_d = tables.deployment
_ASSIGNMENT_COLUMNS = [column for column in _a.c if column.name != "assign_time"]


class Place(NamedTuple):
    """One node's share of one generation: the key of an activation."""

    node_id: str
    environment: str
    project: str
    generation: int


def place_of(row: Activation | Assignment) -> Place:
    """The key that a row has, or will have."""
    return Place(row.node_id, row.environment, row.project, row.generation)


async def assign(
    transaction: Transaction,
    nodes: Collection[Node | Activation],
    *,
    project: str,
    environment: str,
    release: Release | None,
    generation: int,
    deployment_id: str,
) -> None:
    """Assign a release (or nothing) to nodes and write down their pending activations.

    The caller holds the live row's lock, under which ``generation`` was handed out.
    """
    now = await transaction.now()
    for node in nodes:
        node_id, node_name = (
            (node.id, node.name) if isinstance(node, Node) else (node.node_id, node.node_name)
        )
        key = {"node_id": node_id, "environment": environment, "project": project}
        values = {
            "release_id": release.id if release else None,
            "generation": generation,
            "deployment_id": deployment_id,
            "assign_time": now,
        }
        await insert_if_absent(transaction, _a, **key, **values)
        await transaction.execute(
            update(_a)
            .where(*(_a.c[name] == value for name, value in key.items()), _a.c.generation < generation)
            .values(**values)
        )
        await transaction.execute(
            update(_act)
            .where(
                *(_act.c[name] == value for name, value in key.items()),
                _act.c.generation < generation,
                _act.c.status.not_in(ACTIVATION_TERMINAL),
            )
            .values(status=ActivationStatus.SUPERSEDED, end_time=now)
        )
        await transaction.execute(
            insert(_act).values(
                **key,
                generation=generation,
                node_name=node_name,
                deployment_id=deployment_id,
                release_id=release.id if release else None,
                version=release.version if release else "",
                total_bytes=release.payload_size_bytes if release else 0,
                status=ActivationStatus.PENDING,
                report_time=now,
            )
        )


async def due_assignments(transaction: Transaction, node_id: str) -> Sequence[Assignment]:
    """What one node should have and has not ended its activation of."""
    rows = await transaction.all(
        select(*_ASSIGNMENT_COLUMNS, func.coalesce(_d.c.request_id, "").label("request_id"))
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
        .where(_a.c.node_id == node_id, _act.c.status.not_in(ACTIVATION_TERMINAL))
        .order_by(_a.c.assign_time)
    )
    return [Assignment.of(row) for row in rows]


async def assigned_releases(
    transaction: Transaction, project: str, environment: str
) -> Sequence[tuple[str, int | None]]:
    """Which release each node is assigned of a project."""
    rows = await transaction.all(
        select(_a.c.node_id, _a.c.release_id).where(_a.c.project == project, _a.c.environment == environment)
    )
    return [(row.node_id, row.release_id) for row in rows]


async def report(
    transaction: Transaction, place: Place, *, expected: Collection[ActivationStatus], **values: Any
) -> bool:
    """Set columns of an activation that is in one of ``expected``; False when it is not (any more)."""
    return bool(
        await transaction.changed(
            update(_act)
            .where(_is(place), _act.c.status.in_(expected))
            .values(report_time=await transaction.now(), **values)
        )
    )


async def begin_switch(transaction: Transaction, place: Place, **values: Any) -> bool:
    """Set SWITCHING, and columns, if the assignment still has this generation; False: do not switch."""
    assigned = await transaction.one(
        select(_a.c.generation)
        .where(
            _a.c.node_id == place.node_id,
            _a.c.environment == place.environment,
            _a.c.project == place.project,
        )
        .with_for_update(key_share=True)
    )
    if assigned is None or assigned.generation != place.generation:
        return False
    return await report(
        transaction,
        place,
        expected=(ActivationStatus.PENDING, ActivationStatus.FETCHING, ActivationStatus.SWITCHING),
        status=ActivationStatus.SWITCHING,
        **values,
    )


async def give_up_silent(transaction: Transaction, silent: Collection[Activation], *, message: str) -> None:
    """Set FAILED on nodes that reported nothing for too long, unless they did meanwhile."""
    now = await transaction.now()
    for activation in silent:
        await transaction.execute(
            update(_act)
            .where(
                _is(place_of(activation)),
                _act.c.status.not_in(ACTIVATION_TERMINAL),
                _act.c.report_time == activation.report_time,
            )
            .values(status=ActivationStatus.FAILED, message=message, end_time=now)
        )


async def get_activation(transaction: Transaction, place: Place) -> Activation | None:
    """Read one activation."""
    row = await transaction.one(select(_act).where(_is(place)))
    return Activation.of(row) if row else None


async def activations_of_generation(
    transaction: Transaction, project: str, environment: str, generation: int
) -> Sequence[Activation]:
    """Every node's activation of one generation."""
    rows = await transaction.all(
        select(_act)
        .where(
            _act.c.project == project,
            _act.c.environment == environment,
            _act.c.generation == generation,
        )
        .order_by(_act.c.node_name)
    )
    return [Activation.of(row) for row in rows]


async def mark_told(transaction: Transaction, activations: Collection[Activation]) -> None:
    """Note which statuses the deployment's events have told."""
    for activation in activations:
        await transaction.execute(
            update(_act).where(_is(place_of(activation))).values(told_status=activation.status)
        )


async def list_activations(
    transaction: Transaction, deployment_id: str, *, after: tuple[str, int] | None, limit: int
) -> Sequence[Activation]:
    """A page of a deployment's activations by (node name, generation)."""
    statement = (
        select(_act)
        .where(_act.c.deployment_id == deployment_id)
        .order_by(_act.c.node_name, _act.c.generation)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(tuple_(_act.c.node_name, _act.c.generation) > tuple_(*after))
    return [Activation.of(row) for row in await transaction.all(statement)]


async def activations_at_work(
    transaction: Transaction, deployment_id: str, *, limit: int
) -> Sequence[Activation]:
    """What nodes are at work on for a deployment, those with the most left to do first."""
    rows = await transaction.all(
        select(_act)
        .where(
            _act.c.deployment_id == deployment_id,
            _act.c.status.in_((ActivationStatus.FETCHING, ActivationStatus.SWITCHING)),
        )
        .order_by((_act.c.total_bytes - _act.c.installed_bytes).desc(), _act.c.node_name)
        .limit(limit)
    )
    return [Activation.of(row) for row in rows]


def _is(place: Place) -> ColumnElement[bool]:
    return and_(
        _act.c.node_id == place.node_id,
        _act.c.environment == place.environment,
        _act.c.project == place.project,
        _act.c.generation == place.generation,
    )

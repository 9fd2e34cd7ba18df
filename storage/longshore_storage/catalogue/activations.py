"""Activations: what nodes did about their assignments, written by them and told by controllers.

The generation guards them: a node reports only on its assignment's. ``begin_switch`` holds the assignment's
row while it looks, so that a batch with a higher generation either comes before the switch, which then does
not happen, or after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, literal, or_, select, tuple_, update

from . import tables
from .catalogue import Transaction
from .lifecycle import ACTIVATION_TERMINAL, ActivationStatus
from .prepared import Prepared, PreparedForSome
from .rows import Activation, Assignment
from .scopes import EVERYTHING, Scope, within

_act = tables.activation
_a = tables.assignment
_KEY = ("node", "environment", "project", "generation")
_is_place = and_(
    _act.c.node_id == bindparam("of_node"),
    _act.c.environment == bindparam("of_environment"),
    _act.c.project == bindparam("of_project"),
    _act.c.generation == bindparam("of_generation"),
)
is_open = _act.c.status.not_in([literal(status.value) for status in sorted(ACTIVATION_TERMINAL)])
_LOCK = Prepared(
    select(_a.c.generation)
    .where(
        _a.c.node_id == bindparam("of_node"),
        _a.c.environment == bindparam("of_environment"),
        _a.c.project == bindparam("of_project"),
    )
    .with_for_update(key_share=True)
)
_MARK_TOLD = PreparedForSome(
    lambda node_ids: (
        update(_act)
        .where(
            _act.c.node_id.in_(node_ids),
            _act.c.environment == bindparam("of_environment"),
            _act.c.project == bindparam("of_project"),
            _act.c.generation == bindparam("of_generation"),
        )
        .values(told_status=bindparam("told"))
    )
)
_AT_WORK = Prepared(
    select(_act)
    .where(
        _act.c.deployment_id == bindparam("of"),
        _act.c.status.in_(
            [literal(ActivationStatus.FETCHING.value), literal(ActivationStatus.SWITCHING.value)]
        ),
    )
    .order_by((_act.c.total_bytes - _act.c.installed_bytes).desc(), _act.c.node_name)
    .limit(bindparam("most"))
)


class Place(NamedTuple):
    """One node's share of one generation: the key of an activation."""

    node_id: str
    environment: str
    project: str
    generation: int


def place_of(row: Activation | Assignment) -> Place:
    """The key that a row has, or will have."""
    return Place(row.node_id, row.environment, row.project, row.generation)


async def report(
    transaction: Transaction, place: Place, *, expected: Collection[ActivationStatus], **values: Any
) -> bool:
    """Set columns of an activation that is in one of ``expected``; False when it is not (any more)."""
    return bool(
        await transaction.changed(
            _reporting(frozenset(expected), frozenset(values)),
            {"report_time": await transaction.now(), **values, **_key(place)},
        )
    )


@cache
def _reporting(expected: Collection[ActivationStatus], columns: Collection[str]) -> Prepared:
    stands = _act.c.status.in_([literal(status.value) for status in sorted(expected)])
    names = ("report_time", *sorted(columns))
    return Prepared(update(_act).where(_is_place, stands).values(**{name: bindparam(name) for name in names}))


async def begin_switch(transaction: Transaction, place: Place, **values: Any) -> bool:
    """Set SWITCHING, and columns, if the assignment still has this generation; False: do not switch."""
    assigned = await transaction.one(_LOCK, _key(place))
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
                stands_at(place_of(activation)),
                _act.c.status.not_in(ACTIVATION_TERMINAL),
                _act.c.report_time == activation.report_time,
            )
            .values(status=ActivationStatus.FAILED, message=message, end_time=now)
        )


async def get_activation(transaction: Transaction, place: Place) -> Activation | None:
    """Read one activation."""
    row = await transaction.one(select(_act).where(stands_at(place)))
    return Activation.of(row) if row else None


async def mark_told(transaction: Transaction, activations: Collection[Activation]) -> None:
    """Note which statuses the deployment's events have told: a statement for each status and generation."""
    together: dict[tuple[str, str, int, ActivationStatus], list[str]] = defaultdict(list)
    for one in activations:
        together[one.environment, one.project, one.generation, one.status].append(one.node_id)
    for (environment, project, generation, status), node_ids in together.items():
        statement, listed = _MARK_TOLD.of(node_ids)
        of = {"of_environment": environment, "of_project": project, "of_generation": generation}
        await transaction.execute(statement, {**of, "told": status, **listed})


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


async def list_activations_of_node(
    transaction: Transaction,
    node_id: str,
    *,
    scopes: Collection[Scope] = EVERYTHING,
    after: tuple[str, int] | None,
    limit: int,
) -> Sequence[Activation]:
    """A page of what a node did, by (project, generation), its newest first; of what is in ``scopes``."""
    statement = (
        select(_act)
        .where(_act.c.node_id == node_id, within(scopes, _act.c.project, _act.c.environment))
        .order_by(_act.c.project, _act.c.generation.desc())
        .limit(limit)
    )
    if after is not None:
        project, generation = after
        same = and_(_act.c.project == project, _act.c.generation < generation)
        statement = statement.where(or_(_act.c.project > project, same))
    return [Activation.of(row) for row in await transaction.all(statement)]


async def activations_at_work(
    transaction: Transaction, deployment_id: str, *, limit: int
) -> Sequence[Activation]:
    """What nodes are at work on for a deployment, those with the most left to do first."""
    rows = await transaction.all(_AT_WORK, {"of": deployment_id, "most": limit})
    return [Activation.of(row) for row in rows]


def _key(place: Place) -> dict[str, object]:
    return {f"of_{name}": value for name, value in zip(_KEY, place, strict=True)}


def stands_at(place: Place) -> ColumnElement[bool]:
    """Whether an activation is that of ``place``."""
    return and_(
        _act.c.node_id == place.node_id,
        _act.c.environment == place.environment,
        _act.c.project == place.project,
        _act.c.generation == place.generation,
    )

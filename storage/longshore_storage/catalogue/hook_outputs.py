"""What the hooks and checks of activations put out: written by the node that runs them, told by controllers.

A row is one run of one hook. The node writes how far it is and how it ended, the rollout's owner how much
of that events have told; neither touches the other's columns.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, or_, select, update

from . import tables
from .activations import Place
from .catalogue import Transaction
from .prepared import Prepared
from .rows import HookRun

_h = tables.hook_output
# Of each project a node's rows stay for so many generations; what events have told stays with them.
_KEPT_GENERATIONS = 10
_UNTOLD = Prepared(
    select(_h)
    .where(
        _h.c.deployment_id == bindparam("of"),
        or_(_h.c.line_count > _h.c.told_lines, _h.c.ended != _h.c.told_ended),
    )
    .order_by(_h.c.node_name, _h.c.generation, _h.c.number)
    .limit(bindparam("most"))
)


class HookKind(StrEnum):
    """When in an activation it is run."""

    BEFORE_SWITCH = "BEFORE_SWITCH"
    RESTART = "RESTART"
    AFTER_SWITCH = "AFTER_SWITCH"
    CHECK = "CHECK"


async def next_number(transaction: Transaction, place: Place, *, broken_off: str) -> int:
    """The number of the activation's next run.

    Runs that a crash left without an end get ``broken_off`` for one; rows of old generations go.
    """
    await transaction.execute(
        update(_h).where(_of(place), _h.c.ended.is_(False)).values(ended=True, outcome=broken_off)
    )
    await transaction.execute(
        delete(_h).where(
            _h.c.node_id == place.node_id,
            _h.c.environment == place.environment,
            _h.c.project == place.project,
            _h.c.generation <= place.generation - _KEPT_GENERATIONS,
        )
    )
    row = await transaction.one(select(func.max(_h.c.number)).where(_of(place)))
    return (row[0] or 0) + 1 if row is not None else 1


async def write(
    transaction: Transaction, place: Place, number: int, *, begun: dict[str, Any], **values: Any
) -> None:
    """Set how far a run is; ``begun`` are the columns that never change, for its first time."""
    changed = await transaction.changed(update(_h).where(_of(place), _h.c.number == number).values(**values))
    if not changed:
        await transaction.execute(
            insert(_h).values(
                **place._asdict(), number=number, told_lines=-1, told_ended=False, **begun, **values
            )
        )


async def untold(transaction: Transaction, deployment_id: str, *, limit: int) -> Sequence[HookRun]:
    """Runs of which events have not told everything yet, node by node in their order."""
    rows = await transaction.all(_UNTOLD, {"of": deployment_id, "most": limit})
    return [HookRun.of(row) for row in rows]


async def mark_told(transaction: Transaction, runs: Collection[HookRun]) -> None:
    """Note that events have told these runs as far as they are here."""
    for run in runs:
        place = Place(run.node_id, run.environment, run.project, run.generation)
        await transaction.execute(
            update(_h)
            .where(_of(place), _h.c.number == run.number)
            .values(told_lines=run.line_count, told_ended=run.ended)
        )


def _of(place: Place) -> ColumnElement[bool]:
    return and_(
        _h.c.node_id == place.node_id,
        _h.c.environment == place.environment,
        _h.c.project == place.project,
        _h.c.generation == place.generation,
    )

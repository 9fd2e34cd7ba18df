"""Lists of deployments, newest first: pages that cost the same however many there are.

Every filter has an index that gives the newest first. Times have none: numbers nearly follow them, so that
a time is turned into a number beyond which nothing can match, and the rows between are compared exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, union_all

from . import tables
from .catalogue import Transaction
from .lifecycle import UPLOADING, DeploymentKind, DeploymentStatus
from .rows import Deployment
from .scopes import EVERYTHING, Scope, within

_d = tables.deployment
Number = ColumnElement[int]

# Numbers are taken in a transaction after its time: rows whose numbers and times are in another order lie
# close together. A clock that was set back does more; what it hides from a filter by time is in every list
# without one.
_DISORDER = 1000


@dataclass(frozen=True, slots=True)
class DeploymentFilter:
    """What deployments are to be like; all of it holds, and what is empty matches everything.

    ``since`` is the first moment at which they were accepted, ``until`` the first one too late. ``scopes``
    is where whoever asks may look.
    """

    project: str = ""
    environment: str = ""
    statuses: Collection[str] = ()
    version: str = ""
    deployed_by: str = ""
    since: datetime | None = None
    until: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    scopes: Collection[Scope] = EVERYTHING


async def list_deployments(
    transaction: Transaction, asked: DeploymentFilter, *, below: int | None = None, limit: int
) -> Sequence[Deployment]:
    """A page of deployments, newest first, below the number of the page before."""
    first, last = await _bounds(transaction, asked)
    if below is not None:
        last = below - 1 if last is None else min(last, below - 1)
    statement, number = _matching(asked)
    # All that there are, which clients name, too, are no filter: each would be looked through by itself.
    statuses = sorted(asked.statuses) if set(DeploymentStatus) - set(asked.statuses) else ()
    if first is not None:
        statement = statement.where(number >= first)
    if last is not None:
        statement = statement.where(number <= last)
    newest = _newest(statement, number, statuses, limit)
    return [Deployment.of(row) for row in await transaction.all(newest)]


async def count_uploading(transaction: Transaction, principal: str, *, most: int) -> int:
    """How many deployments of a principal are neither recorded nor ended; at most ``most``."""
    # Found by their statuses, which few have, and not by the principal: he may have had a hundred thousand.
    conditions = (
        _d.c.status.in_(UPLOADING),
        (_d.c.deployed_by + "") == principal,
        _d.c.kind != DeploymentKind.VALIDATION,
    )
    found = select(_d.c.number).where(*conditions).limit(most).subquery()
    row = await transaction.one(select(func.count()).select_from(found))
    return int(row[0]) if row is not None else 0


def _matching(asked: DeploymentFilter) -> tuple[Select[Any], Number]:
    """What matches, and the number to order it by: a label's own, whose index has them in order."""
    statement = select(_d).where(_d.c.kind != DeploymentKind.VALIDATION)
    equal = {
        _d.c.project: asked.project,
        _d.c.environment: asked.environment,
        _d.c.version: asked.version,
        _d.c.deployed_by: asked.deployed_by,
    }
    for column, value in equal.items():
        if value:
            statement = statement.where(column == value)
    if asked.scopes != EVERYTHING:
        statement = statement.where(within(asked.scopes, _d.c.project, _d.c.environment))
    if asked.since is not None:
        statement = statement.where(_d.c.create_time >= asked.since)
    if asked.until is not None:
        statement = statement.where(_d.c.create_time < asked.until)
    number: Number = _d.c.number
    for key, value in asked.labels.items():
        label = tables.deployment_label.alias()
        statement = statement.join(
            label, (label.c.number == number) & (label.c.key == key) & (label.c.value == value)
        )
        number = label.c.number
    return statement, number


def _newest(statement: Select[Any], number: Number, statuses: Sequence[str], limit: int) -> Any:
    """The newest in any of the statuses: each has an index in order, all together have none."""
    newest_first = statement.order_by(number.desc()).limit(limit)
    if len(statuses) <= 1:
        return newest_first.where(_d.c.status.in_(statuses)) if statuses else newest_first
    each = [select(newest_first.where(_d.c.status == status).subquery()) for status in statuses]
    together = union_all(*each).subquery()
    return select(together).order_by(together.c.number.desc()).limit(limit)


async def _bounds(transaction: Transaction, asked: DeploymentFilter) -> tuple[int | None, int | None]:
    """The lowest and the highest number that can match the times."""
    first = last = None
    if asked.since is not None:
        after = (
            select(_d.c.number)
            .where(_d.c.create_time >= asked.since)
            .order_by(_d.c.create_time)
            .limit(_DISORDER)
            .subquery()
        )
        row = await transaction.one(select(func.min(after.c.number)))
        # None is after it: no number matches.
        first = row[0] if row is not None and row[0] is not None else 1 << 62
    if asked.until is not None:
        before = (
            select(_d.c.number)
            .where(_d.c.create_time < asked.until)
            .order_by(_d.c.create_time.desc())
            .limit(_DISORDER)
            .subquery()
        )
        row = await transaction.one(select(func.max(before.c.number)))
        last = row[0] if row is not None and row[0] is not None else 0
    return first, last

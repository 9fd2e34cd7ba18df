"""What was found in the content of deployments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, insert, select, update

from . import tables
from .catalogue import Transaction

_f = tables.finding


class FoundRow(NamedTuple):
    """One finding; ``number`` orders a deployment's, from 1. ``severity`` is INFO, WARNING or ERROR."""

    number: int
    code: str
    severity: str
    message: str
    path: str
    line: int | None


async def replace_findings(
    transaction: Transaction, deployment_id: str, found: Sequence[FoundRow], *, total: int
) -> None:
    """Keep what was found, in place of what an earlier look found; ``total`` counts what is not kept too."""
    d = tables.deployment
    await transaction.execute(delete(_f).where(_f.c.deployment_id == deployment_id))
    if found:
        rows = [{"deployment_id": deployment_id, **one._asdict()} for one in found]
        await transaction.execute(insert(_f), rows)
    await transaction.execute(update(d).where(d.c.id == deployment_id).values(total_findings=total))


async def list_findings(
    transaction: Transaction, deployment_id: str, *, after: int, limit: int
) -> Sequence[FoundRow]:
    """A page of a deployment's findings, behind the number ``after``."""
    rows = await transaction.all(
        select(_f.c.number, _f.c.code, _f.c.severity, _f.c.message, _f.c.path, _f.c.line)
        .where(_f.c.deployment_id == deployment_id, _f.c.number > after)
        .order_by(_f.c.number)
        .limit(limit)
    )
    return [FoundRow(**row._mapping) for row in rows]

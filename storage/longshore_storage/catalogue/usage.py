"""How much projects and principals use: what quotas are held against.

No count is kept: the rows are counted, the newest first and never more of them than matter.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Select, bindparam, func, select, text

from . import tables
from .catalogue import Transaction
from .lifecycle import DeploymentKind
from .prepared import Prepared

Whose = Literal["project", "principal"]

_a = tables.audit_entry
_d, _p, _r, _u = tables.deployment, tables.payload, tables.release, tables.upload


def _since(newest: Select[tuple[datetime]]) -> Prepared:
    times = newest.limit(bindparam("most")).subquery()
    counted = select(func.count().label("uploads")).select_from(times)
    return Prepared(counted.where(times.c[0] >= bindparam("since")), is_long=True)


def _uploads_since(whose: ColumnElement[str]) -> Prepared:
    of_whom = select(_d.c.create_time).where(whose == bindparam("of"), _d.c.kind == DeploymentKind.UPLOAD)
    return _since(of_whom.order_by(_d.c.number.desc()))


def _validations_since(whose: ColumnElement[str]) -> Prepared:
    # To the letter as in the indexes of these entries, which are not found otherwise.
    of_whom = select(_a.c.time).where(whose == bindparam("of"), text("action = 'validation.accepted'"))
    return _since(of_whom.order_by(_a.c.id.desc()))


_UPLOADS = {"project": _uploads_since(_d.c.project), "principal": _uploads_since(_d.c.deployed_by)}
_VALIDATIONS = {
    "project": _validations_since(_a.c.project),
    "principal": _validations_since(_a.c.principal),
}
_UNDER_WAY = Prepared(
    select(func.count().label("uploads"))
    .select_from(_u)
    .join(_d, _d.c.id == _u.c.deployment_id)
    .where(
        _d.c.deployed_by == bindparam("of"),
        _d.c.id != bindparam("beside"),
        _u.c.held,
        _u.c.heartbeat_time >= bindparam("alive_since"),
    ),
    is_long=True,
)
_stored = (
    select(_p.c.sha256, _p.c.size_bytes)
    .join(_r, _r.c.stored_payload == _p.c.sha256)
    .where(_r.c.project == bindparam("of"))
    .distinct()
    .subquery()
)
_STORED_BYTES = Prepared(select(func.sum(_stored.c.size_bytes).label("bytes")), is_long=True)


async def lock_usage(transaction: Transaction, whose: str) -> None:
    """Let whoever counts and adds the same thing do so one after the other, until the transaction ends.

    Locked before any row. SQLite has one writer anyway.
    """
    if transaction.dialect == "postgresql":
        await transaction.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(whose, 0))))


async def uploads_since(
    transaction: Transaction, whose: Whose, name: str, *, since: datetime, most: int
) -> int:
    """How many uploads of a principal, or to a project, were accepted since then; at most ``most``.

    Whatever became of them. What was only validated is no upload.
    """
    return await _count(transaction, _UPLOADS[whose], {"of": name, "since": since, "most": most})


async def validations_since(
    transaction: Transaction, whose: Whose, name: str, *, since: datetime, most: int
) -> int:
    """How many validations were, likewise: the audit trail has them, and keeps them for a day at least."""
    return await _count(transaction, _VALIDATIONS[whose], {"of": name, "since": since, "most": most})


async def uploads_under_way(
    transaction: Transaction, principal: str, *, beside: str, stale_after_s: float
) -> int:
    """How many uploads of a principal are held now, on any node, beside that of one deployment.

    Those that are only validated count, too.
    """
    alive_since = await transaction.now() - timedelta(seconds=stale_after_s)
    return await _count(
        transaction, _UNDER_WAY, {"of": principal, "beside": beside, "alive_since": alive_since}
    )


async def stored_bytes(transaction: Transaction, project: str) -> int:
    """The sizes of the payloads that a project's releases name, each once, as they were uploaded."""
    return await _count(transaction, _STORED_BYTES, {"of": project})


async def _count(transaction: Transaction, statement: Prepared, values: dict[str, object]) -> int:
    row = await transaction.one(statement, values)
    assert row is not None
    return int(row[0] or 0)

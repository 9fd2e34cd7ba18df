"""The audit trail: an entry in the transaction of what it tells, and pages of what was told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, String, bindparam, func, insert, select

from . import tables
from .catalogue import Transaction
from .prepared import Prepared
from .rows import Actor, AuditEntry, Deployment
from .scopes import EVERYTHING, Scope, within

_COLUMNS = [column for column in tables.audit_entry.c if column.key != "id"]
_INSERT_AUDIT = Prepared(insert(tables.audit_entry), [column.key for column in _COLUMNS])


def _insert_for_each() -> Prepared:
    lists = [bindparam(name, type_=ARRAY(String)) for name in ("versions", "messages")]
    each = func.unnest(*lists).table_valued("version", "message").render_derived()
    values = [
        each.c[column.key] if column.key in each.c else bindparam(column.key, type_=column.type)
        for column in _COLUMNS
    ]
    return Prepared(insert(tables.audit_entry).from_select(_COLUMNS, select(*values).select_from(each)))


# PostgreSQL parses and plans a statement each time it is asked: one by one, entries take four times as long.
_INSERT_FOR_EACH = _insert_for_each()


class AuditResult(StrEnum):
    """What became of what an entry of the audit trail tells."""

    DONE = "DONE"
    DENIED = "DENIED"
    FAILED = "FAILED"


async def record_audit(
    transaction: Transaction,
    actor: Actor,
    action: str,
    *,
    deployment: Deployment | None = None,
    from_status: str = "",
    to_status: str = "",
    result: AuditResult = AuditResult.DONE,
    reason: str = "",
    message: str = "",
    project: str = "",
    environment: str = "",
    version: str = "",
) -> None:
    """Insert one row of the audit trail, in the transaction of what it tells.

    ``from_status`` and ``to_status`` are a deployment's, or what was so before and is so now of whatever the
    action is about. ``reason`` is for programs, ``message`` for people.
    """
    values = audit_values(
        await transaction.now(),
        actor,
        action,
        project=deployment.project if deployment else project,
        environment=deployment.environment if deployment else environment,
        deployment_id=deployment.id if deployment else "",
        version=deployment.version if deployment else version,
        from_status=from_status,
        to_status=deployment.status if deployment else to_status,
        result=result,
        reason=reason,
        message=message,
    )
    await transaction.execute(_INSERT_AUDIT, values)


async def record_audits(
    transaction: Transaction,
    actor: Actor,
    action: str,
    *,
    project: str,
    messages: Mapping[str, str],
    from_status: str = "",
    to_status: str = "",
) -> None:
    """Insert a row of the audit trail for each of a project's versions, with its message."""
    if not messages:
        return
    now = await transaction.now()
    values = audit_values(now, actor, action, project=project, from_status=from_status, to_status=to_status)
    if transaction.dialect == "postgresql":
        told = {"versions": list(messages), "messages": list(messages.values())}
        await transaction.execute(_INSERT_FOR_EACH, {**values, **told})
    else:
        rows = [{**values, "version": version, "message": message} for version, message in messages.items()]
        await transaction.execute(_INSERT_AUDIT, rows)


def audit_values(
    now: datetime,
    actor: Actor,
    action: str,
    *,
    project: str = "",
    environment: str = "",
    deployment_id: str = "",
    version: str = "",
    from_status: str = "",
    to_status: str = "",
    result: AuditResult = AuditResult.DONE,
    reason: str = "",
    message: str = "",
) -> Mapping[str, Any]:
    """The columns of a row of the audit trail; its id is the database's."""
    return {
        "time": now,
        "principal": actor.principal,
        "peer": actor.peer,
        "request_id": actor.request_id,
        "action": action,
        "project": project,
        "environment": environment,
        "deployment_id": deployment_id,
        "version": version,
        "from_status": from_status,
        "to_status": to_status,
        "result": result,
        "reason": reason,
        "message": message,
    }


async def list_audit(
    transaction: Transaction,
    *,
    project: str = "",
    environment: str = "",
    deployment_id: str = "",
    principal: str = "",
    to_status: str = "",
    scopes: Collection[Scope] = EVERYTHING,
    before_id: int | None = None,
    limit: int,
) -> Sequence[AuditEntry]:
    """A page of the audit trail, newest first, below ``before_id``; empty filters match everything.

    ``scopes`` is where whoever asks may look.
    """
    a = tables.audit_entry
    statement = select(a).order_by(a.c.id.desc()).limit(limit)
    filters = {
        a.c.project: project,
        a.c.environment: environment,
        a.c.deployment_id: deployment_id,
        a.c.principal: principal,
        a.c.to_status: to_status,
    }
    for column, value in filters.items():
        if value:
            statement = statement.where(column == value)
    if scopes != EVERYTHING:
        statement = statement.where(within(scopes, a.c.project, a.c.environment))
    if before_id is not None:
        statement = statement.where(a.c.id < before_id)
    return [AuditEntry.of(row) for row in await transaction.all(statement)]

"""Changes of a deployment's status: one compare-and-set with its event and its audit row, or nothing.

Every status change in Longshore goes through ``change_status``. The event's number is taken from the
deployment's row by the same UPDATE that moves the status, so numbers have no gaps and nobody can see 5
before 4. Event kinds and their bodies:

``status_changed``    {from_status, to_status, reason}
``nodes_stepped``     {steps: [{node_id, node_name, status, message}]}
``hook_output``       {outputs: [{node_id, node_name, hook, kind, taking_back, lines, skipped_lines, ended,
                      exit_code, outcome}]}
``content_examined``  {content_sha256, entries, unpacked_size_bytes, findings: [...], total_findings}
``canary_step_reached``  {step, total_steps, node_count, gate_id, due_time: ISO 8601 or empty}
``canary_step_passed``   {step, total_steps, promoted_by}
``assigned_anew``     {}: the database was restored, and a node has obeyed a higher generation
``upload_waits``      {}, and ``upload_goes_on`` {}: no place is free for its bytes, and then one is

What receivers outside may want to hear of (an end, a wait for a person) is marked in the event itself, which
makes it the outbox of ``notifications``: nothing more is written with the change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import bindparam, insert, literal, select, update

from . import tables
from .audit_trail import record_audit
from .catalogue import Transaction
from .lifecycle import FOLLOWING, ROLLING, TERMINAL, WAITING, DeploymentKind, DeploymentStatus
from .prepared import Prepared
from .rows import Actor, Deployment, Event

_GATE_REACHED = "canary_step_reached"
_TOLD_OUTSIDE = TERMINAL | WAITING

_d, _e = tables.deployment, tables.event
_STATUS = Prepared(
    select(_d.c.status).where(_d.c.id == bindparam("deployment_id")).with_for_update(key_share=True)
)
_INSERT_EVENT = Prepared(insert(_e), _e.c.keys())
_EVENTS_AFTER = Prepared(
    select(_e)
    .where(_e.c.deployment_id == bindparam("of"), _e.c.sequence > bindparam("after"))
    .order_by(_e.c.sequence)
    .limit(bindparam("most"))
)


class StatusMoved(Exception):
    """The deployment is not (any more) in a status, or under the owner, that the change starts from."""


async def change_status(
    transaction: Transaction,
    deployment_id: str,
    *,
    expected: Collection[DeploymentStatus],
    to: DeploymentStatus,
    actor: Actor,
    action: str,
    reason: str = "",
    message: str = "",
    owner_epoch: int | None = None,
    values: Mapping[str, Any] | None = None,
) -> Deployment:
    """Move a deployment from one of ``expected`` to ``to``, with its event and audit row.

    ``owner_epoch`` guards a rollout's owner; ``values`` are further columns to set. Raises
    ``StatusMoved`` when the row is elsewhere by now. ``message`` is for people, in row, event and audit.
    """
    if any(to not in FOLLOWING[status] for status in expected):
        raise ValueError(f"{to} may not follow {sorted(expected)}")
    now = await transaction.now()
    if len(expected) == 1:
        (from_status,) = expected
    else:
        before = await transaction.one(_STATUS, {"deployment_id": deployment_id})
        from_status = DeploymentStatus(before.status) if before is not None else to
    columns = {
        "status": to,
        "status_reason": reason,
        "status_message": message,
        **({"end_time": now} if to in TERMINAL else {}),
        **(values or {}),
    }
    deployment = await _step(transaction, deployment_id, columns, expected, owner_epoch)
    sentence = f"{to.replace('_', ' ').capitalize()}" + (f": {message}" if message else "")
    await _insert_event(
        transaction,
        deployment,
        "status_changed",
        sentence,
        {"from_status": from_status, "to_status": to, "reason": reason},
    )
    await record_audit(
        transaction,
        actor,
        action,
        deployment=deployment,
        from_status=from_status,
        reason=reason,
        message=message,
    )
    return deployment


async def first_event(transaction: Transaction, deployment: Deployment, actor: Actor, action: str) -> None:
    """Write event 1 and the audit row of a deployment that was just inserted with ``last_sequence`` 1."""
    body = {"from_status": "", "to_status": deployment.status, "reason": ""}
    await _insert_event(transaction, deployment, "status_changed", "Accepted", body)
    # Of what is a deployment like any other, only its kind tells what was asked for.
    await record_audit(transaction, actor, action, deployment=deployment, reason=deployment.kind)


async def append_event(
    transaction: Transaction,
    deployment_id: str,
    kind: str,
    message: str,
    body: Mapping[str, Any],
    *,
    expected: Collection[DeploymentStatus],
    owner_epoch: int | None = None,
) -> Deployment:
    """Append an event that changes no status; raises ``StatusMoved`` like ``change_status``."""
    deployment = await _step(transaction, deployment_id, {}, expected, owner_epoch)
    await _insert_event(transaction, deployment, kind, message, body)
    return deployment


async def set_owned(transaction: Transaction, deployment_id: str, owner_epoch: int, **values: Any) -> None:
    """Set columns of a rollout that are no status and tell nobody; raises ``StatusMoved`` like the others."""
    changed = await transaction.changed(
        update(_d)
        .where(_d.c.id == deployment_id, _d.c.status.in_(ROLLING), _d.c.owner_epoch == owner_epoch)
        .values(**values)
    )
    if not changed:
        raise StatusMoved(f"deployment {deployment_id} has another owner by now, or has ended")


async def events_after(
    transaction: Transaction, deployment_id: str, sequence: int, limit: int
) -> Sequence[Event]:
    """The next ``limit`` events behind ``sequence``, in order."""
    rows = await transaction.all(_EVENTS_AFTER, {"of": deployment_id, "after": sequence, "most": limit})
    return [Event.of(row) for row in rows]


async def _step(
    transaction: Transaction,
    deployment_id: str,
    columns: Mapping[str, Any],
    expected: Collection[DeploymentStatus],
    owner_epoch: int | None,
) -> Deployment:
    """Take the number of the next event and set columns, where the deployment stands and is owned so."""
    step = _step_of(frozenset(columns), frozenset(expected), owned=owner_epoch is not None)
    row = await transaction.one(step, {**columns, "of": deployment_id, "owned": owner_epoch})
    if row is None:
        raise StatusMoved(f"deployment {deployment_id} is no longer {', '.join(sorted(expected))}")
    return Deployment.of(row)


@cache
def _step_of(columns: Collection[str], expected: Collection[DeploymentStatus], *, owned: bool) -> Prepared:
    stands = _d.c.status.in_([literal(status.value) for status in sorted(expected)])
    statement = (
        update(_d)
        .where(_d.c.id == bindparam("of"), stands)
        .values(last_sequence=_d.c.last_sequence + 1, **{name: bindparam(name) for name in sorted(columns)})
        .returning(*_d.c)
    )
    return Prepared(statement.where(_d.c.owner_epoch == bindparam("owned")) if owned else statement)


async def _insert_event(
    transaction: Transaction, deployment: Deployment, kind: str, message: str, body: Mapping[str, Any]
) -> None:
    told_outside = body["to_status"] in _TOLD_OUTSIDE if kind == "status_changed" else kind == _GATE_REACHED
    await transaction.execute(
        _INSERT_EVENT,
        {
            "deployment_id": deployment.id,
            "sequence": deployment.last_sequence,
            "time": await transaction.now(),
            "kind": kind,
            "message": message,
            "body": dict(body),
            "awaits_notice": told_outside and deployment.kind is not DeploymentKind.VALIDATION,
        },
    )
    transaction.tells_of(deployment.id)

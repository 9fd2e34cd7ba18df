"""Uploads that nobody resumed: their deployments fail, and what they had stored is garbage from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select

from longshore_storage.catalogue import Catalogue, Transaction, deployments, tables, uploads
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.journal import StatusMoved, change_status
from longshore_storage.catalogue.lifecycle import UPLOADING, DeploymentKind, DeploymentStatus
from longshore_storage.catalogue.rows import Actor

_u = tables.upload
_PAGE = 200


async def give_up_dead_uploads(
    catalogue: Catalogue,
    *,
    resume_for: timedelta,
    actor: Actor,
    error: Mapping[str, Any],
    given_up: Callable[[str], None],
) -> int:
    """Fail every upload without a sign of life for ``resume_for``; an upload that is resumed first, wins.

    ``error`` is what the deployments keep as their error; ``given_up`` is told each id afterwards.
    """
    count, after = 0, ""
    while True:
        async with catalogue.reading() as transaction:
            page = await transaction.all(
                select(_u.c.deployment_id, _u.c.epoch)
                .where(_u.c.deployment_id > after, await is_dead(transaction, resume_for))
                .order_by(_u.c.deployment_id)
                .limit(_PAGE)
            )
        for row in page:
            async with catalogue.transaction() as transaction:
                done = await _give_up(transaction, row.deployment_id, row.epoch, resume_for, actor, error)
            if done:
                count += 1
                given_up(row.deployment_id)
        if len(page) < _PAGE:
            return count
        after = page[-1].deployment_id


async def is_dead(transaction: Transaction, resume_for: timedelta) -> Any:
    """The condition on an upload's row."""
    now = await transaction.now()
    # A heartbeat that lies so far ahead is of a clock that was set back since.
    return or_(_u.c.heartbeat_time <= now - resume_for, _u.c.heartbeat_time > now + resume_for)


async def _give_up(
    transaction: Transaction,
    deployment_id: str,
    epoch: int,
    resume_for: timedelta,
    actor: Actor,
    error: Mapping[str, Any],
) -> bool:
    # Whoever resumes the upload waits for this lock, or has raised the epoch before it.
    locked = await transaction.one(
        select(_u.c.epoch)
        .where(
            _u.c.deployment_id == deployment_id,
            _u.c.epoch == epoch,
            await is_dead(transaction, resume_for),
        )
        .with_for_update()
    )
    if locked is None:
        return False
    await uploads.drop_upload(transaction, deployment_id)
    accepted = await deployments.get_accepted(transaction, deployment_id)
    if accepted is not None and accepted.kind is DeploymentKind.VALIDATION:
        await record_audit(
            transaction,
            actor,
            "validation.ended",
            deployment=accepted,
            from_status=accepted.status,
            message=str(error["message"]),
        )
        await deployments.drop_validation(transaction, deployment_id)
        return True
    # A row that its deployment's end left behind only goes.
    with suppress(StatusMoved):
        await change_status(
            transaction,
            deployment_id,
            expected=UPLOADING,
            to=DeploymentStatus.FAILED,
            actor=actor,
            action="upload.abandoned",
            message=str(error["message"]),
            values={"error": dict(error)},
        )
    return True

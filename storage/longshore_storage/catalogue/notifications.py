"""Notifications: taken from the events that are marked for them, kept until they are delivered or given up.

An event and its mark are one row, so a change of status is never without it. Taking marked events and writing
the notifications that follow from them is one transaction too; what breaks off in between happens again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, func, select, tuple_, update

from . import tables
from .catalogue import Transaction
from .projects import insert_if_absent
from .rows import Event

_e, _n = tables.event, tables.notification


class Notification(NamedTuple):
    """One event for one receiver. ``body`` is JSON as it is sent; ``tries`` are those that failed."""

    id: str
    receiver: str
    event: str
    body: str
    tries: int
    create_time: datetime


async def has_marked(transaction: Transaction) -> bool:
    """Whether any event waits to be taken."""
    return await transaction.one(select(_e.c.sequence).where(_e.c.awaits_notice).limit(1)) is not None


async def take_marked(
    transaction: Transaction, *, before: datetime | None = None, limit: int
) -> Sequence[Event]:
    """Take the mark from the oldest marked events, older than ``before``, in order; each is taken once."""
    key = (_e.c.deployment_id, _e.c.sequence)
    page = select(*key).where(_e.c.awaits_notice).order_by(_e.c.time, *key).limit(limit)
    if before is not None:
        page = page.where(_e.c.time < before)
    rows = await transaction.all(
        update(_e)
        .where(_e.c.awaits_notice, tuple_(*key).in_(page))
        .values(awaits_notice=False)
        .returning(*_e.c)
    )
    return sorted(
        (Event.of(row) for row in rows), key=lambda each: (each.time, each.deployment_id, each.sequence)
    )


async def add(
    transaction: Transaction, *, notification_id: str, receiver: str, event: str, body: str
) -> None:
    """Write a notification down, to be tried at once; one that is there stays as it is."""
    now = await transaction.now()
    await insert_if_absent(
        transaction,
        _n,
        id=notification_id,
        receiver=receiver,
        event=event,
        body=body,
        tries=0,
        create_time=now,
        next_try_time=now,
    )


async def due(
    transaction: Transaction, receiver: str, *, limit: int
) -> tuple[Sequence[Notification], timedelta | None]:
    """What a receiver is to get now, and else when the next one is due; None where nothing waits."""
    rows = await transaction.all(
        select(_n)
        .where(_n.c.receiver == receiver)
        .order_by(_n.c.next_try_time, _n.c.create_time)
        .limit(limit)
    )
    now = await transaction.now()
    ready = [_notification(row) for row in rows if row.next_try_time <= now]
    return ready, rows[0].next_try_time - now if rows else None


async def remove(transaction: Transaction, notification_id: str) -> bool:
    """Forget one that was delivered or is given up; False where somebody else has."""
    return bool(await transaction.changed(delete(_n).where(_n.c.id == notification_id)))


async def put_off(transaction: Transaction, notification_id: str, pause: timedelta) -> None:
    """Count a try that failed, and wait before the next one."""
    await transaction.execute(
        update(_n)
        .where(_n.c.id == notification_id)
        .values(tries=_n.c.tries + 1, next_try_time=await transaction.now() + pause)
    )


async def of_others(
    transaction: Transaction, receivers: Iterable[str], *, before: datetime, limit: int
) -> Sequence[Notification]:
    """Those written before then for receivers that are not among these."""
    rows = await transaction.all(
        select(_n).where(_n.c.receiver.not_in(list(receivers)), _n.c.create_time < before).limit(limit)
    )
    return [_notification(row) for row in rows]


async def count_waiting(transaction: Transaction) -> Mapping[str, int]:
    """How many wait, by receiver."""
    rows = await transaction.all(select(_n.c.receiver, func.count().label("waiting")).group_by(_n.c.receiver))
    return {row.receiver: row.waiting for row in rows}


def _notification(row: Row[Any]) -> Notification:
    return Notification(**{name: getattr(row, name) for name in Notification._fields})

"""Chores: what some node does now and then for all of them, with its place in the work and its last end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, update

from . import tables
from .catalogue import Transaction
from .projects import insert_if_absent

_c = tables.chore


class Chore(NamedTuple):
    """Where a chore stands, empty at its begin, and when it was last done to its end."""

    place: str
    end_time: datetime | None


async def get_chore(transaction: Transaction, name: str) -> Chore:
    """Read a chore; one that was never begun stands at its begin."""
    row = await transaction.one(select(_c.c.place, _c.c.end_time).where(_c.c.name == name))
    return Chore(row.place, row.end_time) if row else Chore("", None)


async def is_due(transaction: Transaction, name: str, every: timedelta) -> bool:
    """Whether a chore was last done longer than ``every`` ago, on whatever node.

    A time that lies as far ahead says nothing: the clock was set back since.
    """
    end_time = (await get_chore(transaction, name)).end_time
    return end_time is None or abs(await transaction.now() - end_time) >= every


async def set_place(transaction: Transaction, name: str, place: str) -> None:
    """Note how far a chore has come."""
    await insert_if_absent(transaction, _c, name=name)
    await transaction.execute(update(_c).where(_c.c.name == name).values(place=place))


async def mark_done(transaction: Transaction, name: str) -> None:
    """Note that a chore was done to its end; it stands at its begin again."""
    await insert_if_absent(transaction, _c, name=name)
    await transaction.execute(
        update(_c).where(_c.c.name == name).values(place="", end_time=await transaction.now())
    )

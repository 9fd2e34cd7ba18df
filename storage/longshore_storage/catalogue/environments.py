"""What is set for an environment as a whole, whatever the project."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, select, update

from . import tables
from .catalogue import Transaction
from .prepared import Prepared
from .rows import Live

_e = tables.environment
_named = select(_e).where(_e.c.name == bindparam("of"))
_GET = Prepared(_named)
_LOCK = Prepared(_named.with_for_update(key_share=True))


class Environment(NamedTuple):
    """An environment; with ``second_person`` somebody else than whoever deployed must promote there."""

    name: str
    second_person: bool


async def get_environment(
    transaction: Transaction, name: str, *, for_update: bool = False
) -> Environment | None:
    """Read an environment; ``for_update`` locks its row until the transaction ends."""
    row = await transaction.one(_LOCK if for_update else _GET, {"of": name})
    return Environment(row.name, row.second_person) if row else None


async def require_second_person(transaction: Transaction, name: str, required: bool) -> None:
    """Set whether one is required of every project there; the caller holds the row's lock."""
    await transaction.execute(update(_e).where(_e.c.name == name).values(second_person=required))


async def takes_second_person(transaction: Transaction, live: Live) -> bool:
    """Whether one is required, by the project's own setting or by the environment's."""
    if live.second_person:
        return True
    environment = await get_environment(transaction, live.environment)
    return environment is not None and environment.second_person

"""Tokens that the server made: their rows have the digest of the secret, never the secret."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, insert, select, update

from . import tables
from .catalogue import Transaction
from .prepared import Prepared

_t = tables.access_token
_GET = Prepared(select(_t).where(_t.c.id == bindparam("of")))


class AccessToken(NamedTuple):
    """A token. ``roles`` are ``{role, projects, environments}``, each with one pattern."""

    id: str
    name: str
    secret_sha256: str
    roles: Sequence[Mapping[str, Any]]
    create_time: datetime
    created_by: str
    expire_time: datetime | None
    revoke_time: datetime | None


async def create(
    transaction: Transaction,
    *,
    token_id: str,
    name: str,
    secret_sha256: str,
    roles: Sequence[Mapping[str, Any]],
    created_by: str,
    expire_time: datetime | None,
) -> None:
    """Write a token down. Raises ``ConstraintViolated`` where the name was ever given to one."""
    await transaction.execute(
        insert(_t).values(
            id=token_id,
            name=name,
            secret_sha256=secret_sha256,
            roles=list(roles),
            create_time=await transaction.now(),
            created_by=created_by,
            expire_time=expire_time,
        )
    )


async def get(transaction: Transaction, token_id: str) -> AccessToken | None:
    """A token, also one that was revoked."""
    row = await transaction.one(_GET, {"of": token_id})
    return _token(row) if row else None


async def list_tokens(transaction: Transaction) -> Sequence[AccessToken]:
    """All tokens by name, also those that were revoked."""
    return [_token(row) for row in await transaction.all(select(_t).order_by(_t.c.name))]


async def revoked_among(transaction: Transaction, token_ids: Collection[str]) -> Collection[str]:
    """Which of these tokens were revoked."""
    rows = await transaction.all(select(_t.c.id).where(_t.c.id.in_(token_ids), _t.c.revoke_time.is_not(None)))
    return {row.id for row in rows}


async def revoke(transaction: Transaction, name: str) -> bool:
    """Revoke a token for good; False where none is good under the name."""
    changed = await transaction.changed(
        update(_t)
        .where(_t.c.name == name, _t.c.revoke_time.is_(None))
        .values(revoke_time=await transaction.now())
    )
    return bool(changed)


def _token(row: Row[Any]) -> AccessToken:
    return AccessToken(**{name: getattr(row, name) for name in AccessToken._fields})

"""Tokens that the server itself made: ``longshore_ID_SECRET``, for set-ups without an identity provider."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Collection
from typing import Final, NamedTuple

from longshore_storage.catalogue import Catalogue, access_tokens
from longshore_storage.catalogue.access_tokens import AccessToken
from longshore_storage.catalogue.scopes import Scope

from .callers import TOKEN_PREFIX, Identity, RoleInScope
from .json_web_tokens import unknown_token

_FORM: Final = re.compile(r"longshore_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_KEPT: Final = 1024


class NewToken(NamedTuple):
    """A token that was just made; ``text`` is told once and stored nowhere."""

    id: str
    text: str
    secret_sha256: str


def make_token() -> NewToken:
    """A token of 256 random bits: too many to guess, so that a fast digest of them is enough."""
    token_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    return NewToken(token_id, f"longshore_{token_id}_{secret}", _digest(secret))


def is_static(token: str) -> bool:
    """Whether a token has the form of those made here."""
    return _FORM.fullmatch(token) is not None


class StaticTokens:
    """Verifies them by their rows, each of which is read again after ``fresh_s``."""

    def __init__(self, catalogue: Catalogue, *, fresh_s: float) -> None:
        self._catalogue = catalogue
        self._fresh_s = fresh_s
        self._rows: OrderedDict[str, tuple[float, AccessToken]] = OrderedDict()

    async def verify(self, token: str) -> Identity:
        """Whose token it is. Raises ``Refusal``."""
        match = _FORM.fullmatch(token)
        row = await self._row(match[1]) if match else None
        if match is None or row is None or not hmac.compare_digest(row.secret_sha256, _digest(match[2])):
            raise unknown_token("this server did not make it")
        if row.revoke_time is not None:
            raise unknown_token("it was revoked")
        expires = row.expire_time.timestamp() if row.expire_time else None
        if expires is not None and expires <= time.time():
            raise unknown_token("it has expired")
        roles = tuple(
            RoleInScope(role["role"], Scope(role["projects"], role["environments"])) for role in row.roles
        )
        return Identity(TOKEN_PREFIX + row.name, (), expires, row.id, roles)

    async def revoked_among(self, token_ids: Collection[str]) -> Collection[str]:
        """Which of these tokens were revoked."""
        async with self._catalogue.reading() as transaction:
            return await access_tokens.revoked_among(transaction, token_ids)

    async def _row(self, token_id: str) -> AccessToken | None:
        read_at, row = self._rows.get(token_id, (-float("inf"), None))
        if row is not None and time.monotonic() - read_at < self._fresh_s:
            return row
        read_at = time.monotonic()
        async with self._catalogue.reading() as transaction:
            row = await access_tokens.get(transaction, token_id)
        self._rows.pop(token_id, None)
        if row is not None:
            self._rows[token_id] = (read_at, row)
        if len(self._rows) > _KEPT:
            self._rows.popitem(last=False)
        return row


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

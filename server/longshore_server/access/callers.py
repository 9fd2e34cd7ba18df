"""Who calls: a principal with its groups, how that is known, and what it may do."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, NamedTuple

from longshore_storage.catalogue.scopes import Scope

from .permissions import Permission
from .rights import EVERY_RIGHT, Rights

ANONYMOUS: Final = "anonymous"
UNKNOWN: Final = "unknown"
CERTIFICATE_PREFIX: Final = "cert:"
TOKEN_PREFIX: Final = "token:"  # noqa: S105
# As the audit trail names those who showed nothing, and whoever uses `longshore admin` on a node itself.
_OURS: Final = (ANONYMOUS, UNKNOWN, "admin")
_RESERVED: Final = (CERTIFICATE_PREFIX, TOKEN_PREFIX, "node:", "hook:")
_LONGEST_NAME: Final = 200


class RoleInScope(NamedTuple):
    """A role, by its name, and where it holds."""

    role: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody was shown to be.

    ``expires`` is the moment, in seconds since 1970, from which the proof is none any more; ``token`` the id
    of a static token, which can be revoked, with the roles that it brings along.
    """

    principal: str
    groups: tuple[str, ...] = ()
    expires: float | None = None
    token: str = ""
    roles: tuple[RoleInScope, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """An identity with what it may do."""

    identity: Identity
    rights: Rights


EVERYBODY: Final = Caller(Identity(ANONYMOUS), EVERY_RIGHT)
"""Every caller of a node without access control."""

_caller: ContextVar[Caller] = ContextVar("caller", default=EVERYBODY)


def current_caller() -> Caller:
    """Who makes the call that is being handled."""
    return _caller.get()


def readable() -> Collection[Scope]:
    """Where the caller of the call that is being handled may read."""
    return current_caller().rights.scopes(Permission.DEPLOYMENT_READ)


def set_caller(caller: Caller) -> None:
    """Note who makes the call that is being handled in this task."""
    _caller.set(caller)


def is_principal(name: str) -> bool:
    """Whether somebody from elsewhere may have this name: 1 to 200 characters, seen, and none of ours."""
    if not 0 < len(name) <= _LONGEST_NAME or name != name.strip():
        return False
    if not name.isprintable() or not unicodedata.is_normalized("NFC", name):
        # What is not seen makes two names look like one, in the audit trail and to a second person; and so
        # does one that is written in two ways.
        return False
    folded = name.casefold()
    return folded not in _OURS and not folded.startswith(_RESERVED)

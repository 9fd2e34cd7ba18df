"""What a caller may do, and where: permissions with the scopes in which each holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from longshore_storage.catalogue.scopes import EVERYTHING, Scope, covers

from .permissions import Permission


class Grant(NamedTuple):
    """Permissions that hold in a scope."""

    permissions: frozenset[Permission]
    scope: Scope


class Rights:
    """The grants of a caller together; never changes."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        scopes: dict[Permission, dict[Scope, None]] = {}
        for grant in grants:
            for permission in grant.permissions:
                scopes.setdefault(permission, {})[grant.scope] = None
        self._scopes = {
            # Whoever may everywhere is asked for nothing more, in SQL neither.
            permission: EVERYTHING if Scope() in within else tuple(sorted(within))
            for permission, within in scopes.items()
        }

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Rights) and self._scopes == other._scopes)

    __hash__ = None  # type: ignore[assignment]

    def scopes(self, permission: Permission) -> Collection[Scope]:
        """Where a permission holds; empty where it does not."""
        return self._scopes.get(permission, ())

    def allow(self, permission: Permission, project: str | None, environment: str | None) -> bool:
        """Whether a permission holds for a project in an environment; None stands for any of them."""
        return covers(self.scopes(permission), project, environment)


EVERY_RIGHT: Final = Rights([Grant(frozenset(Permission), Scope())])

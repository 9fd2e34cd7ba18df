"""The policy: own roles, and which roles principals and groups have where. One YAML file for all nodes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from longshore_bundles import FindingLog
from longshore_bundles.documents import MAX_DOCUMENT_BYTES, read_yaml
from longshore_server.settings.patterns import Pattern
from longshore_storage.catalogue.scopes import Scope, matches
from longshore_storage.errors import Misconfigured

from .callers import Identity, RoleInScope
from .permissions import BUILT_IN_ROLES, Permission
from .rights import Grant, Rights

_LONGEST_NAME: Final = 200


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RoleGrant(_Model):
    """A role for principals and members of groups, in projects and environments that match."""

    role: str
    principals: tuple[Pattern, ...] = ()
    groups: tuple[Pattern, ...] = ()
    projects: tuple[Pattern, ...] = ("*",)
    environments: tuple[Pattern, ...] = ("*",)

    @model_validator(mode="after")
    def _is_for_somebody(self) -> Self:
        if not self.principals and not self.groups:
            raise ValueError("names nobody: it needs `principals`, `groups` or both")
        return self

    def is_for(self, principal: str, groups: Collection[str]) -> bool:
        """Whether the caller is meant."""
        return any(matches(pattern, principal) for pattern in self.principals) or any(
            matches(pattern, group) for pattern in self.groups for group in groups
        )


class Policy(_Model):
    """Own roles by their names, and who has which role."""

    roles: dict[str, tuple[Permission, ...]] = {}
    grants: tuple[RoleGrant, ...] = ()

    @model_validator(mode="after")
    def _roles_are_known(self) -> Self:
        if built_in := self.roles.keys() & BUILT_IN_ROLES.keys():
            raise ValueError(f"role {min(built_in)!r} is built in: choose another name")
        for grant in self.grants:
            self.permissions_of(grant.role)
        return self

    def permissions_of(self, role: str) -> frozenset[Permission]:
        """What a role allows; raises ``ValueError`` where there is none of the name."""
        if role in BUILT_IN_ROLES:
            return BUILT_IN_ROLES[role]
        if role in self.roles:
            return frozenset(self.roles[role])
        known = ", ".join([*BUILT_IN_ROLES, *self.roles])
        raise ValueError(f"there is no role {role[:_LONGEST_NAME]!r}: there are {known}")

    def rights_of(self, identity: Identity) -> Rights:
        """What somebody may do, by this policy and by the roles that a token brings along."""
        held = [
            RoleInScope(grant.role, Scope(project, environment))
            for grant in self.grants
            if grant.is_for(identity.principal, identity.groups)
            for project in grant.projects
            for environment in grant.environments
        ]
        # A token may have a role that was taken out of the policy since.
        known = BUILT_IN_ROLES.keys() | self.roles.keys()
        return Rights(
            Grant(self.permissions_of(role), scope)
            for role, scope in (*held, *identity.roles)
            if role in known
        )


def read_policy(path: Path) -> Policy:
    """Read a policy file. Raises ``Misconfigured``, which names everything that is wrong in it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise Misconfigured(f"{path} (`access.policy_file`) cannot be read: {error.strerror}") from error
    # A key that stands there twice would hide half of what is granted, and an empty file is half written.
    log = FindingLog()
    document = read_yaml(content, path.name, log)
    if document is None or log.has_errors:
        wrong = [f"{path}:{one.line or 1}: {one.message}" for one in log.findings()]
        raise Misconfigured("\n".join(wrong))
    try:
        return Policy.model_validate(document.value)
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, detail['loc'])) or 'the file'}: "
            + str(detail["msg"]).removeprefix("Value error, ")
            for detail in error.errors()
        ]
        raise Misconfigured("\n".join(lines)) from None

"""Whose stored content counts for whom: of projects whose payloads the caller may read."""

from __future__ import annotations

from longshore_storage.catalogue.rows import Actor

from .callers import current_caller
from .permissions import Permission


class PayloadRights:
    """The rule of ``deploying.visibility``, by the rights of the call that is being handled."""

    async def may_read(self, actor: Actor, project: str) -> bool:
        """Whether the caller has ``payload.read`` there, in any environment, since content is of projects.

        A node without access control lets everybody.
        """
        return current_caller().rights.allow(Permission.PAYLOAD_READ, project, None)

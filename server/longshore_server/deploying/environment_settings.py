"""What people set for a project in an environment: just now, whether anything may go live there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.wakeups import Kind, Wakeups, rollout_ident
from longshore_storage.catalogue import Catalogue, Transaction, projects
from longshore_storage.catalogue.journal import record_audit
from longshore_storage.catalogue.rows import Actor, Live
from longshore_storage.errors import CommitUnknown

from .queueing import lock_place
from .requests import check_place

_LONGEST_REASON_BYTES = 500
_SETTABLE = ("freeze_reason",)


@dataclass(frozen=True, slots=True)
class SettingsRequest:
    """New values for the fields that ``mask`` names; an empty ``etag`` is not compared."""

    project: str
    environment: str
    etag: str
    mask: Collection[str]
    freeze_reason: str

    def checked(self) -> SettingsRequest:
        """The request with every field looked at; raises ``Refusal`` with the one that is wrong."""
        project, environment = check_place("project_environment.", self.project, self.environment)
        unknown = sorted(set(self.mask) - set(_SETTABLE))
        if unknown or not self.mask:
            raise invalid(
                "update_mask", f"must name fields of {', '.join(_SETTABLE)}, got {unknown or 'none'}"
            )
        if len(self.freeze_reason.encode()) > _LONGEST_REASON_BYTES or not self.freeze_reason.isprintable():
            raise invalid(
                "project_environment.freeze_reason",
                f"must be one line of at most {_LONGEST_REASON_BYTES} bytes of UTF-8",
            )
        return SettingsRequest(project, environment, self.etag, tuple(self.mask), self.freeze_reason.strip())


class EnvironmentSettings:
    """The use case UpdateProjectEnvironment."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups

    async def update(self, request: SettingsRequest, actor: Actor) -> Live:
        """Set what the request names; setting what is set already changes nothing."""
        try:
            async with self._catalogue.transaction() as transaction:
                live = await self._update(transaction, request, actor)
        except CommitUnknown:
            # If it took effect, nothing is left to be set.
            async with self._catalogue.transaction() as transaction:
                live = await self._update(transaction, request, actor)
        self._wakeups.send(Kind.ROLLOUTS, rollout_ident(request.project, request.environment))
        return live

    async def _update(self, transaction: Transaction, request: SettingsRequest, actor: Actor) -> Live:
        live = await lock_place(transaction, request.project, request.environment)
        if live.freeze_reason == request.freeze_reason:
            return live
        if request.etag and request.etag != etag_of(live):
            raise Refusal(
                Reason.ETAG_MISMATCH,
                f"the settings of {live.project} in {live.environment} were changed meanwhile: read again",
            )
        frozen = bool(request.freeze_reason)
        changed = await projects.change_settings(
            transaction,
            live.project,
            live.environment,
            freeze_reason=request.freeze_reason,
            frozen_by=actor.principal if frozen else "",
            freeze_time=await transaction.now() if frozen else None,
        )
        await record_audit(
            transaction,
            actor,
            "environment.frozen" if frozen else "environment.unfrozen",
            project=live.project,
            environment=live.environment,
            message=request.freeze_reason or f"was frozen by {live.frozen_by}: {live.freeze_reason}",
        )
        return changed


def etag_of(live: Live) -> str:
    """What callers compare settings by."""
    return str(live.settings_revision)

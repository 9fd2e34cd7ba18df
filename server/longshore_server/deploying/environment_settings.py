"""What people set for a project in an environment: whether anything may go live, and what is kept there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.wakeups import Kind, Wakeups, rollout_ident
from longshore_storage.catalogue import Catalogue, Transaction, projects
from longshore_storage.catalogue.journal import record_audit
from longshore_storage.catalogue.rows import Actor, Live
from longshore_storage.errors import CommitUnknown

from .queueing import lock_place
from .requests import check_place

_LONGEST_REASON_BYTES = 500
_MOST_ROLLBACK_TARGETS = 100
_MOST_RELEASES = 1_000_000
# The longest that a database and a calendar can add to a moment.
_LONGEST_AGE_S = 1000 * 365 * 86_400
_MOST_BYTES = (1 << 63) - 1

_FREEZE = "freeze_reason"
# Columns by what callers name: 0 to so many, or None for the servers' settings.
_NUMBERS = {
    "kept_rollback_targets": ("rollback_targets", _MOST_ROLLBACK_TARGETS),
    "retention.keep_releases": ("keep_releases", _MOST_RELEASES),
    "retention.max_age": ("keep_for_s", _LONGEST_AGE_S),
    "retention.max_size_bytes": ("keep_bytes", _MOST_BYTES),
}
SETTABLE = (_FREEZE, *_NUMBERS)


@dataclass(frozen=True, slots=True)
class SettingsRequest:
    """New values by the path of their field, of those in ``SETTABLE``; None goes back to the default.

    An empty ``etag`` is not compared.
    """

    project: str
    environment: str
    etag: str
    values: Mapping[str, Any]

    def checked(self) -> SettingsRequest:
        """The request with every field looked at; raises ``Refusal`` with the one that is wrong."""
        project, environment = check_place("project_environment.", self.project, self.environment)
        unknown = sorted(set(self.values) - set(SETTABLE))
        if unknown or not self.values:
            raise invalid(
                "update_mask",
                f"must name fields of {', '.join(SETTABLE)} or retention, got {unknown or 'none'}",
            )
        values = {path: _checked(path, value) for path, value in self.values.items()}
        return SettingsRequest(project, environment, self.etag, values)

    def columns(self) -> dict[str, Any]:
        """As the row keeps them, less who set a freeze and when."""
        return {_NUMBERS[path][0] if path in _NUMBERS else path: value for path, value in self.values.items()}


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
        columns = {name: value for name, value in request.columns().items() if getattr(live, name) != value}
        if not columns:
            return live
        if request.etag and request.etag != etag_of(live):
            raise Refusal(
                Reason.ETAG_MISMATCH,
                f"the settings of {live.project} in {live.environment} were changed meanwhile: read again",
            )
        if _FREEZE in columns:
            await _record_freeze(transaction, live, columns[_FREEZE], actor)
            frozen = bool(columns[_FREEZE])
            columns["frozen_by"] = actor.principal if frozen else ""
            columns["freeze_time"] = await transaction.now() if frozen else None
        kept = {path: columns[column] for path, (column, _) in _NUMBERS.items() if column in columns}
        if kept:
            await record_audit(
                transaction,
                actor,
                "environment.keeping_changed",
                project=live.project,
                environment=live.environment,
                message=", ".join(
                    f"{path}: {'default' if value is None else value}" for path, value in kept.items()
                ),
            )
        return await projects.change_settings(transaction, live.project, live.environment, **columns)


def etag_of(live: Live) -> str:
    """What callers compare settings by."""
    return str(live.settings_revision)


async def _record_freeze(transaction: Transaction, live: Live, reason: str, actor: Actor) -> None:
    await record_audit(
        transaction,
        actor,
        "environment.frozen" if reason else "environment.unfrozen",
        project=live.project,
        environment=live.environment,
        message=reason or f"was frozen by {live.frozen_by}: {live.freeze_reason}",
    )


def _checked(path: str, value: Any) -> Any:
    if path != _FREEZE:
        _, most = _NUMBERS[path]
        if value is not None and not 0 <= value <= most:
            raise invalid(f"project_environment.{path}", f"must be 0 to {most}, got {value}")
        return value
    if len(value.encode()) > _LONGEST_REASON_BYTES or not value.isprintable():
        raise invalid(
            f"project_environment.{path}",
            f"must be one line of at most {_LONGEST_REASON_BYTES} bytes of UTF-8",
        )
    return value.strip()

"""What people set for a project in an environment: whether anything goes live, where, what is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.wakeups import Kind, Wakeups, rollout_ident
from longshore_storage.catalogue import Catalogue, Transaction, projects
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.rows import Actor, Live
from longshore_storage.catalogue.strategy import Strategy
from longshore_storage.errors import CommitUnknown

from .labels import check_labels
from .queueing import lock_place
from .requests import check_place
from .strategies import check_strategy

_LONGEST_REASON_BYTES = 500
_MOST_ROLLBACK_TARGETS = 100
_MOST_RELEASES = 1_000_000
# The longest that a database and a calendar can add to a moment.
_LONGEST_AGE_S = 1000 * 365 * 86_400
_MOST_BYTES = (1 << 63) - 1

_MOST_SELECTOR_LABELS = 8

_FREEZE = "freeze_reason"
_KEEPING = "environment.keeping_changed"


class _Setting(NamedTuple):
    """One field that can be set: its column, how a change is called in the audit trail, and its rules.

    ``check`` takes the field's path and value, and gives the column's; ``words`` says it to people.
    """

    column: str
    action: str
    check: Callable[[str, Any], Any]
    words: Callable[[Any], str]


def _checked_reason(path: str, value: str) -> str:
    if len(value.encode()) > _LONGEST_REASON_BYTES or not value.isprintable():
        raise invalid(
            f"project_environment.{path}",
            f"must be one line of at most {_LONGEST_REASON_BYTES} bytes of UTF-8",
        )
    return value.strip()


def _checked_selector(path: str, value: Mapping[str, str]) -> dict[str, str]:
    check_labels(f"project_environment.{path}", value, most=_MOST_SELECTOR_LABELS)
    return dict(value)


def _selector_words(selector: Mapping[str, str]) -> str:
    chosen = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
    return chosen or "every node"


def _checked_strategy(path: str, value: Strategy | None) -> dict[str, Any] | None:
    if value is None:
        return None
    check_strategy(f"project_environment.{path}", value)
    return value.to_row()


def _number(column: str, most: int) -> _Setting:
    """0 to ``most``, or None for the servers' settings."""

    def check(path: str, value: int | None) -> int | None:
        if value is not None and not 0 <= value <= most:
            raise invalid(f"project_environment.{path}", f"must be 0 to {most}, got {value}")
        return value

    return _Setting(column, _KEEPING, check, lambda value: "default" if value is None else str(value))


_SETTINGS: Mapping[str, _Setting] = {
    _FREEZE: _Setting(_FREEZE, "environment.frozen", _checked_reason, str),
    "kept_rollback_targets": _number("rollback_targets", _MOST_ROLLBACK_TARGETS),
    "retention.keep_releases": _number("keep_releases", _MOST_RELEASES),
    "retention.max_age": _number("keep_for_s", _LONGEST_AGE_S),
    "retention.max_size_bytes": _number("keep_bytes", _MOST_BYTES),
    "node_selector": _Setting(
        "node_selector", "environment.selector_changed", _checked_selector, _selector_words
    ),
    "second_person": _Setting(
        "second_person",
        "environment.approval_changed",
        lambda _, value: bool(value),
        lambda value: "yes" if value else "no",
    ),
    "strategy": _Setting(
        "strategy", "environment.strategy_changed", _checked_strategy, lambda row: str(Strategy.of_row(row))
    ),
    "failure_policy": _Setting(
        "failure_policy",
        "environment.strategy_changed",
        lambda _, value: value or "",
        lambda value: value or "default",
    ),
}
SETTABLE = tuple(_SETTINGS)


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
                f"must name fields of {', '.join(SETTABLE)} or retention, "
                f"got {', '.join(unknown)[:200] or 'none'}",
            )
        values = {path: _SETTINGS[path].check(path, value) for path, value in self.values.items()}
        return SettingsRequest(project, environment, self.etag, values)

    def columns(self) -> dict[str, Any]:
        """As the row keeps them, less who set a freeze and when."""
        return {_SETTINGS[path].column: value for path, value in self.values.items()}


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
        if "node_selector" in request.values:
            # Nodes see to it themselves.
            self._wakeups.send(Kind.ASSIGNMENTS, request.environment)
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
        changed: dict[str, list[tuple[str, str]]] = {}
        for path, setting in _SETTINGS.items():
            if path != _FREEZE and setting.column in columns:
                now, before = (
                    f"{path}: {setting.words(value)}"
                    for value in (columns[setting.column], getattr(live, setting.column))
                )
                changed.setdefault(setting.action, []).append((before, now))
        for action, words in changed.items():
            await record_audit(
                transaction,
                actor,
                action,
                project=live.project,
                environment=live.environment,
                from_status=", ".join(before for before, _ in words),
                to_status=", ".join(now for _, now in words),
                message=", ".join(now for _, now in words),
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
        from_status="FROZEN" if live.freeze_reason else "OPEN",
        to_status="FROZEN" if reason else "OPEN",
        message=reason or f"was frozen by {live.frozen_by}: {live.freeze_reason}",
    )

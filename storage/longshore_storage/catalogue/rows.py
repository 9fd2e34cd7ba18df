"""The rows of the catalogue as frozen dataclasses: what the ports speak instead of SQL rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, Self

from sqlalchemy import Row

from .lifecycle import (
    ACTIVATION_TERMINAL,
    TERMINAL,
    WAITING,
    ActivationStatus,
    DeploymentKind,
    DeploymentStatus,
    QueuePolicy,
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: the caller, where from, the call's request id, and its trace where it has one."""

    principal: str
    peer: str = ""
    request_id: str = ""
    trace_context: str = ""


class _FromRow:
    """Made from a row that selects at least the columns named like the fields."""

    __slots__ = ()

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        values = row._mapping
        return cls(**{name: values[name] for name in _names(cls)})  # type: ignore[arg-type]


@cache
def _names(row: type[Any]) -> Sequence[str]:
    return [field.name for field in fields(row)]


@dataclass(frozen=True, slots=True)
class Release(_FromRow):
    """Project, version and content; never changes.

    ``stored_payload`` is empty once the payload was reclaimed; content that is deployed again afterwards
    may come as another payload, which the release then names.
    """

    id: int
    project: str
    version: str
    payload_sha256: str
    stored_payload: str | None
    content_sha256: str
    payload_size_bytes: int
    payload_format: str
    file_name: str
    entries: int
    unpacked_size_bytes: int
    create_time: datetime
    created_by: str
    deployment_id: str
    pin_reason: str
    pinned_by: str
    kind: str
    source: Mapping[str, Any] | None
    install_method: str
    validation_skipped: bool


@dataclass(frozen=True, slots=True)
class Deployment(_FromRow):
    """One attempt to make a release live; see the table for what the fields mean."""

    number: int
    id: str
    project: str
    environment: str
    kind: DeploymentKind
    status: DeploymentStatus
    status_reason: str
    status_message: str
    request_digest: str
    release_id: int | None
    version: str
    payload_format: str
    file_name: str
    payload_sha256: str
    content_sha256: str
    payload_size_bytes: int | None
    durable_bytes: int
    received_bytes: int
    reused_bytes: int
    stored_bytes: int
    deployed_by: str
    peer: str
    request_id: str
    trace_context: str
    create_time: datetime
    record_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None
    queue_order: int | None
    generation: int
    rollback_of: str
    restored_deployment_id: str
    rolled_back_by: str
    previous_deployment_id: str
    previous_version: str
    expected_live_deployment_id: str | None
    queue_policy: QueuePolicy
    gate_id: str
    retry_of: str
    labels: Mapping[str, str]
    owner_epoch: int
    owner_node_id: str
    supersede_requested_by: str
    cancelled_by: str
    cancel_reason: str
    intended_outcome: str
    revert_generation: int
    last_generation: int
    strategy: Mapping[str, Any] | None
    failure_policy: str
    covered_nodes: int
    passed_canary_steps: int
    waiting_gate_id: str
    canary_due_time: datetime | None
    promoted_gate_id: str
    promoted_by: str
    paused_by: str
    pause_reason: str
    error: Mapping[str, Any] | None
    last_sequence: int
    compacted_through: int
    total_findings: int
    bundle_kind: str
    skip_validation: bool
    skip_dependencies: bool
    skip_tests: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", DeploymentKind(self.kind))
        object.__setattr__(self, "status", DeploymentStatus(self.status))
        object.__setattr__(self, "queue_policy", QueuePolicy(self.queue_policy))

    @property
    def has_ended(self) -> bool:
        """Whether its status is terminal."""
        return self.status in TERMINAL

    @property
    def open_gate_id(self) -> str:
        """The gate of the canary step at which it stands; empty where nobody has to pass it any more."""
        return "" if self.waiting_gate_id == self.promoted_gate_id else self.waiting_gate_id

    @property
    def waits_for_person(self) -> bool:
        """Whether only a person can let it go on: it is staged, paused, or at a gate without a time."""
        if self.status is DeploymentStatus.PAUSED:
            # Without a name it was resumed, and is about to go on.
            return bool(self.paused_by)
        at_gate = self.status is DeploymentStatus.ROLLING_OUT and bool(self.open_gate_id)
        return self.status in WAITING or (at_gate and self.canary_due_time is None)


@dataclass(frozen=True, slots=True)
class Live(_FromRow):
    """What a project has in an environment; ``live_*`` are empty while nothing ever was live."""

    project: str
    environment: str
    generation: int
    live_release_id: int | None
    live_deployment_id: str | None
    live_generation: int
    live_time: datetime | None
    settings_revision: int
    freeze_reason: str
    frozen_by: str
    freeze_time: datetime | None
    keep_releases: int | None
    keep_for_s: int | None
    keep_bytes: int | None
    rollback_targets: int | None
    strategy: Mapping[str, Any] | None
    failure_policy: str
    node_selector: Mapping[str, str]
    second_person: bool


@dataclass(frozen=True, slots=True)
class Event(_FromRow):
    """One numbered line of progress; ``body`` is as ``kind`` says (``journal`` names the kinds)."""

    deployment_id: str
    sequence: int
    time: datetime
    kind: str
    message: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditEntry(_FromRow):
    """Who did what, from where, with what result."""

    id: int
    time: datetime
    principal: str
    peer: str
    request_id: str
    action: str
    project: str
    environment: str
    deployment_id: str
    version: str
    from_status: str
    to_status: str
    result: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class AuditSeal(_FromRow):
    """A sealed batch of entries: those above the last one's ``last_id`` up to its own.

    ``head`` and what it is made from are defined in ``auditing/``. ``removal_id`` is the entry that tells
    that retention has removed the batch's.
    """

    number: int
    first_id: int
    last_id: int
    entry_count: int
    rows_sha256: str
    previous_head: str
    head: str
    time: datetime
    anchor_time: datetime | None = None
    removal_id: int | None = None


@dataclass(frozen=True, slots=True)
class Node(_FromRow):
    """One server as SQL knows it, whether or not it is alive."""

    id: str
    name: str
    environment: str
    roles: list[str]
    address: str
    server_version: str
    boot_number: int
    boot_time: datetime
    free_disk_bytes: int
    report_time: datetime
    cordon_reason: str
    cordoned_by: str
    cordon_time: datetime | None
    labels: Mapping[str, str]
    draining: bool
    upload_count: int
    rollout_count: int


@dataclass(frozen=True, slots=True)
class Assignment(_FromRow):
    """What a node should have of a project: ``release_id`` or, when that is None, nothing.

    ``request_id`` and ``trace_context`` are those of the call that made its deployment, for logs and traces.
    """

    node_id: str
    environment: str
    project: str
    release_id: int | None
    generation: int
    deployment_id: str
    request_id: str
    trace_context: str


@dataclass(frozen=True, slots=True)
class Activation(_FromRow):
    """What a node did about an assignment."""

    node_id: str
    environment: str
    project: str
    generation: int
    node_name: str
    deployment_id: str
    release_id: int | None
    version: str
    status: ActivationStatus
    told_status: str
    fetched_bytes: int
    reused_bytes: int
    installed_bytes: int
    total_bytes: int
    path: str
    message: str
    start_time: datetime | None
    end_time: datetime | None
    report_time: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", ActivationStatus(self.status))


@dataclass(frozen=True, slots=True)
class RolloutNode:
    """A node that a rollout covers. A generation is 0 until its turn has come, forth or back.

    ``inherited_generation`` is that of what a superseded rollout assigned it, or 0. ``activation`` is its
    newest: of the way back once it was assigned that, else of the way forth, else the inherited one.
    """

    id: str
    name: str
    failure_domain: str
    generation: int = 0
    revert_generation: int = 0
    activation: Activation | None = None
    inherited_generation: int = 0

    @property
    def is_touched(self) -> bool:
        """Whether it was assigned anything that is not live, by this rollout or by one that it superseded."""
        return bool(self.generation or self.inherited_generation)

    @property
    def newest_generation(self) -> int:
        """That of its newest assignment, by this rollout or by one that it superseded."""
        return self.revert_generation or self.generation or self.inherited_generation

    @property
    def own(self) -> Activation | None:
        """Its newest activation of this rollout."""
        return self.activation if self.generation or self.revert_generation else None

    @property
    def is_at_work(self) -> bool:
        """Whether it was told something and has not ended that."""
        return self.activation is not None and self.activation.status not in ACTIVATION_TERMINAL


@dataclass(frozen=True, slots=True)
class HookRun(_FromRow):
    """One run of a hook: ``lines`` are the last of ``line_count``; ``outcome`` is empty until it ended."""

    node_id: str
    environment: str
    project: str
    generation: int
    number: int
    deployment_id: str
    node_name: str
    hook: str
    kind: str
    taking_back: bool
    lines: Sequence[str]
    line_count: int
    ended: bool
    exit_code: int | None
    outcome: str
    told_lines: int
    told_ended: bool

"""A deployment's progress: numbered events, and snapshots of how it stands; rules as in ``models``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .models import Activation, ActivationStatus, Deployment, DeploymentStatus, Finding


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The deployment's status changed; ``from_status`` is None in the first event."""

    from_status: DeploymentStatus | None
    to_status: DeploymentStatus
    reason: str


@dataclass(frozen=True, slots=True)
class NodeStep:
    """One node took a step; ``message`` says why it failed."""

    node_id: str
    node_name: str
    status: ActivationStatus
    message: str


@dataclass(frozen=True, slots=True)
class NodesStepped:
    """One or more nodes took a step."""

    steps: tuple[NodeStep, ...]


@dataclass(frozen=True, slots=True)
class ContentExamined:
    """The payload's content was examined."""

    content_sha256: str
    entries: int
    unpacked_size_bytes: int
    findings: tuple[Finding, ...]
    total_findings: int


@dataclass(frozen=True, slots=True)
class CanaryStepReached:
    """A canary step, counted from 1, was reached: ``node_count`` nodes have ended their work.

    It waits until ``due_time``, or where that is None for a person to pass the gate.
    """

    step: int
    total_steps: int
    node_count: int
    gate_id: str
    due_time: datetime | None


@dataclass(frozen=True, slots=True)
class CanaryStepPassed:
    """A canary step was passed, by who is named, or by its time."""

    step: int
    total_steps: int
    promoted_by: str


class HookKind(StrEnum):
    """When in an activation a node runs a hook of its settings."""

    UNKNOWN = "unknown"
    BEFORE_SWITCH = "before_switch"
    RESTART = "restart"
    AFTER_SWITCH = "after_switch"
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class NodeHookOutput:
    """What one run of a hook on one node did since the last event that told of it.

    ``exit_code`` is None while it runs and where something else ended it; ``outcome`` says how it ended.
    ``taking_back``: it was run for the release that was live before, after a failure. ``skipped_lines``
    before ``lines`` were left out.
    """

    node_id: str
    node_name: str
    hook: str
    kind: HookKind
    taking_back: bool
    lines: tuple[str, ...]
    skipped_lines: int
    ended: bool
    exit_code: int | None
    outcome: str


@dataclass(frozen=True, slots=True)
class HookOutput:
    """Hooks or health checks of nodes began, went on or ended."""

    outputs: tuple[NodeHookOutput, ...]


EventDetail = (
    StatusChanged | NodesStepped | ContentExamined | HookOutput | CanaryStepReached | CanaryStepPassed
)


@dataclass(frozen=True, slots=True)
class Event:
    """One numbered line of a deployment's progress.

    ``detail`` is None for a kind of event that a newer server sends; ``message`` says it in any case.
    """

    deployment_id: str
    sequence: int
    time: datetime | None
    message: str
    detail: EventDetail | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things stand now, beside the numbered events."""

    deployment: Deployment
    compacted_through: int
    activations: tuple[Activation, ...]

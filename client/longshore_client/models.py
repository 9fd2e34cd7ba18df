"""What calls give back: frozen values without a trace of protobuf.

Times are aware datetimes in UTC, None where the server left them unset; sizes are bytes; ids are UUIDs as
text. Enum values are lower-case words that are stable for programs; ``UNKNOWN`` stands for a value that a
newer server sends and this client does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DeploymentKind(StrEnum):
    """Which call made a deployment."""

    UNKNOWN = "unknown"
    UPLOAD = "upload"
    RELEASE = "release"
    ROLLBACK = "rollback"
    UNDEPLOY = "undeploy"


class DeploymentStatus(StrEnum):
    """Where a deployment stands; a terminal status never changes again."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    RECEIVING = "receiving"
    VALIDATING = "validating"
    STAGED = "staged"
    QUEUED = "queued"
    ROLLING_OUT = "rolling_out"
    REVERTING = "reverting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"

    @property
    def terminal(self) -> bool:
        """Whether the deployment has ended."""
        return self in _TERMINAL

    @property
    def waiting(self) -> bool:
        """Whether the deployment goes on only when a person lets it."""
        return self is DeploymentStatus.STAGED


_TERMINAL = frozenset(
    {
        DeploymentStatus.SUCCEEDED,
        DeploymentStatus.FAILED,
        DeploymentStatus.CANCELLED,
        DeploymentStatus.SUPERSEDED,
    }
)


class ActivationStatus(StrEnum):
    """Where one node stands with one deployment."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    FETCHING = "fetching"
    SWITCHING = "switching"
    LIVE = "live"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    REMOVED = "removed"


class PayloadFormat(StrEnum):
    """How a payload is unpacked on the nodes; ``UNKNOWN`` in a request lets the server detect it."""

    UNKNOWN = "unknown"
    TAR = "tar"
    TAR_GZ = "tar.gz"
    TAR_ZST = "tar.zst"
    TAR_XZ = "tar.xz"
    ZIP = "zip"
    FILE = "file"


class VersionBump(StrEnum):
    """Which number of the highest release's version is raised."""

    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"


class QueuePolicy(StrEnum):
    """What becomes of a deployment beside unfinished ones of the same project and environment."""

    WAIT = "wait"
    SUPERSEDE = "supersede"
    FAIL = "fail"


class Severity(StrEnum):
    """How bad a finding is; only errors stop a deployment."""

    UNKNOWN = "unknown"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class NodeRole(StrEnum):
    """What a node does."""

    UNKNOWN = "unknown"
    RECEIVE = "receive"
    CONTROL = "control"
    INSTALL = "install"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something noticed about a payload's content."""

    code: str
    severity: Severity
    message: str
    path: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Validation:
    """What examining a payload told; ``findings`` are the first of ``total_findings``, errors first.

    ``version`` is the one that it would become, empty when it is not ``valid``.
    """

    valid: bool
    version: str
    payload_sha256: str
    payload_size_bytes: int
    content_sha256: str
    payload_format: PayloadFormat
    entries: int
    unpacked_size_bytes: int
    findings: tuple[Finding, ...]
    total_findings: int


@dataclass(frozen=True, slots=True)
class DeploymentError:
    """Why a deployment ended without success."""

    reason: str
    message: str
    findings: tuple[Finding, ...]
    total_findings: int


@dataclass(frozen=True, slots=True)
class TransferStats:
    """What an upload moved and stored; ``reused_bytes`` were stored already."""

    durable_bytes: int
    received_bytes: int
    reused_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """How many of a deployment's nodes are in which state."""

    expected: int
    pending: int
    working: int
    live: int
    failed: int
    removed: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """One attempt to make a release live in an environment."""

    deployment_id: str
    project: str
    environment: str
    kind: DeploymentKind
    status: DeploymentStatus
    status_reason: str
    status_message: str
    version: str
    payload_sha256: str
    content_sha256: str
    payload_size_bytes: int | None
    payload_present: bool
    payload_format: PayloadFormat
    transfer: TransferStats | None
    deployed_by: str
    peer: str
    request_id: str
    create_time: datetime | None
    record_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None
    generation: int
    rollback_of: str
    previous_deployment_id: str
    previous_version: str
    live: bool
    rolled_back_by: str
    node_counts: NodeCounts
    last_sequence: int
    error: DeploymentError | None
    waiting_gate_id: str
    retry_of: str
    labels: Mapping[str, str]
    cancelled_by: str


@dataclass(frozen=True, slots=True)
class Activation:
    """What one node did for one deployment."""

    node_id: str
    node_name: str
    environment: str
    project: str
    generation: int
    deployment_id: str
    version: str
    status: ActivationStatus
    fetched_bytes: int
    reused_bytes: int
    installed_bytes: int
    total_bytes: int
    path: str
    message: str
    start_time: datetime | None
    end_time: datetime | None


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


EventDetail = StatusChanged | NodesStepped | ContentExamined | HookOutput


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

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

from .bundle_models import Bundle, BundleKind
from .strategies import FailurePolicy, RolloutStrategy


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
    PAUSED = "paused"
    REVERTING = "reverting"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"

    @property
    def terminal(self) -> bool:
        """Whether the deployment has ended."""
        return self in _TERMINAL

    @property
    def successful(self) -> bool:
        """Whether it ended with its release live (or taken off): PARTIAL too, though some nodes failed."""
        return self in _SUCCESSFUL


_SUCCESSFUL = frozenset({DeploymentStatus.SUCCEEDED, DeploymentStatus.PARTIAL})
_TERMINAL = _SUCCESSFUL | {
    DeploymentStatus.FAILED,
    DeploymentStatus.CANCELLED,
    DeploymentStatus.SUPERSEDED,
}


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

    ``version`` is the one that it would become, empty when it is not ``valid``. ``bundle`` is None when it
    could not be unpacked.
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
    bundle: Bundle | None
    workflow_count: int


@dataclass(frozen=True, slots=True)
class DeploymentError:
    """Why a deployment ended without success."""

    reason: str
    message: str
    findings: tuple[Finding, ...]
    total_findings: int


@dataclass(frozen=True, slots=True)
class TransferStats:
    """What an upload moved and stored; ``reused_bytes`` were stored already.

    Where the caller may not read the project's payloads, ``stored_bytes`` is all that was sent, uncompressed
    and whether or not it was there, and ``reused_bytes`` leaves that out.
    """

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
    """One attempt to make a release live in an environment.

    ``strategy`` and ``failure_policy`` are None until the rollout begins, where its call set none.
    ``waiting_gate_id`` is what ``Client.promote`` passes; at a canary step with a ``canary_due_time`` it is
    passed by itself then. ``bundle_kind`` is None until its release is recorded, and for an undeploy.
    """

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
    strategy: RolloutStrategy | None
    failure_policy: FailurePolicy | None
    paused_by: str
    pause_reason: str
    passed_canary_steps: int
    canary_due_time: datetime | None
    bundle_kind: BundleKind | None
    validation_skipped: bool
    dependencies_skipped: bool
    tests_skipped: bool

    @property
    def waits_for_person(self) -> bool:
        """Whether it goes on only when a person lets it: staged, paused, or at a gate of a canary."""
        if self.status is DeploymentStatus.PAUSED:
            # Without a name it was resumed, and is about to go on.
            return bool(self.paused_by)
        at_gate = bool(self.waiting_gate_id) and self.canary_due_time is None
        return self.status is DeploymentStatus.STAGED or (at_gate and not self.status.terminal)


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

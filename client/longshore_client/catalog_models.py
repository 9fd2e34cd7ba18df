"""What the calls about projects, releases, nodes and the audit trail give back; rules as in ``models``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from .bundle_models import Bundle, BundleKind, InstallMethod, Source
from .models import DeploymentStatus, NodeRole, PayloadFormat
from .strategies import FailurePolicy, RolloutStrategy


@dataclass(frozen=True, slots=True)
class Project:
    """What is versioned; ``kind`` is None before its first release."""

    project: str
    display_name: str
    create_time: datetime | None
    kind: BundleKind | None


class Default(Enum):
    """A value that goes back to its default."""

    SERVERS = "servers"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long payloads are kept for an environment: None as the servers' settings say, 0 without limit."""

    keep_releases: int | None = None
    max_age: timedelta | None = None
    max_size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ProjectEnvironment:
    """What a project has live in one environment; empty fields where nothing ever was.

    ``strategy`` and ``failure_policy`` are those of rollouts there that tell none of their own; None as the
    servers do by themselves: all nodes at once, and taken back. With ``second_person`` what is deployed there
    waits until somebody else promotes it; with ``environment_second_person`` what is deployed of any project
    does, whatever is set for this one.
    """

    project: str
    environment: str
    live_version: str
    live_deployment_id: str
    live_generation: int
    live_time: datetime | None
    etag: str
    freeze_reason: str
    frozen_by: str
    freeze_time: datetime | None
    retention: Retention
    kept_rollback_targets: int | None
    strategy: RolloutStrategy | None
    failure_policy: FailurePolicy | None
    node_selector: Mapping[str, str]
    second_person: bool
    environment_second_person: bool


@dataclass(frozen=True, slots=True)
class Environment:
    """What is set for an environment as a whole, whatever the project; see ``ProjectEnvironment``."""

    environment: str
    second_person: bool


@dataclass(frozen=True, slots=True)
class ProjectOverview:
    """A project and what it has live in each environment."""

    project: Project
    environments: tuple[ProjectEnvironment, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """Project, version and payload: unique and unchangeable.

    ``bundle`` is whole where one release is asked for; in lists it has only its kind.
    ``source`` is where its payload was first taken from, ``install_method`` who or what first deployed it;
    None where nobody said. With ``validation_skipped`` it was recorded although errors were found in it.
    """

    project: str
    version: str
    payload_sha256: str
    content_sha256: str
    payload_size_bytes: int
    payload_present: bool
    payload_format: PayloadFormat
    file_name: str
    entries: int
    unpacked_size_bytes: int
    create_time: datetime | None
    created_by: str
    deployment_id: str
    pin_reason: str
    pinned_by: str
    bundle: Bundle
    source: Source | None
    install_method: InstallMethod | None
    validation_skipped: bool


@dataclass(frozen=True, slots=True)
class PayloadDeletion:
    """A release's payload that was deleted; both sizes are 0 where none was stored any more.

    ``freed_size_bytes`` were stored for it alone and are freed; ``shared_size_bytes`` lie in pack files that
    something else needs as well, and stay for now. What projects need whose payloads the caller may not read
    counts as freed, too: it is not told apart, and stays in the store.
    """

    project: str
    version: str
    freed_size_bytes: int
    shared_size_bytes: int


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change: who did what, from where, with what result; no status where none changed."""

    entry_id: int
    time: datetime | None
    principal: str
    peer: str
    action: str
    project: str
    environment: str
    version: str
    deployment_id: str
    from_status: DeploymentStatus | None
    to_status: DeploymentStatus | None
    message: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Node:
    """One running server.

    ``upload_count`` and ``rollout_count`` are what it takes and drives just now, as it last told.
    """

    node_id: str
    node_name: str
    environment: str
    roles: tuple[NodeRole, ...]
    address: str
    server_version: str
    alive: bool
    boot_number: int
    boot_time: datetime | None
    free_disk_bytes: int
    report_time: datetime | None
    cordon_reason: str
    cordoned_by: str
    cordon_time: datetime | None
    labels: Mapping[str, str]
    draining: bool
    upload_count: int
    rollout_count: int

    @property
    def is_drained(self) -> bool:
        """Whether it has told, since its drain began, that nothing is left that it takes or drives."""
        if not self.draining or self.report_time is None or self.cordon_time is None:
            return False
        return self.report_time >= self.cordon_time and not (self.upload_count or self.rollout_count)


@dataclass(frozen=True, slots=True)
class NodeRemoved:
    """A node that was taken off the list, where nodes are watched."""

    node_name: str
    removed: bool = True


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that somebody holds: a node (its UUID and name), or a command; the place for a rollout's."""

    name: str
    holder: str
    node_name: str
    project: str
    environment: str
    deployment_id: str
    waiting: int


@dataclass(frozen=True, slots=True)
class Cutting:
    """How the server wants payloads cut into chunks."""

    algorithm: str
    min_size_bytes: int
    average_size_bytes: int
    max_size_bytes: int
    digest_function: str
    codec: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What an upload may not exceed; 0 where the server names no limit."""

    max_payload_size_bytes: int
    max_message_size_bytes: int
    max_find_missing_digests: int
    max_archive_entries: int
    max_unpacked_size_bytes: int
    upload_idle_timeout_s: float
    max_chunks: int
    max_uploads_at_once: int
    max_uploads_waiting: int
    upload_memory_size_bytes: int
    staging_size_bytes: int
    min_upload_bytes_per_second: int


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The server that answered."""

    server_version: str
    node_id: str
    node_name: str
    environment: str
    roles: tuple[NodeRole, ...]
    cutting: Cutting
    limits: Limits


@dataclass(frozen=True, slots=True)
class PayloadInfo:
    """A stored payload as a download describes it."""

    payload_sha256: str
    size_bytes: int
    payload_format: PayloadFormat
    file_name: str

"""The columns of every table, and the colours of what they say."""

from __future__ import annotations

from typing import Final

from longshore_client.catalog_models import AuditEntry, Lock, Node, Project, ProjectEnvironment, Release
from longshore_client.models import (
    Activation,
    ActivationStatus,
    Deployment,
    DeploymentStatus,
    Finding,
    Severity,
)

from .bundle_words import kind_words, source_words
from .rollout_words import canary_step_number, is_at_canary_step
from .tables import Column
from .wording import ago, count, labels_words, short_id, size, stamp, words

_WIDTH_FOR_WHOLE_IDS: Final = 110

_STATUS_COLORS: Final = {
    DeploymentStatus.SUCCEEDED: "green",
    DeploymentStatus.FAILED: "red",
    DeploymentStatus.REVERTING: "red",
    DeploymentStatus.SUPERSEDED: "yellow",
    DeploymentStatus.CANCELLED: "yellow",
    DeploymentStatus.PARTIAL: "yellow",
}
_WAITING_COLOR: Final = "magenta"
_ACTIVATION_COLORS: Final = {
    ActivationStatus.LIVE: "green",
    ActivationStatus.FAILED: "red",
    ActivationStatus.FETCHING: "cyan",
    ActivationStatus.SWITCHING: "cyan",
}


def status_words(deployment: Deployment) -> str:
    """A deployment's status as words, with the reason where there is one."""
    if deployment.live:
        return "live (partial)" if deployment.status is DeploymentStatus.PARTIAL else "live"
    if is_at_canary_step(deployment):
        total = len(deployment.strategy.canary_steps) if deployment.strategy else 0
        return f"{words(deployment.status)} (canary {canary_step_number(deployment)}/{total})"
    reason = f" ({words(deployment.status_reason)})" if deployment.status_reason else ""
    return f"{words(deployment.status)}{reason}"


def status_color(deployment: Deployment) -> str | None:
    """The colour of a deployment's status."""
    if deployment.status is DeploymentStatus.SUCCEEDED and not deployment.live:
        return None
    if deployment.waits_for_person:
        return _WAITING_COLOR
    return _STATUS_COLORS.get(deployment.status, "cyan")


def activation_color(status: ActivationStatus) -> str | None:
    """The colour of a node's status."""
    return _ACTIVATION_COLORS.get(status)


def nodes_words(deployment: Deployment) -> str:
    """On how many of its nodes a deployment is done; empty before the rollout."""
    counts = deployment.node_counts
    return f"{counts.live + counts.removed}/{counts.expected}" if counts.expected else ""


def deployment_columns(width: int | None) -> list[Column[Deployment]]:
    """The columns of ``longshore list``; ids are whole where there is room."""
    whole_ids = width is None or width >= _WIDTH_FOR_WHOLE_IDS
    return [
        Column("DEPLOYMENT", lambda d: d.deployment_id if whole_ids else short_id(d.deployment_id)),
        Column("PROJECT", lambda d: d.project, flexible=True),
        Column("VERSION", lambda d: d.version or "-", flexible=True),
        Column("ENVIRONMENT", lambda d: d.environment, importance=3),
        Column("KIND", lambda d: words(d.kind), importance=5),
        Column("STATUS", status_words, color=status_color, flexible=True),
        Column("NODES", nodes_words, importance=2, right=True),
        Column("SENT", _sent_words, importance=6, right=True),
        Column("WHEN", lambda d: ago(d.create_time), importance=1),
        Column("BY", lambda d: d.deployed_by, importance=4, flexible=True),
    ]


def _sent_words(deployment: Deployment) -> str:
    return size(deployment.transfer.received_bytes) if deployment.transfer else ""


def _place_words(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}" if finding.line else finding.path


ACTIVATION_COLUMNS: Final[list[Column[Activation]]] = [
    Column("NODE", lambda a: a.node_name, flexible=True),
    Column("STATUS", lambda a: words(a.status), color=lambda a: activation_color(a.status)),
    Column("FETCHED", lambda a: size(a.fetched_bytes), importance=3, right=True),
    Column("REUSED", lambda a: size(a.reused_bytes), importance=4, right=True),
    Column("SINCE", lambda a: ago(a.end_time or a.start_time), importance=2),
    Column("WHERE", lambda a: a.path, importance=5, flexible=True),
    Column("MESSAGE", lambda a: a.message, importance=1, flexible=True),
]

PROJECT_COLUMNS: Final[list[Column[Project]]] = [
    Column("PROJECT", lambda p: p.project),
    Column("KIND", lambda p: kind_words(p.kind), importance=3),
    Column("NAME", lambda p: p.display_name, importance=1, flexible=True),
    Column("SINCE", lambda p: ago(p.create_time), importance=2),
]

ENVIRONMENT_COLUMNS: Final[list[Column[ProjectEnvironment]]] = [
    Column("ENVIRONMENT", lambda e: e.environment),
    Column("LIVE", lambda e: e.live_version or "-", color=lambda _: "green"),
    Column("SINCE", lambda e: ago(e.live_time), importance=1),
    Column("FROZEN", lambda e: e.freeze_reason, color=lambda _: "yellow", flexible=True, remark=True),
    Column("ONLY NODES", lambda e: labels_words(e.node_selector), importance=2, flexible=True, remark=True),
    Column("DEPLOYMENT", lambda e: e.live_deployment_id, importance=2),
]


def node_words(node: Node) -> str:
    """How a node stands: whether it is alive, and what a drain waits for."""
    alive = "alive" if node.alive else "away"
    if not node.draining:
        return alive
    left = [count(node.upload_count, "upload")] if node.upload_count else []
    left += [count(node.rollout_count, "rollout")] if node.rollout_count else []
    how = "drained" if node.is_drained else f"draining ({', '.join(left)})" if left else "draining"
    return how if node.alive else f"{alive}, {how}"


def _node_color(node: Node) -> str:
    return "yellow" if node.alive and node.draining else "green" if node.alive else "red"


NODE_COLUMNS: Final[list[Column[Node]]] = [
    Column("NODE", lambda n: n.node_name, flexible=True),
    Column("ENVIRONMENT", lambda n: n.environment),
    Column("STATE", node_words, color=_node_color),
    Column("CORDON", lambda n: n.cordon_reason, color=lambda _: "yellow", flexible=True, remark=True),
    Column("ROLES", lambda n: ",".join(n.roles), importance=3),
    Column("LABELS", lambda n: labels_words(n.labels), importance=3, flexible=True),
    Column("FREE DISK", lambda n: size(n.free_disk_bytes), importance=2, right=True),
    Column("VERSION", lambda n: n.server_version, importance=4),
    Column("ADDRESS", lambda n: n.address, importance=1),
    Column("STARTED", lambda n: ago(n.boot_time), importance=5),
    Column("HEARD", lambda n: ago(n.report_time), importance=6),
]

AUDIT_COLUMNS: Final[list[Column[AuditEntry]]] = [
    Column("TIME", lambda e: stamp(e.time)),
    Column("WHO", lambda e: e.principal, flexible=True),
    Column("ACTION", lambda e: e.action, flexible=True),
    Column("PROJECT", lambda e: e.project, importance=1, flexible=True),
    Column("VERSION", lambda e: e.version, importance=3),
    Column("ENVIRONMENT", lambda e: e.environment, importance=5),
    Column("STATUS", lambda e: words(e.to_status) if e.to_status else "", importance=4),
    Column("DEPLOYMENT", lambda e: short_id(e.deployment_id), importance=2),
    Column("FROM", lambda e: e.peer, importance=7),
    Column("MESSAGE", lambda e: e.message, importance=6, flexible=True),
]

_SEVERITY_COLORS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow"}

FINDING_COLUMNS: Final[list[Column[Finding]]] = [
    Column("SEVERITY", lambda f: words(f.severity), color=lambda f: _SEVERITY_COLORS.get(f.severity)),
    Column("CODE", lambda f: f.code, flexible=True),
    Column("WHERE", _place_words, importance=1, flexible=True),
    Column("MESSAGE", lambda f: f.message, flexible=True),
]

LOCK_COLUMNS: Final[list[Column[Lock]]] = [
    Column("LOCK", lambda k: k.name, flexible=True),
    Column("HELD BY", lambda k: k.node_name or k.holder, flexible=True),
    Column("DEPLOYMENT", lambda k: short_id(k.deployment_id), importance=1),
    Column("WAITING", lambda k: str(k.waiting), importance=2, right=True),
]


def _stored_words(release: Release) -> str:
    if not release.payload_present:
        return "no"
    return "pinned" if release.pin_reason else "yes"


def release_columns(live_in: dict[str, list[str]]) -> list[Column[Release]]:
    """The columns of ``longshore releases``; ``live_in`` tells the environments of each version."""
    return [
        Column("VERSION", lambda r: r.version),
        Column("LIVE IN", lambda r: ", ".join(live_in.get(r.version, ())), color=lambda _: "green"),
        Column("SIZE", lambda r: size(r.payload_size_bytes), importance=1, right=True),
        Column("ENTRIES", lambda r: f"{r.entries:,}", importance=4, right=True),
        Column("FORMAT", lambda r: r.payload_format, importance=5),
        Column("STORED", _stored_words, importance=6),
        Column("CREATED", lambda r: ago(r.create_time), importance=2),
        Column("BY", lambda r: r.created_by, importance=3, flexible=True),
        Column("CONTENT", lambda r: f"sha256:{r.content_sha256[:12]}", importance=7),
        Column("KIND", lambda r: kind_words(r.bundle.kind), importance=8),
        Column("SOURCE", lambda r: source_words(r.source), importance=9, flexible=True),
    ]

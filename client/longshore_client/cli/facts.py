"""What is known about one deployment, as lines for people."""

from __future__ import annotations

from longshore_client.catalog_models import Release
from longshore_client.models import Deployment, DeploymentKind, NodeCounts

from .bundle_words import bundle_words, kind_words, needs_words, runtimes_words, source_words
from .columns import nodes_words, status_color, status_words
from .rollout_words import policy_words, strategy_words, waiting_words
from .tables import Fact
from .wording import ago, count, duration, labels_words, moment, safe, share, size, words


def deployment_facts(deployment: Deployment, release: Release | None) -> list[Fact]:
    """What there may be to know about it, and about its release; texts are empty where nothing is known."""
    d, bundle = deployment, release.bundle if release else None
    previous = f"{d.previous_version} ({d.previous_deployment_id})"
    return [
        Fact("deployment", d.deployment_id),
        Fact("project", d.project),
        Fact("version", d.version),
        Fact("environment", d.environment),
        Fact("kind", words(d.kind)),
        Fact("bundle", bundle_words(bundle) if bundle else kind_words(d.bundle_kind)),
        Fact("needs", needs_words(bundle) if bundle else ""),
        Fact("runtimes", runtimes_words(bundle) if bundle else ""),
        Fact("source", source_words(release.source) if release else ""),
        Fact("status", status_words(d), status_color(d)),
        Fact("", d.status_message if not d.error else ""),
        Fact("waits", waiting_words(d) if d.waits_for_person or d.canary_due_time else ""),
        Fact("error", f"{d.error.reason}: {d.error.message}" if d.error else ""),
        Fact("nodes", _nodes_facts(d)),
        Fact("strategy", strategy_words(d.strategy) if d.strategy else ""),
        Fact("on failure", policy_words(d.failure_policy) if d.failure_policy else ""),
        Fact("payload", _payload_words(d)),
        Fact("content", f"sha256:{d.content_sha256}" if d.content_sha256 else ""),
        Fact("transfer", transfer_words(d)),
        Fact("previous", previous if d.previous_version else ""),
        Fact("takes back", d.rollback_of),
        Fact("tries again", d.retry_of),
        Fact("waits at gate", d.waiting_gate_id),
        Fact("skipped", _skipped_words(d)),
        Fact("labels", labels_words(d.labels)),
        Fact("cancelled by", d.cancelled_by),
        Fact("taken back by", d.rolled_back_by),
        Fact("by", f"{d.deployed_by} from {d.peer}" if d.peer else d.deployed_by),
        Fact("created", f"{moment(d.create_time)} ({ago(d.create_time)})" if d.create_time else ""),
        Fact("ended", f"{moment(d.end_time)}{_after(d)}" if d.end_time else ""),
        Fact("request id", d.request_id),
    ]


def transfer_words(deployment: Deployment) -> str:
    """What the upload moved; empty where there was none."""
    moved = deployment.transfer
    whole = deployment.payload_size_bytes
    if moved is None or not whole:
        return ""
    sent = f"{size(moved.received_bytes)} sent for {size(whole)}"
    return f"{sent}; {share(moved.reused_bytes, whole)} was stored already" if moved.reused_bytes else sent


def outcome_words(deployment: Deployment) -> str:
    """How a deployment ended, in one sentence."""
    d = deployment
    what = safe(f"{d.project} {d.version}".strip())
    counts = d.node_counts
    if d.status.successful and d.kind is DeploymentKind.UNDEPLOY:
        return f"{what} is off the nodes of {safe(d.environment)}: {_of_nodes(counts.removed, counts)}"
    if d.status.successful:
        return f"{what} is live in {safe(d.environment)} on {_of_nodes(counts.live, counts)}"
    if d.kind is DeploymentKind.UNDEPLOY:
        return f"{what} is not off the nodes of {safe(d.environment)}: the undeploy {_ended_words(d)}"
    return f"{what} is not live in {safe(d.environment)}: the deployment {_ended_words(d)}"


def _of_nodes(done: int, counts: NodeCounts) -> str:
    if done >= counts.expected:
        return count(done, "node")
    return f"{done} of {count(counts.expected, 'node')}"


def _ended_words(deployment: Deployment) -> str:
    status = words(deployment.status)
    return f"was {status}" if status in ("cancelled", "superseded") else status


def _nodes_facts(deployment: Deployment) -> str:
    counts = deployment.node_counts
    if not counts.expected:
        return ""
    where = "taken off" if deployment.kind is DeploymentKind.UNDEPLOY else "live on"
    to_come = f", {counts.pending} to come" if counts.pending and not deployment.status.terminal else ""
    failed = f", failed on {counts.failed}" if counts.failed else ""
    return f"{where} {nodes_words(deployment)}{failed}{to_come}"


def _skipped_words(deployment: Deployment) -> str:
    skipped = {
        "validation": deployment.validation_skipped,
        "dependencies": deployment.dependencies_skipped,
        "tests": deployment.tests_skipped,
    }
    return ", ".join(name for name, is_skipped in skipped.items() if is_skipped)


def _payload_words(deployment: Deployment) -> str:
    if deployment.payload_size_bytes is None:
        return ""
    gone = "" if deployment.payload_present else ", no longer stored"
    return (
        f"{size(deployment.payload_size_bytes)} {deployment.payload_format}, "
        f"sha256:{deployment.payload_sha256}{gone}"
    )


def _after(deployment: Deployment) -> str:
    if deployment.create_time is None or deployment.end_time is None:
        return ""
    return f" (after {duration((deployment.end_time - deployment.create_time).total_seconds())})"

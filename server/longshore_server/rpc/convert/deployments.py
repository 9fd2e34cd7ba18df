"""A deployment, its findings, what nodes did for it, and the audit trail."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from longshore.v1 import deployment_pb2, deployment_service_pb2, errors_pb2
from longshore_server.rpc.strategies import failure_policy_number, strategy_message
from longshore_storage.catalogue import rows
from longshore_storage.catalogue.deployments import NodeCount
from longshore_storage.catalogue.lifecycle import ActivationStatus
from longshore_storage.catalogue.strategy import Strategy

from .bundles import kind_number
from .values import format_number, number_of, status_number, timestamp

_WORKING = frozenset({ActivationStatus.FETCHING, ActivationStatus.SWITCHING})


def deployment(
    row: rows.Deployment,
    *,
    counts: Iterable[NodeCount] = (),
    live: bool = False,
    payload_present: bool = False,
) -> deployment_pb2.Deployment:
    """A deployment with what is known beside its row."""
    message = deployment_pb2.Deployment(
        deployment_id=row.id,
        project=row.project,
        environment=row.environment,
        kind=number_of(deployment_pb2.DeploymentKind, "DEPLOYMENT_KIND_", row.kind),
        status=status_number(row.status),
        status_reason=row.status_reason,
        status_message=row.status_message,
        version=row.version,
        payload_sha256=row.payload_sha256,
        content_sha256=row.content_sha256,
        payload_size_bytes=row.payload_size_bytes,
        payload_present=payload_present,
        deployed_by=row.deployed_by,
        peer=row.peer,
        request_id=row.request_id,
        create_time=timestamp(row.create_time),
        record_time=timestamp(row.record_time),
        start_time=timestamp(row.start_time),
        end_time=timestamp(row.end_time),
        generation=row.generation,
        rollback_of=row.rollback_of,
        previous_deployment_id=row.previous_deployment_id,
        previous_version=row.previous_version,
        live=live,
        rolled_back_by=row.rolled_back_by,
        last_sequence=row.last_sequence,
        payload_format=format_number(row.payload_format),
        node_counts=_node_counts(counts),
        waiting_gate_id=row.gate_id if row.status == "STAGED" else row.open_gate_id,
        retry_of=row.retry_of,
        labels=row.labels,
        cancelled_by=row.cancelled_by,
        strategy=strategy_message(Strategy.of_row(row.strategy)),
        failure_policy=failure_policy_number(row.failure_policy),
        paused_by=row.paused_by,
        pause_reason=row.pause_reason,
        passed_canary_steps=row.passed_canary_steps,
        canary_due_time=timestamp(row.canary_due_time),
        bundle_kind=kind_number(row.bundle_kind),
        validation_skipped=row.skip_validation,
        dependencies_skipped=row.skip_dependencies,
        tests_skipped=row.skip_tests,
    )
    if row.kind == "UPLOAD":
        message.transfer.CopyFrom(
            deployment_pb2.TransferStats(
                durable_bytes=row.durable_bytes,
                received_bytes=row.received_bytes,
                reused_bytes=row.reused_bytes,
                stored_bytes=row.stored_bytes,
            )
        )
    if row.error is not None:
        message.error.CopyFrom(
            deployment_pb2.DeploymentError(
                reason=number_of(errors_pb2.ErrorReason, "ERROR_REASON_", row.error["reason"]),
                message=row.error["message"],
                findings=findings(row.error["findings"]),
                total_findings=row.error["total_findings"],
            )
        )
    return message


def findings(told: Collection[Mapping[str, Any]]) -> list[deployment_pb2.Finding]:
    """Findings as rows and events keep them."""
    return [
        deployment_pb2.Finding(
            code=finding["code"],
            severity=number_of(deployment_pb2.Severity, "SEVERITY_", finding["severity"]),
            message=finding["message"],
            path=finding["path"],
            line=finding["line"],
        )
        for finding in told
    ]


def activation(row: rows.Activation) -> deployment_pb2.Activation:
    """What a node did."""
    return deployment_pb2.Activation(
        node_id=row.node_id,
        node_name=row.node_name,
        environment=row.environment,
        project=row.project,
        generation=row.generation,
        deployment_id=row.deployment_id,
        version=row.version,
        status=number_of(deployment_pb2.ActivationStatus, "ACTIVATION_STATUS_", row.status),
        fetched_bytes=row.fetched_bytes,
        reused_bytes=row.reused_bytes,
        installed_bytes=row.installed_bytes,
        total_bytes=row.total_bytes,
        path=row.path,
        message=row.message,
        start_time=timestamp(row.start_time),
        end_time=timestamp(row.end_time),
    )


def audit_entry(row: rows.AuditEntry) -> deployment_service_pb2.AuditEntry:
    """A row of the audit trail; the statuses of what is no deployment have no number."""
    return deployment_service_pb2.AuditEntry(
        entry_id=row.id,
        time=timestamp(row.time),
        principal=row.principal,
        peer=row.peer,
        action=row.action,
        project=row.project,
        environment=row.environment,
        deployment_id=row.deployment_id,
        from_status=status_number(row.from_status if row.deployment_id else ""),
        to_status=status_number(row.to_status if row.deployment_id else ""),
        message=row.message,
        request_id=row.request_id,
        version=row.version,
    )


def _node_counts(counts: Iterable[NodeCount]) -> deployment_pb2.NodeCounts:
    message = deployment_pb2.NodeCounts()
    for count in counts:
        message.expected += count.nodes
        status = ActivationStatus(count.status)
        if status is ActivationStatus.PENDING:
            message.pending += count.nodes
        elif status in _WORKING:
            message.working += count.nodes
        elif status is ActivationStatus.LIVE:
            message.live += count.nodes
        elif status is ActivationStatus.FAILED:
            message.failed += count.nodes
        elif status is ActivationStatus.REMOVED:
            message.removed += count.nodes
    return message

"""From rows to protobuf messages. With the servicers, the only place that knows protobuf."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from longshore.v1 import (
    catalog_service_pb2,
    cluster_service_pb2,
    deployment_pb2,
    deployment_service_pb2,
    errors_pb2,
    progress_pb2,
)
from longshore_server.deploying.environment_settings import etag_of
from longshore_server.refusal import invalid
from longshore_storage.catalogue import rows
from longshore_storage.catalogue.deployments import NodeCount, RollingPlace
from longshore_storage.catalogue.lifecycle import ActivationStatus
from longshore_storage.catalogue.projects import LiveVersion, Project
from longshore_storage.catalogue.strategy import Strategy
from longshore_storage.ports import HeldLock

from .strategies import failure_policy_number, strategy_message

_WORKING = frozenset({ActivationStatus.FETCHING, ActivationStatus.SWITCHING})


def timestamp(moment: datetime | None) -> Timestamp | None:
    """A moment, or nothing."""
    if moment is None:
        return None
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def moment(request: Any, field: str) -> datetime | None:
    """The moment in a field, or nothing. Raises ``Refusal`` for one that no calendar has."""
    if not request.HasField(field):
        return None
    try:
        return getattr(request, field).ToDatetime(tzinfo=UTC)  # type: ignore[no-any-return]
    except (ValueError, OverflowError):
        raise invalid(field, "is no moment between the years 1 and 9999") from None


def status_number(name: str) -> deployment_pb2.DeploymentStatus.ValueType:
    """A deployment's status by its name in rows; unspecified for an empty one."""
    return deployment_pb2.DeploymentStatus.Value(f"DEPLOYMENT_STATUS_{name or 'UNSPECIFIED'}")


def status_name(number: deployment_pb2.DeploymentStatus.ValueType) -> str:
    """The other way round; empty for unspecified."""
    name = deployment_pb2.DeploymentStatus.Name(number).removeprefix("DEPLOYMENT_STATUS_")
    return "" if name == "UNSPECIFIED" else name


def format_number(name: str) -> deployment_pb2.PayloadFormat.ValueType:
    """A payload's format by its name in rows."""
    return deployment_pb2.PayloadFormat.Value(f"PAYLOAD_FORMAT_{name or 'UNSPECIFIED'}")


def format_name(number: deployment_pb2.PayloadFormat.ValueType) -> str:
    """The other way round; empty for unspecified."""
    name = deployment_pb2.PayloadFormat.Name(number).removeprefix("PAYLOAD_FORMAT_")
    return "" if name == "UNSPECIFIED" else name


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
        kind=deployment_pb2.DeploymentKind.Value(f"DEPLOYMENT_KIND_{row.kind}"),
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
                reason=errors_pb2.ErrorReason.Value(f"ERROR_REASON_{row.error['reason']}"),
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
            severity=deployment_pb2.Severity.Value(f"SEVERITY_{finding['severity']}"),
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
        status=deployment_pb2.ActivationStatus.Value(f"ACTIVATION_STATUS_{row.status}"),
        fetched_bytes=row.fetched_bytes,
        reused_bytes=row.reused_bytes,
        installed_bytes=row.installed_bytes,
        total_bytes=row.total_bytes,
        path=row.path,
        message=row.message,
        start_time=timestamp(row.start_time),
        end_time=timestamp(row.end_time),
    )


def event(row: rows.Event) -> progress_pb2.ProgressEvent:
    """A numbered event; a kind that this version does not know has only its sentence."""
    message = progress_pb2.ProgressEvent(
        deployment_id=row.deployment_id,
        sequence=row.sequence,
        time=timestamp(row.time),
        message=row.message,
    )
    body = row.body
    if row.kind == "status_changed":
        message.status_changed.CopyFrom(
            progress_pb2.StatusChanged(
                from_status=status_number(body["from_status"]),
                to_status=status_number(body["to_status"]),
                reason=body["reason"],
            )
        )
    elif row.kind == "nodes_stepped":
        message.nodes_stepped.steps.extend(
            progress_pb2.NodeStep(
                node_id=step["node_id"],
                node_name=step["node_name"],
                status=deployment_pb2.ActivationStatus.Value(f"ACTIVATION_STATUS_{step['status']}"),
                message=step["message"],
            )
            for step in body["steps"]
        )
    elif row.kind == "content_examined":
        message.content_examined.CopyFrom(
            progress_pb2.ContentExamined(
                content_sha256=body["content_sha256"],
                entries=body["entries"],
                unpacked_size_bytes=body["unpacked_size_bytes"],
                findings=findings(body["findings"]),
                total_findings=body["total_findings"],
            )
        )
    elif row.kind == "canary_step_reached":
        message.canary_step_reached.CopyFrom(
            progress_pb2.CanaryStepReached(
                step=body["step"],
                total_steps=body["total_steps"],
                node_count=body["node_count"],
                gate_id=body["gate_id"],
                due_time=timestamp(datetime.fromisoformat(body["due_time"])) if body["due_time"] else None,
            )
        )
    elif row.kind == "canary_step_passed":
        message.canary_step_passed.CopyFrom(progress_pb2.CanaryStepPassed(**body))
    elif row.kind == "hook_output":
        message.hook_output.outputs.extend(_hook_output(output) for output in body["outputs"])
    return message


def _hook_output(output: Mapping[str, Any]) -> progress_pb2.NodeHookOutput:
    return progress_pb2.NodeHookOutput(
        node_id=output["node_id"],
        node_name=output["node_name"],
        hook=output["hook"],
        kind=progress_pb2.HookKind.Value(f"HOOK_KIND_{output['kind']}"),
        taking_back=output["taking_back"],
        lines=output["lines"],
        skipped_lines=output["skipped_lines"],
        ended=output["ended"],
        exit_code=output["exit_code"],
        outcome=output["outcome"],
    )


def audit_entry(row: rows.AuditEntry) -> deployment_service_pb2.AuditEntry:
    """A row of the audit trail."""
    return deployment_service_pb2.AuditEntry(
        entry_id=row.id,
        time=timestamp(row.time),
        principal=row.principal,
        peer=row.peer,
        action=row.action,
        project=row.project,
        environment=row.environment,
        deployment_id=row.deployment_id,
        from_status=status_number(row.from_status),
        to_status=status_number(row.to_status),
        message=row.message,
        request_id=row.request_id,
        version=row.version,
    )


def project(row: Project) -> catalog_service_pb2.Project:
    """A project."""
    return catalog_service_pb2.Project(
        project=row.name, display_name=row.display_name, create_time=timestamp(row.create_time)
    )


def project_environment(row: LiveVersion) -> catalog_service_pb2.ProjectEnvironment:
    """What is live."""
    return catalog_service_pb2.ProjectEnvironment(
        project=row.live.project,
        environment=row.live.environment,
        live_version=row.version or "",
        live_deployment_id=row.live.live_deployment_id or "",
        live_generation=row.live.live_generation,
        live_time=timestamp(row.live.live_time),
        etag=etag_of(row.live),
        freeze_reason=row.live.freeze_reason,
        frozen_by=row.live.frozen_by,
        freeze_time=timestamp(row.live.freeze_time),
        retention=_retention(row.live),
        kept_rollback_targets=row.live.rollback_targets,
        node_selector=row.live.node_selector,
        strategy=strategy_message(Strategy.of_row(row.live.strategy)),
        failure_policy=failure_policy_number(row.live.failure_policy),
    )


def _retention(live: rows.Live) -> catalog_service_pb2.Retention | None:
    if live.keep_releases is None and live.keep_for_s is None and live.keep_bytes is None:
        return None
    return catalog_service_pb2.Retention(
        keep_releases=live.keep_releases,
        max_age=None if live.keep_for_s is None else Duration(seconds=live.keep_for_s),
        max_size_bytes=live.keep_bytes,
    )


def release(row: rows.Release) -> catalog_service_pb2.Release:
    """A release."""
    return catalog_service_pb2.Release(
        project=row.project,
        version=row.version,
        payload_sha256=row.payload_sha256,
        content_sha256=row.content_sha256,
        payload_size_bytes=row.payload_size_bytes,
        payload_present=row.stored_payload is not None,
        payload_format=format_number(row.payload_format),
        file_name=row.file_name,
        entries=row.entries,
        unpacked_size_bytes=row.unpacked_size_bytes,
        create_time=timestamp(row.create_time),
        created_by=row.created_by,
        deployment_id=row.deployment_id,
        pin_reason=row.pin_reason,
        pinned_by=row.pinned_by,
    )


def roles(names: Iterable[str]) -> list[cluster_service_pb2.NodeRole.ValueType]:
    """Roles by their names in rows."""
    return [cluster_service_pb2.NodeRole.Value(f"NODE_ROLE_{name.upper()}") for name in names]


def node(row: rows.Node, *, alive: bool) -> cluster_service_pb2.Node:
    """A node."""
    return cluster_service_pb2.Node(
        node_id=row.id,
        node_name=row.name,
        environment=row.environment,
        roles=roles(row.roles),
        address=row.address,
        server_version=row.server_version,
        alive=alive,
        boot_number=row.boot_number,
        boot_time=timestamp(row.boot_time),
        free_disk_bytes=row.free_disk_bytes,
        report_time=timestamp(row.report_time),
        cordon_reason=row.cordon_reason,
        cordoned_by=row.cordoned_by,
        cordon_time=timestamp(row.cordon_time),
        labels=row.labels,
        draining=row.draining,
        upload_count=row.upload_count,
        rollout_count=row.rollout_count,
    )


def lock(held: HeldLock, *, node_name: str | None, rolling: RollingPlace | None) -> cluster_service_pb2.Lock:
    """A lock, with who holds it and what rolls out under it."""
    _, is_rollout, place = held.name.partition("rollout/")
    environment, _, project = place.partition("/")
    return cluster_service_pb2.Lock(
        name=held.name,
        holder=held.holder,
        node_name=node_name or "",
        project=project if is_rollout else "",
        environment=environment if is_rollout else "",
        deployment_id=rolling.deployment_id if rolling else "",
        waiting=held.waiting,
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

"""Deployments and their progress: from protobuf to ``models``, and the requests' enums to protobuf.

Total: unset fields become None or empty, enum numbers that this client does not know become ``UNKNOWN``.
"""

from __future__ import annotations

from typing import Final

from longshore.v1 import deployment_pb2, deployment_service_pb2, errors_pb2, progress_pb2

from . import events, models
from .bundle_conversion import bundle, optional_bundle_kind
from .message_fields import enum_table, optional_time, optional_value
from .strategy_conversion import optional_policy, optional_strategy

_KINDS: Final = enum_table(
    models.DeploymentKind, deployment_pb2.DeploymentKind.DESCRIPTOR, "DEPLOYMENT_KIND_"
)
_STATUSES: Final = enum_table(
    models.DeploymentStatus, deployment_pb2.DeploymentStatus.DESCRIPTOR, "DEPLOYMENT_STATUS_"
)
_STATUS_NUMBERS: Final = {
    status: deployment_pb2.DeploymentStatus.ValueType(number) for number, status in _STATUSES.items()
}
NO_STATUS: Final = deployment_pb2.DEPLOYMENT_STATUS_UNSPECIFIED
_ACTIVATION_STATUSES: Final = enum_table(
    models.ActivationStatus, deployment_pb2.ActivationStatus.DESCRIPTOR, "ACTIVATION_STATUS_"
)
_HOOK_KINDS: Final = enum_table(events.HookKind, progress_pb2.HookKind.DESCRIPTOR, "HOOK_KIND_")
_FORMATS: Final = enum_table(models.PayloadFormat, deployment_pb2.PayloadFormat.DESCRIPTOR, "PAYLOAD_FORMAT_")
_SEVERITIES: Final = enum_table(models.Severity, deployment_pb2.Severity.DESCRIPTOR, "SEVERITY_")


def status_number(status: models.DeploymentStatus) -> deployment_pb2.DeploymentStatus.ValueType:
    """The protobuf number of a status, for filters."""
    return _STATUS_NUMBERS.get(status, NO_STATUS)


def format_number(payload_format: models.PayloadFormat) -> deployment_pb2.PayloadFormat.ValueType:
    """The protobuf number of a format; ``UNKNOWN`` leaves the detection to the server."""
    name = f"PAYLOAD_FORMAT_{payload_format.name}"
    if payload_format is models.PayloadFormat.UNKNOWN:
        return deployment_pb2.PAYLOAD_FORMAT_UNSPECIFIED
    return deployment_pb2.PayloadFormat.Value(name)


def bump_number(bump: models.VersionBump) -> deployment_service_pb2.VersionBump.ValueType:
    """The protobuf number of a bump."""
    return deployment_service_pb2.VersionBump.Value(f"VERSION_BUMP_{bump.name}")


def optional_status(number: int) -> models.DeploymentStatus | None:
    """A status, None for the unspecified one."""
    return _STATUSES.get(number, models.DeploymentStatus.UNKNOWN) if number else None


def payload_format(number: int) -> models.PayloadFormat:
    """A payload's format."""
    return _FORMATS.get(number, models.PayloadFormat.UNKNOWN)


def finding(message: deployment_pb2.Finding) -> models.Finding:
    """One finding."""
    return models.Finding(
        code=message.code,
        severity=_SEVERITIES.get(message.severity, models.Severity.UNKNOWN),
        message=message.message,
        path=message.path,
        line=optional_value(message, "line"),
    )


def validation(message: deployment_service_pb2.Validation) -> models.Validation:
    """What examining a payload told."""
    return models.Validation(
        valid=message.valid,
        version=message.version,
        payload_sha256=message.payload_sha256,
        payload_size_bytes=message.payload_size_bytes,
        content_sha256=message.content_sha256,
        payload_format=payload_format(message.payload_format),
        entries=message.entries,
        unpacked_size_bytes=message.unpacked_size_bytes,
        findings=tuple(map(finding, message.findings)),
        total_findings=message.total_findings,
        bundle=bundle(message.bundle) if message.HasField("bundle") else None,
        workflow_count=message.workflow_count,
    )


def _error(message: deployment_pb2.DeploymentError) -> models.DeploymentError:
    descriptor = errors_pb2.ErrorReason.DESCRIPTOR.values_by_number.get(message.reason)
    return models.DeploymentError(
        reason=descriptor.name.removeprefix("ERROR_REASON_") if descriptor else "",
        message=message.message,
        findings=tuple(finding(each) for each in message.findings),
        total_findings=message.total_findings,
    )


def deployment(message: deployment_pb2.Deployment) -> models.Deployment:
    """One deployment."""
    transfer = message.transfer
    counts = message.node_counts
    return models.Deployment(
        deployment_id=message.deployment_id,
        project=message.project,
        environment=message.environment,
        kind=_KINDS.get(message.kind, models.DeploymentKind.UNKNOWN),
        status=_STATUSES.get(message.status, models.DeploymentStatus.UNKNOWN),
        status_reason=message.status_reason,
        status_message=message.status_message,
        version=message.version,
        payload_sha256=message.payload_sha256,
        content_sha256=message.content_sha256,
        payload_size_bytes=optional_value(message, "payload_size_bytes"),
        payload_present=message.payload_present,
        payload_format=payload_format(message.payload_format),
        transfer=models.TransferStats(
            durable_bytes=transfer.durable_bytes,
            received_bytes=transfer.received_bytes,
            reused_bytes=transfer.reused_bytes,
            stored_bytes=transfer.stored_bytes,
        )
        if message.HasField("transfer")
        else None,
        deployed_by=message.deployed_by,
        peer=message.peer,
        request_id=message.request_id,
        create_time=optional_time(message, "create_time"),
        record_time=optional_time(message, "record_time"),
        start_time=optional_time(message, "start_time"),
        end_time=optional_time(message, "end_time"),
        generation=message.generation,
        rollback_of=message.rollback_of,
        previous_deployment_id=message.previous_deployment_id,
        previous_version=message.previous_version,
        live=message.live,
        rolled_back_by=message.rolled_back_by,
        node_counts=models.NodeCounts(
            expected=counts.expected,
            pending=counts.pending,
            working=counts.working,
            live=counts.live,
            failed=counts.failed,
            removed=counts.removed,
        ),
        last_sequence=message.last_sequence,
        error=_error(message.error) if message.HasField("error") else None,
        waiting_gate_id=message.waiting_gate_id,
        retry_of=message.retry_of,
        labels=dict(message.labels),
        cancelled_by=message.cancelled_by,
        strategy=optional_strategy(message),
        failure_policy=optional_policy(message.failure_policy),
        paused_by=message.paused_by,
        pause_reason=message.pause_reason,
        passed_canary_steps=message.passed_canary_steps,
        canary_due_time=optional_time(message, "canary_due_time"),
        bundle_kind=optional_bundle_kind(message.bundle_kind),
        validation_skipped=message.validation_skipped,
        dependencies_skipped=message.dependencies_skipped,
        tests_skipped=message.tests_skipped,
    )


def activation(message: deployment_pb2.Activation) -> models.Activation:
    """What one node did."""
    return models.Activation(
        node_id=message.node_id,
        node_name=message.node_name,
        environment=message.environment,
        project=message.project,
        generation=message.generation,
        deployment_id=message.deployment_id,
        version=message.version,
        status=_ACTIVATION_STATUSES.get(message.status, models.ActivationStatus.UNKNOWN),
        fetched_bytes=message.fetched_bytes,
        reused_bytes=message.reused_bytes,
        installed_bytes=message.installed_bytes,
        total_bytes=message.total_bytes,
        path=message.path,
        message=message.message,
        start_time=optional_time(message, "start_time"),
        end_time=optional_time(message, "end_time"),
    )


def event(message: progress_pb2.ProgressEvent) -> events.Event:
    """One event of a deployment's progress."""
    return events.Event(
        deployment_id=message.deployment_id,
        sequence=message.sequence,
        time=optional_time(message, "time"),
        message=message.message,
        detail=_detail(message),
    )


def _detail(message: progress_pb2.ProgressEvent) -> events.EventDetail | None:
    match message.WhichOneof("event"):
        case "status_changed":
            change = message.status_changed
            return events.StatusChanged(
                from_status=optional_status(change.from_status),
                to_status=_STATUSES.get(change.to_status, models.DeploymentStatus.UNKNOWN),
                reason=change.reason,
            )
        case "nodes_stepped":
            return events.NodesStepped(
                steps=tuple(
                    events.NodeStep(
                        node_id=step.node_id,
                        node_name=step.node_name,
                        status=_ACTIVATION_STATUSES.get(step.status, models.ActivationStatus.UNKNOWN),
                        message=step.message,
                    )
                    for step in message.nodes_stepped.steps
                )
            )
        case "content_examined":
            examined = message.content_examined
            return events.ContentExamined(
                content_sha256=examined.content_sha256,
                entries=examined.entries,
                unpacked_size_bytes=examined.unpacked_size_bytes,
                findings=tuple(finding(each) for each in examined.findings),
                total_findings=examined.total_findings,
            )
        case "hook_output":
            return events.HookOutput(
                outputs=tuple(_hook_output(output) for output in message.hook_output.outputs)
            )
        case "canary_step_reached":
            reached = message.canary_step_reached
            return events.CanaryStepReached(
                step=reached.step,
                total_steps=reached.total_steps,
                node_count=reached.node_count,
                gate_id=reached.gate_id,
                due_time=optional_time(reached, "due_time"),
            )
        case "canary_step_passed":
            passed = message.canary_step_passed
            return events.CanaryStepPassed(
                step=passed.step, total_steps=passed.total_steps, promoted_by=passed.promoted_by
            )
        case _:
            return None


def _hook_output(message: progress_pb2.NodeHookOutput) -> events.NodeHookOutput:
    return events.NodeHookOutput(
        node_id=message.node_id,
        node_name=message.node_name,
        hook=message.hook,
        kind=_HOOK_KINDS.get(message.kind, events.HookKind.UNKNOWN),
        taking_back=message.taking_back,
        lines=tuple(message.lines),
        skipped_lines=message.skipped_lines,
        ended=message.ended,
        exit_code=optional_value(message, "exit_code"),
        outcome=message.outcome,
    )


def snapshot(message: progress_pb2.ProgressSnapshot) -> events.Snapshot:
    """How things stand."""
    return events.Snapshot(
        deployment=deployment(message.deployment),
        compacted_through=message.compacted_through,
        activations=tuple(activation(each) for each in message.activations),
    )

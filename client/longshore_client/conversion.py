"""Deployments and their progress: from protobuf to ``models``, and the requests' enums to protobuf.

Total: unset fields become None or empty, enum numbers that this client does not know become ``UNKNOWN``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from longshore.v1 import deployment_pb2, deployment_service_pb2, errors_pb2, progress_pb2

from . import models

_Enum = TypeVar("_Enum", bound=StrEnum)


def enum_table(kind: type[_Enum], descriptor: EnumDescriptor, prefix: str) -> dict[int, _Enum]:
    """The members of ``kind`` by protobuf number; a name that ``kind`` lacks is left out."""
    members = kind.__members__
    return {
        value.number: members[value.name.removeprefix(prefix)]
        for value in descriptor.values
        if value.name.removeprefix(prefix) in members
    }


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
_HOOK_KINDS: Final = enum_table(models.HookKind, progress_pb2.HookKind.DESCRIPTOR, "HOOK_KIND_")
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


def optional_time(message: Message, field: str) -> datetime | None:
    """A timestamp field of ``message`` in UTC, None when it is not set."""
    if not message.HasField(field):
        return None
    value: Timestamp = getattr(message, field)
    return value.ToDatetime(tzinfo=UTC)


def optional_value(message: Message, field: str) -> Any:
    """An optional field of ``message``, None when it is not set."""
    return getattr(message, field) if message.HasField(field) else None


def timestamp(moment: datetime | None) -> Timestamp | None:
    """An aware moment for a request, or nothing."""
    if moment is None:
        return None
    message = Timestamp()
    message.FromDatetime(moment.astimezone(UTC))
    return message


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
        line=message.line if message.HasField("line") else None,
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
        payload_size_bytes=message.payload_size_bytes if message.HasField("payload_size_bytes") else None,
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


def event(message: progress_pb2.ProgressEvent) -> models.Event:
    """One event of a deployment's progress."""
    return models.Event(
        deployment_id=message.deployment_id,
        sequence=message.sequence,
        time=optional_time(message, "time"),
        message=message.message,
        detail=_detail(message),
    )


def _detail(message: progress_pb2.ProgressEvent) -> models.EventDetail | None:
    match message.WhichOneof("event"):
        case "status_changed":
            change = message.status_changed
            return models.StatusChanged(
                from_status=optional_status(change.from_status),
                to_status=_STATUSES.get(change.to_status, models.DeploymentStatus.UNKNOWN),
                reason=change.reason,
            )
        case "nodes_stepped":
            return models.NodesStepped(
                steps=tuple(
                    models.NodeStep(
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
            return models.ContentExamined(
                content_sha256=examined.content_sha256,
                entries=examined.entries,
                unpacked_size_bytes=examined.unpacked_size_bytes,
                findings=tuple(finding(each) for each in examined.findings),
                total_findings=examined.total_findings,
            )
        case "hook_output":
            return models.HookOutput(
                outputs=tuple(_hook_output(output) for output in message.hook_output.outputs)
            )
        case _:
            return None


def _hook_output(message: progress_pb2.NodeHookOutput) -> models.NodeHookOutput:
    return models.NodeHookOutput(
        node_id=message.node_id,
        node_name=message.node_name,
        hook=message.hook,
        kind=_HOOK_KINDS.get(message.kind, models.HookKind.UNKNOWN),
        taking_back=message.taking_back,
        lines=tuple(message.lines),
        skipped_lines=message.skipped_lines,
        ended=message.ended,
        exit_code=message.exit_code if message.HasField("exit_code") else None,
        outcome=message.outcome,
    )


def snapshot(message: progress_pb2.ProgressSnapshot) -> models.Snapshot:
    """How things stand."""
    return models.Snapshot(
        deployment=deployment(message.deployment),
        compacted_through=message.compacted_through,
        activations=tuple(activation(each) for each in message.activations),
    )

"""Projects, releases, nodes and the audit trail: from protobuf to ``catalog_models``."""

from __future__ import annotations

from typing import Final

from longshore.v1 import catalog_service_pb2, cluster_service_pb2, deployment_service_pb2

from . import catalog_models
from .bundle_conversion import bundle, optional_bundle_kind, optional_method, source
from .conversion import optional_status, payload_format
from .message_fields import duration, enum_table, optional_span, optional_time, optional_value
from .models import NodeRole
from .strategy_conversion import optional_policy, optional_strategy

_ROLES: Final = enum_table(NodeRole, cluster_service_pb2.NodeRole.DESCRIPTOR, "NODE_ROLE_")


def project(message: catalog_service_pb2.Project) -> catalog_models.Project:
    """One project."""
    return catalog_models.Project(
        project=message.project,
        display_name=message.display_name,
        create_time=optional_time(message, "create_time"),
        kind=optional_bundle_kind(message.kind),
    )


def project_overview(message: catalog_service_pb2.GetProjectResponse) -> catalog_models.ProjectOverview:
    """A project and what it has live in each environment."""
    return catalog_models.ProjectOverview(
        project=project(message.project),
        environments=tuple(map(project_environment, message.environments)),
    )


def project_environment(message: catalog_service_pb2.ProjectEnvironment) -> catalog_models.ProjectEnvironment:
    """What a project has live in one environment, and what is set for it there."""
    return catalog_models.ProjectEnvironment(
        project=message.project,
        environment=message.environment,
        live_version=message.live_version,
        live_deployment_id=message.live_deployment_id,
        live_generation=message.live_generation,
        live_time=optional_time(message, "live_time"),
        etag=message.etag,
        freeze_reason=message.freeze_reason,
        frozen_by=message.frozen_by,
        freeze_time=optional_time(message, "freeze_time"),
        retention=_retention(message.retention),
        kept_rollback_targets=optional_value(message, "kept_rollback_targets"),
        strategy=optional_strategy(message),
        failure_policy=optional_policy(message.failure_policy),
        node_selector=dict(message.node_selector),
        second_person=message.second_person,
        environment_second_person=message.environment_second_person,
    )


def environment(message: catalog_service_pb2.Environment) -> catalog_models.Environment:
    """What is set for an environment as a whole."""
    return catalog_models.Environment(environment=message.environment, second_person=message.second_person)


def retention_message(retention: catalog_models.Retention) -> catalog_service_pb2.Retention:
    """The other way round."""
    return catalog_service_pb2.Retention(
        keep_releases=retention.keep_releases,
        max_age=duration(retention.max_age),
        max_size_bytes=retention.max_size_bytes,
    )


def _retention(message: catalog_service_pb2.Retention) -> catalog_models.Retention:
    return catalog_models.Retention(
        keep_releases=optional_value(message, "keep_releases"),
        max_age=optional_span(message, "max_age"),
        max_size_bytes=optional_value(message, "max_size_bytes"),
    )


def release(message: catalog_service_pb2.Release) -> catalog_models.Release:
    """One release."""
    return catalog_models.Release(
        project=message.project,
        version=message.version,
        payload_sha256=message.payload_sha256,
        content_sha256=message.content_sha256,
        payload_size_bytes=message.payload_size_bytes,
        payload_present=message.payload_present,
        payload_format=payload_format(message.payload_format),
        file_name=message.file_name,
        entries=message.entries,
        unpacked_size_bytes=message.unpacked_size_bytes,
        create_time=optional_time(message, "create_time"),
        created_by=message.created_by,
        deployment_id=message.deployment_id,
        pin_reason=message.pin_reason,
        pinned_by=message.pinned_by,
        bundle=bundle(message.bundle),
        source=source(message.source) if message.HasField("source") else None,
        install_method=optional_method(message.install_method),
        validation_skipped=message.validation_skipped,
    )


def audit_entry(message: deployment_service_pb2.AuditEntry) -> catalog_models.AuditEntry:
    """One line of the audit trail."""
    return catalog_models.AuditEntry(
        entry_id=message.entry_id,
        time=optional_time(message, "time"),
        principal=message.principal,
        peer=message.peer,
        action=message.action,
        project=message.project,
        environment=message.environment,
        version=message.version,
        deployment_id=message.deployment_id,
        from_status=optional_status(message.from_status),
        to_status=optional_status(message.to_status),
        message=message.message,
        request_id=message.request_id,
    )


def node(message: cluster_service_pb2.Node) -> catalog_models.Node:
    """One node."""
    return catalog_models.Node(
        node_id=message.node_id,
        node_name=message.node_name,
        environment=message.environment,
        roles=tuple(_ROLES.get(role, NodeRole.UNKNOWN) for role in message.roles),
        address=message.address,
        server_version=message.server_version,
        alive=message.alive,
        boot_number=message.boot_number,
        boot_time=optional_time(message, "boot_time"),
        free_disk_bytes=message.free_disk_bytes,
        report_time=optional_time(message, "report_time"),
        cordon_reason=message.cordon_reason,
        cordoned_by=message.cordoned_by,
        cordon_time=optional_time(message, "cordon_time"),
        labels=dict(message.labels),
        draining=message.draining,
        upload_count=message.upload_count,
        rollout_count=message.rollout_count,
    )


def lock(message: cluster_service_pb2.Lock) -> catalog_models.Lock:
    """One lock."""
    return catalog_models.Lock(
        name=message.name,
        holder=message.holder,
        node_name=message.node_name,
        project=message.project,
        environment=message.environment,
        deployment_id=message.deployment_id,
        waiting=message.waiting,
    )


def server_info(message: cluster_service_pb2.GetServerInfoResponse) -> catalog_models.ServerInfo:
    """The server that answered."""
    cutting = message.cutting_parameters
    limits = message.limits
    return catalog_models.ServerInfo(
        server_version=message.server_version,
        node_id=message.node_id,
        node_name=message.node_name,
        environment=message.environment,
        roles=tuple(_ROLES.get(role, NodeRole.UNKNOWN) for role in message.roles),
        cutting=catalog_models.Cutting(
            algorithm=cutting.algorithm,
            min_size_bytes=cutting.min_size_bytes,
            average_size_bytes=cutting.average_size_bytes,
            max_size_bytes=cutting.max_size_bytes,
            digest_function=cutting.digest_function,
            codec=cutting.codec,
        ),
        limits=catalog_models.Limits(
            max_payload_size_bytes=limits.max_payload_size_bytes,
            max_message_size_bytes=limits.max_message_size_bytes,
            max_find_missing_digests=limits.max_find_missing_digests,
            max_archive_entries=limits.max_archive_entries,
            max_unpacked_size_bytes=limits.max_unpacked_size_bytes,
            upload_idle_timeout_s=limits.upload_idle_timeout.ToTimedelta().total_seconds(),
            max_chunks=limits.max_chunks,
            max_uploads_at_once=limits.max_uploads_at_once,
            max_uploads_waiting=limits.max_uploads_waiting,
            upload_memory_size_bytes=limits.upload_memory_size_bytes,
            staging_size_bytes=limits.staging_size_bytes,
            min_upload_bytes_per_second=limits.min_upload_bytes_per_second,
        ),
    )


def payload_info(message: deployment_service_pb2.PayloadInfo) -> catalog_models.PayloadInfo:
    """A stored payload."""
    return catalog_models.PayloadInfo(
        payload_sha256=message.payload_sha256,
        size_bytes=message.size_bytes,
        payload_format=payload_format(message.payload_format),
        file_name=message.file_name,
    )

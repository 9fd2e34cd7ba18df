"""Projects, what is live of them, and their releases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration

from longshore.v1 import catalog_service_pb2
from longshore_server.deploying.environment_settings import etag_of
from longshore_server.rpc.strategies import failure_policy_number, strategy_message
from longshore_storage.catalogue import rows
from longshore_storage.catalogue.environments import Environment
from longshore_storage.catalogue.projects import LiveVersion, Project
from longshore_storage.catalogue.strategy import Strategy

from .bundles import bundle, kind_number, method_number, source
from .values import format_number, timestamp


def project(row: Project) -> catalog_service_pb2.Project:
    """A project."""
    return catalog_service_pb2.Project(
        project=row.name,
        display_name=row.display_name,
        create_time=timestamp(row.create_time),
        kind=kind_number(row.kind),
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
        second_person=row.live.second_person,
        environment_second_person=row.environment_second_person,
        strategy=strategy_message(Strategy.of_row(row.live.strategy)),
        failure_policy=failure_policy_number(row.live.failure_policy),
    )


def environment(row: Environment) -> catalog_service_pb2.Environment:
    """An environment with what is set for all of it."""
    return catalog_service_pb2.Environment(environment=row.name, second_person=row.second_person)


def _retention(live: rows.Live) -> catalog_service_pb2.Retention | None:
    if live.keep_releases is None and live.keep_for_s is None and live.keep_bytes is None:
        return None
    return catalog_service_pb2.Retention(
        keep_releases=live.keep_releases,
        max_age=None if live.keep_for_s is None else Duration(seconds=live.keep_for_s),
        max_size_bytes=live.keep_bytes,
    )


def release(row: rows.Release, manifest: Mapping[str, Any] | None = None) -> catalog_service_pb2.Release:
    """A release; lists tell no ``manifest``, so that the largest page fits into a message."""
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
        bundle=bundle(row.kind, manifest or {}),
        source=source(row.source),
        install_method=method_number(row.install_method),
        validation_skipped=row.validation_skipped,
    )

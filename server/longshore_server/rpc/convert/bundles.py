"""What releases are made of: their manifests, where they came from, their workflows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore.v1 import bundle_pb2, deployment_service_pb2, workflow_pb2
from longshore_server.deploying.sources import Source
from longshore_server.refusal import invalid
from longshore_storage.catalogue.workflows import ReleasedWorkflow

from .values import number_of

_KIND = "BUNDLE_KIND_"
_SOURCE = "SOURCE_KIND_"
_METHOD = "INSTALL_METHOD_"


def kind_number(name: str) -> bundle_pb2.BundleKind.ValueType:
    """What a bundle is, by its name in rows; unspecified for an empty one."""
    return number_of(bundle_pb2.BundleKind, _KIND, name)  # type: ignore[no-any-return]


def method_number(name: str) -> bundle_pb2.InstallMethod.ValueType:
    """Who or what began a deployment, by its name in rows; unspecified for an empty one."""
    return number_of(bundle_pb2.InstallMethod, _METHOD, name)  # type: ignore[no-any-return]


def kind_in(header: deployment_service_pb2.DeployHeader) -> str:
    """The kind that a header asks for, by its name in rows. Raises ``Refusal``."""
    return _name(bundle_pb2.BundleKind, header.bundle_kind, _KIND, "header.bundle_kind")


def method_in(header: deployment_service_pb2.DeployHeader) -> str:
    """Who or what began it, by its name in rows. Raises ``Refusal``."""
    return _name(bundle_pb2.InstallMethod, header.install_method, _METHOD, "header.install_method")


def source_in(header: deployment_service_pb2.DeployHeader) -> Source | None:
    """Where a payload was taken from, not looked at yet. Raises ``Refusal``."""
    if not header.HasField("source"):
        return None
    told = header.source
    kind = _name(bundle_pb2.SourceKind, told.kind, _SOURCE, "header.source.kind")
    return Source(kind, told.url, told.ref, told.checksum, told.verified)


def source(row: Mapping[str, Any] | None) -> bundle_pb2.Source | None:
    """The same from a release's row."""
    known = Source.of_row(row)
    if known is None:
        return None
    return bundle_pb2.Source(
        kind=number_of(bundle_pb2.SourceKind, _SOURCE, known.kind),
        url=known.url,
        ref=known.ref,
        checksum=known.checksum,
        verified=known.verified,
    )


def bundle(kind: str, manifest: Mapping[str, Any]) -> bundle_pb2.Bundle:
    """What a manifest says, as it is kept of a release; empty where there is none."""
    return bundle_pb2.Bundle(
        kind=kind_number(kind),
        name=manifest.get("name", ""),
        label=manifest.get("label", ""),
        description=manifest.get("description", ""),
        author=manifest.get("author", ""),
        tags=manifest.get("tags", ()),
        dependencies=[
            bundle_pb2.BundleDependency(project=project, constraint=constraint)
            for project, constraint in manifest.get("dependencies", {}).items()
        ],
        runtime_dependencies=[
            bundle_pb2.RuntimeDependency(name=name, constraint=constraint)
            for name, constraint in manifest.get("runtime_dependencies", {}).items()
        ],
        actions=manifest.get("actions", ()),
        sensors=manifest.get("sensors", ()),
    )


def workflow(released: ReleasedWorkflow) -> workflow_pb2.Workflow:
    """A workflow of a release."""
    row = released.row
    return workflow_pb2.Workflow(
        project=released.project,
        release_version=released.release_version,
        name=row.name,
        ref=row.ref,
        label=row.label,
        version=row.version,
        description=row.description,
        tags=row.tags,
        enabled=row.enabled,
        task_count=row.task_count,
        path=row.path,
        sha256=row.sha256,
        registered=row.registered,
    )


def _name(enum: Any, number: int, prefix: str, field: str) -> str:
    try:
        name = str(enum.Name(number)).removeprefix(prefix)
    except ValueError:
        raise invalid(field, f"{number} is no {enum.DESCRIPTOR.name}") from None
    return "" if name == "UNSPECIFIED" else name

"""What payloads are and where they were taken from: from protobuf to ``bundle_models``, and back."""

from __future__ import annotations

from typing import Final

from longshore.v1 import bundle_pb2

from . import bundle_models
from .message_fields import enum_table

_KINDS: Final = enum_table(bundle_models.BundleKind, bundle_pb2.BundleKind.DESCRIPTOR, "BUNDLE_KIND_")
_SOURCES: Final = enum_table(bundle_models.SourceKind, bundle_pb2.SourceKind.DESCRIPTOR, "SOURCE_KIND_")
_METHODS: Final = enum_table(
    bundle_models.InstallMethod, bundle_pb2.InstallMethod.DESCRIPTOR, "INSTALL_METHOD_"
)


def bundle_kind(number: int) -> bundle_models.BundleKind:
    """What a bundle is."""
    return _KINDS.get(number, bundle_models.BundleKind.UNKNOWN)


def optional_bundle_kind(number: int) -> bundle_models.BundleKind | None:
    """What a bundle is, None for the unspecified one."""
    return bundle_kind(number) if number else None


def optional_method(number: int) -> bundle_models.InstallMethod | None:
    """Who or what began a deployment, None where nobody said."""
    return _METHODS.get(number, bundle_models.InstallMethod.UNKNOWN) if number else None


def bundle(message: bundle_pb2.Bundle) -> bundle_models.Bundle:
    """What a manifest says."""
    return bundle_models.Bundle(
        kind=bundle_kind(message.kind),
        name=message.name,
        label=message.label,
        description=message.description,
        author=message.author,
        tags=tuple(message.tags),
        dependencies=tuple(
            bundle_models.BundleDependency(each.project, each.constraint) for each in message.dependencies
        ),
        runtime_dependencies=tuple(
            bundle_models.RuntimeDependency(each.name, each.constraint)
            for each in message.runtime_dependencies
        ),
        actions=tuple(message.actions),
        sensors=tuple(message.sensors),
    )


def source(message: bundle_pb2.Source) -> bundle_models.Source:
    """Where a payload was taken from."""
    return bundle_models.Source(
        kind=_SOURCES.get(message.kind, bundle_models.SourceKind.UNKNOWN),
        url=message.url,
        ref=message.ref,
        checksum=message.checksum,
        verified=message.verified,
    )


def source_message(told: bundle_models.Source) -> bundle_pb2.Source:
    """The other way round; raises ``ValueError`` for the unknown kind."""
    return bundle_pb2.Source(
        kind=bundle_pb2.SourceKind.Value(f"SOURCE_KIND_{told.kind.name}"),
        url=told.url,
        ref=told.ref,
        checksum=told.checksum,
        verified=told.verified,
    )


def kind_number(kind: bundle_models.BundleKind) -> bundle_pb2.BundleKind.ValueType:
    """The protobuf number of a kind; raises ``ValueError`` for the unknown one."""
    return bundle_pb2.BundleKind.Value(f"BUNDLE_KIND_{kind.name}")


def method_number(method: bundle_models.InstallMethod) -> bundle_pb2.InstallMethod.ValueType:
    """The protobuf number of a method; raises ``ValueError`` for the unknown one."""
    return bundle_pb2.InstallMethod.Value(f"INSTALL_METHOD_{method.name}")

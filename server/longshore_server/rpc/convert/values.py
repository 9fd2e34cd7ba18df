"""Moments, and names in rows that are numbers on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from longshore.v1 import deployment_pb2
from longshore_server.refusal import invalid


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


def number_of(enum: Any, prefix: str, name: str) -> Any:
    """The number of a name in rows: unspecified for an empty one, and for one of a later version."""
    try:
        return enum.Value(f"{prefix}{name or 'UNSPECIFIED'}")
    except ValueError:
        return 0


def status_number(name: str) -> deployment_pb2.DeploymentStatus.ValueType:
    """A deployment's status by its name in rows; unspecified for an empty one."""
    return number_of(deployment_pb2.DeploymentStatus, "DEPLOYMENT_STATUS_", name)  # type: ignore[no-any-return]


def status_name(number: deployment_pb2.DeploymentStatus.ValueType) -> str:
    """The other way round; empty for unspecified."""
    name = deployment_pb2.DeploymentStatus.Name(number).removeprefix("DEPLOYMENT_STATUS_")
    return "" if name == "UNSPECIFIED" else name


def format_number(name: str) -> deployment_pb2.PayloadFormat.ValueType:
    """A payload's format by its name in rows."""
    return number_of(deployment_pb2.PayloadFormat, "PAYLOAD_FORMAT_", name)  # type: ignore[no-any-return]


def format_name(number: deployment_pb2.PayloadFormat.ValueType) -> str:
    """The other way round; empty for unspecified."""
    name = deployment_pb2.PayloadFormat.Name(number).removeprefix("PAYLOAD_FORMAT_")
    return "" if name == "UNSPECIFIED" else name

"""Fields of protobuf messages as plain values, and the other way round: what every conversion uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

_Enum = TypeVar("_Enum", bound=StrEnum)


def enum_table(kind: type[_Enum], descriptor: EnumDescriptor, prefix: str) -> dict[int, _Enum]:
    """The members of ``kind`` by protobuf number; a name that ``kind`` lacks is left out."""
    members = kind.__members__
    return {
        value.number: members[value.name.removeprefix(prefix)]
        for value in descriptor.values
        if value.name.removeprefix(prefix) in members
    }


def optional_time(message: Message, field: str) -> datetime | None:
    """A timestamp field of ``message`` in UTC, None when it is not set."""
    if not message.HasField(field):
        return None
    value: Timestamp = getattr(message, field)
    return value.ToDatetime(tzinfo=UTC)


def optional_span(message: Message, field: str) -> timedelta | None:
    """A duration field of ``message``, None when it is not set."""
    if not message.HasField(field):
        return None
    value: Duration = getattr(message, field)
    return value.ToTimedelta()


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


def duration(span: timedelta | None) -> Duration | None:
    """A span of time for a request, or nothing."""
    if span is None:
        return None
    message = Duration()
    message.FromTimedelta(span)
    return message

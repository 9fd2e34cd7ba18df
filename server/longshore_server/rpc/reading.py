"""Requests that are no messages of their type, or too long: refused as what they are, and not read.

gRPC tells a request that cannot be read as a fault of the server's, with a traceback in its log. It also
reads each message before a handler is asked, so before anybody knows who calls; so the messages of streams,
of which each may have megabytes, are read here, when they are asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NamedTuple, Self

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError

from longshore_server.refusal import Reason, Refusal

from .field_counting import has_more_fields
from .wire_limits import LARGEST_REQUEST_BYTES, MOST_FIELDS, RECEIVE_LIMIT_BYTES

_UNREADABLE: Final = object()
_TOO_MANY: Final = object()
_MESSAGE: Final = (
    "the request is no message of this call's type: its bytes are damaged, or a text is not UTF-8"
)


class _TooLong(NamedTuple):
    what: str
    most_bytes: int


def reading(
    deserializer: Callable[[bytes], Any] | None,
    *,
    most_bytes: int = RECEIVE_LIMIT_BYTES,
    what: str = "request",
) -> Callable[[bytes], Any]:
    """The deserializer of an rpc for ``read_only``: it raises nothing. ``what`` names what it reads."""
    assert deserializer is not None, "every message of the contract has one"

    def read(message: bytes) -> Any:
        if len(message) > most_bytes:
            return _TooLong(what, most_bytes)
        try:
            return deserializer(message)
        except DecodeError:
            return _UNREADABLE

    return read


def read_only(messages: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The messages of a call, of which one that cannot be read raises ``Refusal``."""
    return _Read(messages)


class StreamReading:
    """How the messages of a stream are read, each as late as can be: the first must be short.

    ``kind`` is what they are; a long one that is not mostly content, but fields without end, is not read.
    """

    def __init__(
        self, deserializer: Callable[[bytes], Any] | None, kind: Descriptor, *, most_first_bytes: int
    ) -> None:
        self._first = reading(deserializer, most_bytes=most_first_bytes, what="stream's first message")
        self._further = reading(deserializer, most_bytes=RECEIVE_LIMIT_BYTES)
        self._kind = kind

    def first(self, message: bytes) -> Any:
        """For ``read_stream``."""
        return self._first(message)

    def further(self, message: bytes) -> Any:
        """For ``read_stream``."""
        if len(message) > LARGEST_REQUEST_BYTES and has_more_fields(message, self._kind, MOST_FIELDS):
            return _TOO_MANY
        return self._further(message)


def read_stream(messages: AsyncIterator[bytes], how: StreamReading) -> AsyncIterator[Any]:
    """The messages of a stream from their bytes; what is not read, or cannot be, raises ``Refusal``."""
    return _ReadStream(messages, how)


class _Read:
    """The messages of a call."""

    def __init__(self, messages: AsyncIterator[Any]) -> None:
        self._messages = messages

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return _read(await anext(self._messages))


class _ReadStream:
    """The messages of a stream."""

    def __init__(self, messages: AsyncIterator[bytes], how: StreamReading) -> None:
        self._messages = messages
        self._how = how
        self._begun = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        # No name is given to the bytes: what is raised here would keep them with its traceback.
        read = self._how.further if self._begun else self._how.first
        self._begun = True
        return _read(read(await anext(self._messages)))


def _read(message: Any) -> Any:
    if message is _UNREADABLE:
        raise Refusal(Reason.INVALID_REQUEST, _MESSAGE)
    if message is _TOO_MANY:
        told = f"the message has more than {MOST_FIELDS:,} fields: send less in each"
        raise Refusal(Reason.INVALID_REQUEST, told)
    if isinstance(message, _TooLong):
        most = f"{message.most_bytes >> 10} KiB that this call has a use for"
        told = f"the {message.what} is longer than the {most}"
        raise Refusal(Reason.INVALID_REQUEST, told)
    return message

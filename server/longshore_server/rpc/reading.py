"""Requests that are no messages of their type, or too long: refused as what they are, and not read.

gRPC tells a request that cannot be read as a fault of the server's, with a traceback in its log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NamedTuple, Self

from google.protobuf.message import DecodeError

from longshore_server.refusal import Reason, Refusal

from .wire_limits import RECEIVE_LIMIT_BYTES

_UNREADABLE: Final = object()
_MESSAGE: Final = (
    "the request is no message of this call's type: its bytes are damaged, or a text is not UTF-8"
)


class _TooLong(NamedTuple):
    most_bytes: int


def reading(
    deserializer: Callable[[bytes], Any] | None, *, most_bytes: int = RECEIVE_LIMIT_BYTES
) -> Callable[[bytes], Any]:
    """The deserializer of an rpc for ``read_only``: it raises nothing."""
    assert deserializer is not None, "every message of the contract has one"

    def read(message: bytes) -> Any:
        if len(message) > most_bytes:
            return _TooLong(most_bytes)
        try:
            return deserializer(message)
        except DecodeError:
            return _UNREADABLE

    return read


def read_only(messages: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The messages of a call, of which one that cannot be read raises ``Refusal``."""
    return _Read(messages)


class _Read:
    """The messages of a call."""

    def __init__(self, messages: AsyncIterator[Any]) -> None:
        self._messages = messages

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return _read(await anext(self._messages))


def _read(message: Any) -> Any:
    if message is _UNREADABLE:
        raise Refusal(Reason.INVALID_REQUEST, _MESSAGE)
    if isinstance(message, _TooLong):
        told = f"the request is longer than the {message.most_bytes >> 10} KiB that this call has a use for"
        raise Refusal(Reason.INVALID_REQUEST, told)
    return message

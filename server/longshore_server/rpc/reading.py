"""Requests that are no messages of their type, or too long: refused as what they are, and not read.

gRPC tells a request that cannot be read as a fault of the server's, with a traceback in its log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Self

from google.protobuf.message import DecodeError

from longshore_server.refusal import Reason, Refusal

from .wire_limits import RECEIVE_LIMIT_BYTES

_UNREADABLE: Final = object()
_TOO_LONG: Final = object()
_MESSAGE: Final = (
    "the request is no message of this call's type: its bytes are damaged, or a text is not UTF-8"
)


def reading(
    deserializer: Callable[[bytes], Any] | None, *, most_bytes: int = RECEIVE_LIMIT_BYTES
) -> Callable[[bytes], Any]:
    """The deserializer of an rpc for ``read_only``: it raises nothing."""
    assert deserializer is not None, "every message of the contract has one"

    def read(message: bytes) -> Any:
        if len(message) > most_bytes:
            return _TOO_LONG
        try:
            return deserializer(message)
        except DecodeError:
            return _UNREADABLE

    return read


def read_only(request: Any) -> Any:
    """The request, whose messages raise ``Refusal`` as soon as one cannot be read."""
    if hasattr(request, "__anext__"):
        return _Read(request)
    return _read(request)


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
    if message is _TOO_LONG:
        raise Refusal(Reason.INVALID_REQUEST, "the request is longer than any that this call has a use for")
    return message

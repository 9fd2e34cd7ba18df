"""Requests that are no messages of their type: refused as what they are, and no fault of the server.

gRPC tells a request that cannot be read as a fault of the server's, with a traceback in its log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Self

from google.protobuf.message import DecodeError

from longshore_server.refusal import Reason, Refusal

_UNREADABLE: Final = object()
_MESSAGE: Final = (
    "the request is no message of this call's type: its bytes are damaged, or a text is not UTF-8"
)


def reading(deserializer: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """The deserializer of an rpc for ``read_only``: it raises nothing."""
    assert deserializer is not None, "every message of the contract has one"

    def read(message: bytes) -> Any:
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
    return message

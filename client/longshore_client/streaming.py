"""One call whose answers go on: read message by message, and broken where it is silent for too long."""

from __future__ import annotations

import asyncio
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from grpc import aio

from .connection import new_request_id, request_metadata
from .errors import Unavailable
from .server import Server
from .statuses import translated

SILENCE_S = 45.0
"""Three heartbeats of the contract."""

_Response = TypeVar("_Response", bound=Message)


class Stream(Generic[_Response]):
    """A call to ``method`` of ``server``; silent for more than ``silence_s`` it is broken."""

    def __init__(self, server: Server, method: Any, request: Message, *, silence_s: float) -> None:
        self._server = server
        self._silence_s = silence_s
        self._request_id = new_request_id()
        self._call: aio.UnaryStreamCall[Any, _Response] = method(
            request, metadata=request_metadata(self._request_id, server)
        )

    async def read(self) -> _Response | None:
        """The next message, None at the end of the stream. Raises ``LongshoreError``."""
        try:
            async with translated(self._server, self._request_id), asyncio.timeout(self._silence_s):
                message = await self._call.read()
        except TimeoutError:
            raise Unavailable(
                f"the server at {self._server.address} was silent for {self._silence_s:.0f} s"
            ) from None
        return message if isinstance(message, Message) else None  # type: ignore[return-value]

    def close(self) -> None:
        """End the call, if it has not ended."""
        self._call.cancel()

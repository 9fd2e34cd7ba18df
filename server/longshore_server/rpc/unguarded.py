"""Health and reflection, which answer everybody: so all who call them together hold little.

They come with gRPC, write to the context themselves, and raise nothing of ours.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from longshore_server.access.failures import address_of
from longshore_server.refusal import Refusal, invalid

from .reading import read_only, reading
from .statuses import STATUS_OF
from .waiting_messages import WaitingMessages
from .writing import write

# Of all, and of one address.
_MOST_WATCHES: Final = (1_000, 200)
# A message of which the rest never comes takes up to four megabytes.
_MOST_CONVERSATIONS: Final = (32, 8)
_IDLE_S: Final = 30.0
# Names of services and symbols. A stream keeps what it was asked for.
_LARGEST_REQUEST_BYTES: Final = 4096


class Unguarded:
    """Counts what those have open who have shown nothing, by their address."""

    def __init__(self) -> None:
        self._watches = _Open(*_MOST_WATCHES)
        self._conversations = _Open(*_MOST_CONVERSATIONS)
        self._messages = WaitingMessages()

    def wrap(self, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        """The handler within its bounds; requests that cannot be read are refused as what they are."""
        deserializer, serializer = reading(handler.request_deserializer), handler.response_serializer
        if handler.request_streaming:
            asked = self._conversing(handler.stream_stream)
            return grpc.stream_stream_rpc_method_handler(asked, deserializer, serializer)
        if handler.response_streaming:
            watched = self._watching(handler.unary_stream)
            return grpc.stream_stream_rpc_method_handler(watched, deserializer, serializer)
        answered = self._answering(handler.unary_unary)
        return grpc.stream_unary_rpc_method_handler(answered, deserializer, serializer)

    def _watching(self, inner: Any) -> Any:
        answer = self._answering(inner)

        async def watch(requests: Any, context: Any) -> Any:
            async with self._watches.place(context):
                return await answer(requests, context)

        return watch

    def _conversing(self, inner: Any) -> Any:
        async def converse(requests: Any, context: Any) -> None:
            clock = asyncio.get_running_loop().time
            try:
                async with (
                    self._conversations.place(context),
                    asyncio.timeout(_IDLE_S) as idle,
                    aclosing(inner(_small(requests), context)) as responses,
                ):
                    async for response in responses:
                        await write(context, response)
                        idle.reschedule(clock() + _IDLE_S)
            except TimeoutError:
                await context.abort(
                    grpc.StatusCode.DEADLINE_EXCEEDED, f"nothing was asked for {_IDLE_S:g} s: call again"
                )
            except Refusal as refusal:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, refusal.message)

        return converse

    def _answering(self, inner: Any) -> Any:
        async def answer(requests: Any, context: Any) -> Any:
            try:
                given = _check_small(await self._messages.single(requests))
            except Refusal as refusal:
                await context.abort(STATUS_OF[refusal.reason], refusal.message)
            try:
                return await inner(given, context)
            except NotImplementedError:
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this server does not have this call")

        return answer


class _Open:
    """At most so many streams, and so many of one address."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._by_address: Counter[str] = Counter()

    @asynccontextmanager
    async def place(self, context: Any) -> AsyncIterator[None]:
        """A stream, for as long as the block runs; aborts one too many."""
        address = address_of(str(context.peer()))
        if self._by_address[address] >= self._most_of_one or self._by_address.total() >= self._most:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "as many streams of health and reflection are open as this server takes, from one address or "
                "from all: try again later, or ask `Check`",
            )
        self._by_address[address] += 1
        try:
            yield
        finally:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]


async def _small(requests: Any) -> AsyncIterator[Message]:
    async for request in read_only(requests):
        yield _check_small(request)


def _check_small(request: Message) -> Message:
    if request.ByteSize() > _LARGEST_REQUEST_BYTES:
        raise invalid("request", f"must be at most {_LARGEST_REQUEST_BYTES} bytes")
    return request

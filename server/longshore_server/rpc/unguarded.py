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
from .writing import write

_MOST_STREAMS: Final = 1_000
_MOST_STREAMS_OF_ONE: Final = 200
_IDLE_S: Final = 30.0
# Names of services and symbols. A stream keeps what it was asked for.
_LARGEST_REQUEST_BYTES: Final = 4096


class Unguarded:
    """Counts the streams of those who have shown nothing, by their address."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def wrap(self, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        """The handler within its bounds; requests that cannot be read are refused as what they are."""
        deserializer, serializer = reading(handler.request_deserializer), handler.response_serializer
        if handler.request_streaming:
            asked = self._conversing(handler.stream_stream)
            return grpc.stream_stream_rpc_method_handler(asked, deserializer, serializer)
        if handler.response_streaming:
            watched = self._watching(handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(watched, deserializer, serializer)
        answered = _answering(handler.unary_unary)
        return grpc.unary_unary_rpc_method_handler(answered, deserializer, serializer)

    def _watching(self, inner: Any) -> Any:
        answer = _answering(inner)

        async def watch(request: Any, context: Any) -> Any:
            async with self._place(context):
                return await answer(request, context)

        return watch

    def _conversing(self, inner: Any) -> Any:
        async def converse(requests: Any, context: Any) -> None:
            clock = asyncio.get_running_loop().time
            try:
                async with (
                    self._place(context),
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

    @asynccontextmanager
    async def _place(self, context: Any) -> AsyncIterator[None]:
        address = address_of(str(context.peer()))
        if self._open[address] >= _MOST_STREAMS_OF_ONE or self._open.total() >= _MOST_STREAMS:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "as many streams of health and reflection are open as this server takes, from one address or "
                "from all: try again later, or ask `Check`",
            )
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]


def _answering(inner: Any) -> Any:
    async def answer(request: Any, context: Any) -> Any:
        try:
            given = _check_small(read_only(request))
        except Refusal as refusal:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, refusal.message)
        try:
            return await inner(given, context)
        except NotImplementedError:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this server does not have this call")

    return answer


async def _small(requests: Any) -> AsyncIterator[Message]:
    async for request in read_only(requests):
        yield _check_small(request)


def _check_small(request: Message) -> Message:
    if request.ByteSize() > _LARGEST_REQUEST_BYTES:
        raise invalid("request", f"must be at most {_LARGEST_REQUEST_BYTES} bytes")
    return request

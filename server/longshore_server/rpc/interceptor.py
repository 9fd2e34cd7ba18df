"""Around every call: a request id, the caller, bound log fields, and errors turned into statuses.

Servicers raise; nothing else aborts a call. A fault of our own is told as INTERNAL with the request id,
its text only in the log.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, aclosing, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from typing import Any, Self
from uuid import uuid4

import grpc
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.message import Message

from longshore_server.access.callers import ANONYMOUS, current_caller
from longshore_server.access.open_streams import OpenStreams
from longshore_server.metrics import Metrics
from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.tracing import trace_context
from longshore_server.translation import refusal_of
from longshore_storage.catalogue.rows import Actor

from .admission import Admission
from .peers import peer_of
from .reading import StreamReading, reading
from .statuses import MOST_MESSAGE_CHARACTERS, code_of, status_of, trailing_metadata
from .tracebacks import forget_tracebacks
from .unguarded import Unguarded
from .waiting_messages import WaitingMessages
from .wire_limits import LARGEST_FIRST_MESSAGES, LARGEST_REQUEST_BYTES, LARGEST_REQUESTS
from .writing import write

_log = structlog.get_logger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OURS = "/longshore."
# Whose handlers send the initial metadata themselves, because it says more than the request id.
_OWN_METADATA = frozenset({"/longshore.v1.DeploymentService/Deploy"})

# A UUID, and a little of what is none.
_SHOWN_ID_CHARACTERS = 64

REQUEST_ID_KEY = "longshore-request-id"

_Given = Callable[[AsyncIterator[Any]], Awaitable[Any]]
"""What a handler is given, of the messages of its call."""

_actor: ContextVar[Actor] = ContextVar("actor")
_streams: ContextVar[OpenStreams | None] = ContextVar("streams")


def current_actor() -> Actor:
    """Who makes the call that is being handled, with its trace where there is one."""
    actor = _actor.get()
    return replace(actor, trace_context=traced) if (traced := trace_context()) else actor


def while_allowed() -> AbstractContextManager[None]:
    """For what the call that is being handled waits for: that ends, as a stream does, when its right does.

    Not for what changes anything: it would be broken off in the middle.
    """
    streams = _streams.get()
    return nullcontext() if streams is None else streams.entered(current_caller())


class _Running:
    """How many handlers run, each inside ``with`` this; ``ended`` is set while there are none."""

    def __init__(self) -> None:
        self.count = 0
        self.ended = asyncio.Event()
        self.ended.set()

    def __enter__(self) -> None:
        self.count += 1
        self.ended.clear()

    def __exit__(self, *_: object) -> None:
        self.count -= 1
        if not self.count:
            self.ended.set()


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler; see the module."""

    def __init__(self, metrics: Metrics, admission: Admission, streams: OpenStreams | None = None) -> None:
        self._metrics = metrics
        self._admission = admission
        self._streams = streams
        self._messages = WaitingMessages()
        self._unguarded = Unguarded()
        self._running = _Running()
        # By method: each handler that there is, and what is called in its place.
        self._wrapped: dict[str, tuple[grpc.RpcMethodHandler[Any, Any], grpc.RpcMethodHandler[Any, Any]]] = {}

    async def ended(self) -> None:
        """Return when no handler is running any more."""
        await self._running.ended.wait()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of one call."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        method = str(handler_call_details.method)
        # Made once, not for each call: thousands of idle streams would each keep their own.
        known, wrapped = self._wrapped.get(method, (None, None))
        if known is not handler:
            wrapped = self._wrap(method, handler)
            self._wrapped[method] = (handler, wrapped)
        return wrapped

    def _wrap(self, method: str, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        if not method.startswith(_OURS):
            return self._unguarded.wrap(handler)
        # All of them read their messages themselves, also those that have but one: see `waiting_messages`.
        given: _Given
        if handler.request_streaming:
            deserializer, given = None, partial(self._messages.stream, how=_stream_reading(method, handler))
        else:
            most_bytes = LARGEST_REQUESTS.get(method, LARGEST_REQUEST_BYTES)
            deserializer = reading(handler.request_deserializer, most_bytes=most_bytes)
            given = self._messages.single
        if handler.response_streaming:
            streaming = self._streaming(method, handler.unary_stream or handler.stream_stream, given)
            serializer = _unless_serialised(handler.response_serializer)
            return grpc.stream_stream_rpc_method_handler(streaming, deserializer, serializer)
        answering = self._answering(method, handler.unary_unary or handler.stream_unary, given)
        return grpc.stream_unary_rpc_method_handler(answering, deserializer, handler.response_serializer)

    @property
    def running(self) -> int:
        """How many calls are being handled."""
        return self._running.count

    def _answering(self, method: str, inner: Any, given: _Given) -> Any:
        async def handle(requests: Any, context: Any) -> Any:
            with self._running:
                async with _Call(method, context, self._metrics) as call, _closed(requests) as received:
                    # In front of everything that may take its time.
                    await call.admit(self._admission)
                    _streams.set(self._streams)
                    request = await given(received)
                    _look_at(request)
                    checked = await self._admission.check(method, request, current_actor())
                    return await inner(checked, context)

        return handle

    def _streaming(self, method: str, inner: Any, given: _Given) -> Any:
        # A coroutine that writes, not a generator that yields: gRPC forgets a generator whose call was
        # cancelled between two messages, and what it holds would be given back by the garbage collector.
        async def handle(requests: Any, context: Any) -> None:
            with self._running:
                async with (
                    _Call(method, context, self._metrics, streams=True) as call,
                    _closed(requests) as received,
                ):
                    await call.admit(self._admission)
                    _streams.set(self._streams)
                    with while_allowed():
                        request = await given(received)
                        _look_at(request)
                        checked = await self._admission.check(method, request, current_actor())
                        async with aclosing(inner(checked, context)) as responses:
                            async for response in responses:
                                await write(context, response)

        return handle


def _closed(requests: Any) -> aclosing[Any]:
    """The messages of a call: left open, gRPC's generator keeps the last one, in a circle with the call."""
    return aclosing(aiter(requests))


def _stream_reading(method: str, handler: grpc.RpcMethodHandler[Any, Any]) -> StreamReading:
    rpc = descriptor_pool.Default().FindMethodByName(method.removeprefix("/").replace("/", "."))
    most_first_bytes = LARGEST_FIRST_MESSAGES.get(method, LARGEST_REQUEST_BYTES)
    return StreamReading(handler.request_deserializer, rpc.input_type, most_first_bytes=most_first_bytes)


def _unless_serialised(serializer: Callable[[Any], bytes] | None) -> Callable[[Any], bytes]:
    """Let a stream send bytes as they are: messages that were serialised once for all who get them."""
    assert serializer is not None, "every message of the contract has one"
    return lambda message: message if isinstance(message, bytes) else serializer(message)


def _look_at(request: Any) -> None:
    """Let the log name the deployment, and refuse the one character that PostgreSQL cannot even compare with.

    Uploads, which come as streams, see to both by themselves.
    """
    if not isinstance(request, Message):
        return
    for descriptor, value in request.ListFields():
        if isinstance(value, str) and "\0" in value:
            raise invalid(descriptor.name, "must not contain NUL characters")
        if descriptor.name == "deployment_id":
            structlog.contextvars.bind_contextvars(deployment_id=value[:_SHOWN_ID_CHARACTERS])


class _Call:
    """The frame around one call's handler."""

    def __init__(self, method: str, context: Any, metrics: Metrics, *, streams: bool = False) -> None:
        self._method = method
        self._context = context
        self._metrics = metrics
        self._streams = streams
        given = dict(context.invocation_metadata() or ()).get(REQUEST_ID_KEY, "")
        self._request_id = given if _REQUEST_ID.fullmatch(str(given)) else uuid4().hex
        self._begun = time.monotonic()

    async def __aenter__(self) -> Self:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request_id=self._request_id, method=self._method.rpartition("/")[2]
        )
        if self._method not in _OWN_METADATA:
            await self._context.send_initial_metadata(((REQUEST_ID_KEY, self._request_id),))
        return self

    async def admit(self, admission: Admission) -> None:
        """Let the caller in. Raises ``Refusal``."""
        actor = Actor(ANONYMOUS, peer_of(str(self._context.peer())), self._request_id)
        caller = await admission.admit(actor, self._context)
        _actor.set(replace(actor, principal=caller.identity.principal))
        structlog.contextvars.bind_contextvars(principal=caller.identity.principal)
        _log.debug("call.begun")

    async def __aexit__(self, _type: object, error: BaseException | None, traceback: object) -> None:
        # Held here it would be held on; see `tracebacks`.
        del traceback
        duration_ms = round((time.monotonic() - self._begun) * 1000, 1)
        if error is None:
            self._count(grpc.StatusCode.OK)
            _log.info("call.done", duration_ms=duration_ms)
            return
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._count(grpc.StatusCode.CANCELLED)
            _log.info("call.cancelled", duration_ms=duration_ms)
            return
        if isinstance(error, grpc.aio.AbortError | grpc.aio.UsageError):
            return
        refusal = refusal_of(error)
        if refusal is None:
            _log.error("call.failed", duration_ms=duration_ms, exc_info=error)
            refusal = Refusal(
                Reason.INTERNAL,
                f"the server met a fault of its own; its log tells more under request id {self._request_id}",
            )
        else:
            _log.info(
                "call.refused",
                duration_ms=duration_ms,
                reason=refusal.reason.value,
                message=refusal.message[:MOST_MESSAGE_CHARACTERS],
            )
        status = status_of(refusal, self._request_id)
        self._count(code_of(status), refusal.reason)
        forget_tracebacks(error)
        await self._context.abort(code_of(status), status.message, trailing_metadata(status))

    def _count(self, code: grpc.StatusCode, reason: str = "") -> None:
        seconds = None if self._streams else time.monotonic() - self._begun
        self._metrics.call_ended(self._method.rpartition("/")[2], code.name, reason, seconds)

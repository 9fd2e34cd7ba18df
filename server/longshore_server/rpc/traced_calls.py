"""A span for every call that was let in, as part of the trace that its caller names.

It stands behind the interceptor that lets callers in, so that who may do nothing here makes no spans, and has
none made: a caller's `traceparent` says whether its trace is kept, whatever the node's own ratio. One that is
no such thing is as if there were none; `tracestate` and baggage are not taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, aclosing
from typing import Any, Final

import grpc

from longshore_server.tracing import Span, span

_OURS: Final = "/longshore."
_KEY: Final = "traceparent"
# Fields of requests that say what a call is about.
_TOLD: Final = ("deployment_id", "project", "environment")


class TracedCalls(grpc.aio.ServerInterceptor):
    """Wraps every handler, once; see the module."""

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[grpc.RpcMethodHandler[Any, Any], grpc.RpcMethodHandler[Any, Any]]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of one call."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or not method.startswith(_OURS):
            return handler
        known, wrapped = self._wrapped.get(method, (None, None))
        if known is not handler:
            wrapped = _wrap(method, handler)
            self._wrapped[method] = (handler, wrapped)
        return wrapped


def _wrap(method: str, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
    form = (handler.request_deserializer, handler.response_serializer)
    if handler.response_streaming:
        streaming = _streaming(method, handler.unary_stream or handler.stream_stream)
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(streaming, *form)
        return grpc.unary_stream_rpc_method_handler(streaming, *form)
    answering = _answering(method, handler.unary_unary or handler.stream_unary)
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler(answering, *form)
    return grpc.unary_unary_rpc_method_handler(answering, *form)


def _answering(method: str, inner: Any) -> Any:
    async def handle(request: Any, context: Any) -> Any:
        with _span_of(method, request, context):
            return await inner(request, context)

    return handle


def _streaming(method: str, inner: Any) -> Any:
    async def handle(request: Any, context: Any) -> Any:
        with _span_of(method, request, context):
            async with aclosing(inner(request, context)) as responses:
                async for response in responses:
                    yield response

    return handle


def _span_of(method: str, request: Any, context: Any) -> AbstractContextManager[Span]:
    service, _, name = method[1:].partition("/")
    about = {
        field: value for field in _TOLD if isinstance(value := getattr(request, field, ""), str) and value
    }
    return span(
        method[1:],
        within=_named_by_caller(context),
        serves=True,
        **{"rpc.system": "grpc", "rpc.service": service, "rpc.method": name},
        **about,
    )


def _named_by_caller(context: Any) -> str:
    return str(dict(context.invocation_metadata() or ()).get(_KEY, ""))

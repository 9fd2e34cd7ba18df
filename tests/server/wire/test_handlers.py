"""What the interceptor puts around handlers: made once, however many calls there are."""

from __future__ import annotations

from typing import Any

import grpc

from longshore_server.identity import Identity
from longshore_server.metrics import Metrics
from longshore_server.rpc.admission import EverybodyAdmitted
from longshore_server.rpc.interceptor import CallInterceptor


class _Details(grpc.HandlerCallDetails):
    method = "/longshore.v1.ClusterService/GetServerInfo"
    invocation_metadata = ()


async def _nothing(_request: Any, _context: Any) -> None: ...


def _handler() -> grpc.RpcMethodHandler[Any, Any]:
    return grpc.unary_unary_rpc_method_handler(_nothing, bytes, bytes)


async def test_calls_share_what_is_put_around_a_handler() -> None:
    metrics = Metrics(Identity("id", "one", "default", ("control",), 1), "0")
    interceptor, handlers = CallInterceptor(metrics, EverybodyAdmitted()), [_handler(), _handler()]
    given = [handlers[0], handlers[0], handlers[1]]

    async def find(_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        return given.pop(0)

    first, again, other = [await interceptor.intercept_service(find, _Details()) for _ in range(3)]
    assert first is again
    assert first is not other

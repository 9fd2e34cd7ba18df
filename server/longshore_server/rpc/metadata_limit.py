"""Calls with more metadata than a call may have: refused before anything else is done for them.

gRPC's own limit holds only for clients that have acknowledged its settings; for others it is 16 MiB a call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from .wire_limits import LARGEST_METADATA_BYTES

# As HTTP/2 counts them (RFC 9113, section 6.5.2).
_BYTES_OF_A_FIELD = 32


class MetadataLimit(grpc.aio.ServerInterceptor):
    """Lets through what fits."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Look at the metadata of one call."""
        fields = handler_call_details.invocation_metadata or ()
        if sum(len(name) + len(value) + _BYTES_OF_A_FIELD for name, value in fields) > LARGEST_METADATA_BYTES:
            return _REFUSING
        return await continuation(handler_call_details)


async def _refuse(requests: Any, context: Any) -> None:
    await context.abort(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        f"the call's metadata are more than {LARGEST_METADATA_BYTES >> 10} KiB",
    )


# Of a call with a stream, whatever it is: so no message is waited for.
_REFUSING: grpc.RpcMethodHandler[Any, Any] = grpc.stream_unary_rpc_method_handler(_refuse)

"""The one channel to a server, its stubs, and how a call with a single answer is made and tried again.

Invariants: a call that is tried again is the same call (every unary call of the contract is idempotent, by
its nature or by its deployment id); only errors that pass by themselves are retried, a bounded number of
times; what leaves is an error of ``errors``.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import tenacity
from google.protobuf.message import Message
from grpc import aio

from longshore.v1.catalog_service_pb2_grpc import CatalogServiceStub
from longshore.v1.cluster_service_pb2_grpc import ClusterServiceStub
from longshore.v1.deployment_service_pb2_grpc import DeploymentServiceStub

from .addresses import is_loopback
from .errors import Conflict, LongshoreError, Unavailable
from .statuses import translated

if TYPE_CHECKING:
    # These exist for type checkers only; the stub's class gives them for an asyncio channel.
    from longshore.v1.catalog_service_pb2_grpc import CatalogServiceAsyncStub
    from longshore.v1.cluster_service_pb2_grpc import ClusterServiceAsyncStub
    from longshore.v1.deployment_service_pb2_grpc import DeploymentServiceAsyncStub

MIB: Final = 1024 * 1024
LARGEST_MESSAGE_BYTES: Final = 4 * MIB
"""gRPC's own default, named so that no environment changes it."""

_CHANNEL_OPTIONS: Final = (
    ("grpc.max_send_message_length", LARGEST_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", LARGEST_MESSAGE_BYTES),
    # A connection that died silently is noticed within 20 s, as long as a call is open on it.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Retries are ours: a call that is tried again has to know it.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)

_UNARY_TRIES: Final = 4
_FIRST_WAIT_S: Final = 0.2
_LONGEST_BACKOFF_S: Final = 5.0
_LONGEST_WAIT_S: Final = 15.0

_Request = TypeVar("_Request", bound=Message, contravariant=True)
_Response = TypeVar("_Response", bound=Message, covariant=True)


class _UnaryMethod(Protocol[_Request, _Response]):
    """A stub's method with one request and one answer."""

    def __call__(
        self, request: _Request, *, timeout: float | None, metadata: Any
    ) -> Awaitable[_Response]: ...


class Connection:
    """A channel to ``server`` (``host:port``) and the stubs on it. Closed once, by its owner."""

    def __init__(self, server: str, *, timeout_s: float) -> None:
        self.server = server
        self._timeout_s = timeout_s
        # A proxy that the environment names never leads back to this machine.
        proxy = () if not is_loopback(server) else (("grpc.enable_http_proxy", 0),)
        self._channel = aio.insecure_channel(server, options=(*_CHANNEL_OPTIONS, *proxy))
        self.deployments: DeploymentServiceAsyncStub = DeploymentServiceStub(self._channel)
        self.catalog: CatalogServiceAsyncStub = CatalogServiceStub(self._channel)
        self.cluster: ClusterServiceAsyncStub = ClusterServiceStub(self._channel)

    async def close(self) -> None:
        """End every call that is still open and close the channel."""
        await self._channel.close()

    async def unary(self, method: _UnaryMethod[_Request, _Response], request: _Request) -> _Response:
        """Call a method with one answer; passing faults are retried. Raises ``LongshoreError``."""
        request_id = new_request_id()

        async def once() -> _Response:
            with translated(self.server, request_id):
                return await method(request, timeout=self._timeout_s, metadata=request_metadata(request_id))

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(passes_by_itself),
            stop=tenacity.stop_after_attempt(_UNARY_TRIES),
            wait=wait_before_next_try,
            reraise=True,
        )
        return await retrying(once)


def new_request_id() -> str:
    """An id for one call and its tries, by which the server's log is searched."""
    return uuid.uuid4().hex


def request_metadata(request_id: str) -> tuple[tuple[str, str], ...]:
    """The metadata that goes with every call."""
    return (("longshore-request-id", request_id),)


def passes_by_itself(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later."""
    return isinstance(error, Unavailable) or (isinstance(error, Conflict) and error.reason == "CONFLICT")


def wait_before_next_try(state: tenacity.RetryCallState) -> float:
    """Seconds to wait between the tries of a unary call."""
    return wait_s(state.outcome.exception() if state.outcome else None, state.attempt_number)


def wait_s(error: BaseException | None, tries: int) -> float:
    """Seconds to wait after so many tries in vain: the server's advice, else twice as long each time."""
    if isinstance(error, LongshoreError) and error.retry_after_s is not None:
        return min(error.retry_after_s, _LONGEST_WAIT_S)
    return min(_FIRST_WAIT_S * 2.0 ** min(tries - 1, 10), _LONGEST_BACKOFF_S)

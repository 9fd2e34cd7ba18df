"""The servers a client may call, and how a call with a single answer is made and tried again.

Invariants: a call that is tried again is the same call (every one that is made here is idempotent, by its
nature or by its deployment id), at whichever server; it is tried a bounded number of times; what leaves is an
error of ``errors``.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message
from grpc import aio

from .credentials import Credentials, certificates_of
from .errors import LongshoreError
from .policy import CallPolicy
from .routing import Route
from .server import Server
from .statuses import translated
from .tracing import BY_THE_PROGRAM, Tracing, trace_metadata
from .upload_call import CallEndedError, SendingCall

_Request = TypeVar("_Request", bound=Message, contravariant=True)
_Response = TypeVar("_Response", bound=Message, covariant=True)
_Sent = TypeVar("_Sent", bound=Message)
_Answer = TypeVar("_Answer", bound=Message)


class _UnaryMethod(Protocol[_Request, _Response]):
    """A stub's method with one request and one answer."""

    def __call__(
        self, request: _Request, *, timeout: float | None, metadata: Any
    ) -> Awaitable[_Response]: ...


class _SendingMethod(Protocol[_Sent, _Answer]):
    """A stub's method with a stream of requests and one answer."""

    def __call__(self, *, timeout: float | None, metadata: Any) -> aio.StreamUnaryCall[_Sent, _Answer]: ...


class Connection:
    """The servers at ``addresses`` (``host:port``), the one that answered last first. Closed once."""

    def __init__(
        self,
        addresses: Sequence[str],
        policy: CallPolicy,
        credentials: Credentials,
        tracing: Tracing = BY_THE_PROGRAM,
    ) -> None:
        self.policy = policy
        self.tracing = tracing
        certificates = certificates_of(credentials)
        self._servers = [Server(address, credentials, certificates) for address in addresses]
        self._preferred = self._servers[0]

    async def close(self) -> None:
        """End every call that is still open and close the channels."""
        await asyncio.gather(*(server.close() for server in self._servers))

    @property
    def servers(self) -> list[Server]:
        """The servers in the order in which a new call tries them."""
        first = self._servers.index(self._preferred)
        return self._servers[first:] + self._servers[:first]

    def prefer(self, server: Server) -> None:
        """Let new calls begin with this server, which has answered."""
        server.has_answered = True
        self._preferred = server

    async def unary(
        self, method: Callable[[Server], _UnaryMethod[_Request, _Response]], request: _Request
    ) -> _Response:
        """Call a server's method with one answer; passing faults are retried. Raises ``LongshoreError``."""

        async def call(server: Server, request_id: str) -> _Response:
            return await method(server)(
                request, timeout=self.policy.timeout_s, metadata=request_metadata(request_id, server)
            )

        with self.tracing.span(request.DESCRIPTOR.name.removesuffix("Request"), calls=True):
            return await self._tried(call)

    async def sending(
        self, method: Callable[[Server], _SendingMethod[_Sent, _Answer]], requests: Sequence[_Sent]
    ) -> _Answer:
        """The same with a stream of ``requests``, which is sent anew at every try."""

        async def call(server: Server, request_id: str) -> _Answer:
            sending = SendingCall(
                method(server)(timeout=self.policy.timeout_s, metadata=request_metadata(request_id, server))
            )
            try:
                # What ends it early is told by its answer.
                with suppress(CallEndedError):
                    for request in requests:
                        await sending.write(request)
                    await sending.close_writing()
                return await sending.answer()
            finally:
                sending.cancel()

        return await self._tried(call)

    async def _tried(self, call: Callable[[Server, str], Awaitable[_Answer]]) -> _Answer:
        request_id = new_request_id()
        route = Route(self, most_rounds=self.policy.rounds)
        while True:
            try:
                async with translated(route.server, request_id):
                    answer = await call(route.server, request_id)
            except LongshoreError as error:
                await asyncio.sleep(route.pause_s(error))
            else:
                route.answered()
                return answer


def new_request_id() -> str:
    """An id for one call and its tries, by which the server's log is searched."""
    return uuid.uuid4().hex


def request_metadata(request_id: str, server: Server) -> tuple[tuple[str, str], ...]:
    """The metadata that goes with every call to a server."""
    return (("longshore-request-id", request_id), *server.shown, *trace_metadata())

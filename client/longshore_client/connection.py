"""The servers a client may call, and how a call with a single answer is made and tried again.

Invariants: a call that is tried again is the same call (every unary call of the contract is idempotent, by
its nature or by its deployment id), at whichever server; it is tried a bounded number of times; what leaves
is an error of ``errors``.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from .errors import LongshoreError
from .policy import CallPolicy
from .routing import Route
from .server import Server
from .statuses import translated

_Request = TypeVar("_Request", bound=Message, contravariant=True)
_Response = TypeVar("_Response", bound=Message, covariant=True)


class _UnaryMethod(Protocol[_Request, _Response]):
    """A stub's method with one request and one answer."""

    def __call__(
        self, request: _Request, *, timeout: float | None, metadata: Any
    ) -> Awaitable[_Response]: ...


class Connection:
    """The servers at ``addresses`` (``host:port``), the one that answered last first. Closed once."""

    def __init__(self, addresses: Sequence[str], policy: CallPolicy) -> None:
        self.policy = policy
        self._servers = [Server(address) for address in addresses]
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
        """Let new calls begin with this server."""
        self._preferred = server

    async def unary(
        self, method: Callable[[Server], _UnaryMethod[_Request, _Response]], request: _Request
    ) -> _Response:
        """Call a server's method with one answer; passing faults are retried. Raises ``LongshoreError``."""
        request_id = new_request_id()
        route = Route(self, most_rounds=self.policy.rounds)
        while True:
            try:
                with translated(route.server.address, request_id):
                    answer = await method(route.server)(
                        request, timeout=self.policy.timeout_s, metadata=request_metadata(request_id)
                    )
            except LongshoreError as error:
                await asyncio.sleep(route.pause_s(error))
            else:
                route.answered()
                return answer


def new_request_id() -> str:
    """An id for one call and its tries, by which the server's log is searched."""
    return uuid.uuid4().hex


def request_metadata(request_id: str) -> tuple[tuple[str, str], ...]:
    """The metadata that goes with every call."""
    return (("longshore-request-id", request_id),)

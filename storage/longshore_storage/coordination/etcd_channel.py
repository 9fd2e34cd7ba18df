"""The way to a cluster of etcd members: one gRPC channel each, one of them in use.

Owns endpoints, TLS, the user's token, deadlines and moving on to the next member. A channel over
several addresses would be simpler and does not do: gRPC then checks certificates against the list of
addresses instead of the member's own name. Invariants: every call has a deadline, every request that
passes here may be sent twice (to another member, after an unknown outcome), and nothing leaves but the
errors of this package.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
from etcd3aio._protobuf import LeaseStub, WatchStub
from etcd3aio.auth import AuthService
from etcd3aio.kv import KVService
from etcd3aio.lease import LeaseService

from longshore_storage.errors import CoordinationUnavailable, Misconfigured, StorageError

from .etcd_calls import outcome
from .etcd_errors import FAULTS, Fault, Remedy, translated

_T = TypeVar("_T")

CALL_TIMEOUT_S = 5.0
_SHORTEST_ATTEMPT_S = 0.5
_ROUND_PAUSE_S = 0.1

_CLOSED = "this coordination client is closed"

_OPTIONS = (
    # etcd refuses pings that come faster than every 5 s or without an open stream.
    ("grpc.keepalive_time_ms", 7_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    # The one that counts: without it an unanswered ping is waited for a minute, as measured.
    ("grpc.http2.ping_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 0),
    # A member that comes back is used again within seconds, not minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True)
class User:
    """Who logs in to etcd."""

    name: str
    password: str = field(repr=False)


class Endpoint:
    """One member: its channel and etcd's services over it."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        self.address = address
        self.channel = (
            grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
            if credentials
            else grpc.aio.insecure_channel(address, options=_OPTIONS)
        )
        self.kv = KVService(self.channel, max_attempts=1)
        self.lease = LeaseService(self.channel, max_attempts=1)
        self.auth = AuthService(self.channel, max_attempts=1)
        self.lease_stub = LeaseStub(self.channel)
        self.watch_stub = WatchStub(self.channel)
        self.stream_metadata: tuple[tuple[str, str], ...] = ()
        self.use_token("")

    def use_token(self, token: str) -> None:
        """Send ``token`` with every call from now on (none when empty)."""
        self.kv.set_token(token)
        self.lease.set_token(token)
        # Without ``hasleader`` a member that lost its cluster keeps a silent stream open for ever.
        leader = ("hasleader", "true")
        self.stream_metadata = (leader, ("token", token)) if token else (leader,)


Request = Callable[[Endpoint, float], Awaitable[_T]]
"""One idempotent request: it is given the member to ask and its time-out in seconds."""


class EtcdConnection:
    """A cluster as one thing to ask. Sticks to a member until that one fails, then takes the next.

    What is called in ``ends`` gives something back and runs first when the connection closes.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        credentials: grpc.ChannelCredentials | None = None,
        user: User | None = None,
    ) -> None:
        # In another order for every client, so that a fleet spreads over the members.
        shuffled = random.sample(list(addresses), len(addresses))
        self._endpoints = [Endpoint(address, credentials) for address in shuffled]
        self._current = 0
        self._user = user
        self._token: str | None = None if user else ""
        self._logging_in = asyncio.Lock()
        self._farewells: set[asyncio.Task[None]] = set()
        self.ends: set[Callable[[], None]] = set()
        self._closed = False

    async def call(
        self, request: Request[_T], *, timeout_s: float = CALL_TIMEOUT_S, farewell: bool = False
    ) -> _T:
        """Send ``request`` to the member in use, and to the others in turn while they fail.

        All of it takes at most ``timeout_s``, and no member more than a third: in the first round half of
        that, because whoever still believes in a leader that has gone forwards to it, and answers nobody.
        Members that cannot be reached are asked once; as long as one of them is only slow, or without a
        leader, the round starts again. Only a ``farewell``, which gives something back, is sent while the
        connection closes. Raises ``Misconfigured`` when that was the trouble of any member and none answered.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        third_s = timeout_s / max(len(self._endpoints), 3)
        attempt_s = max(third_s / 2, _SHORTEST_ATTEMPT_S)
        failures: dict[str, Fault] = {}
        while True:
            first = self._current
            for endpoint in self._endpoints[first:] + self._endpoints[:first]:
                if self._closed and not farewell:
                    raise CoordinationUnavailable(_CLOSED)
                share_s = min(attempt_s, deadline - loop.time())
                if share_s <= 0:
                    raise _combined(failures)
                try:
                    async with asyncio.timeout(share_s):
                        return await outcome(self._ask(endpoint, request, share_s))
                except FAULTS as raised:
                    fault = failures[endpoint.address] = translated(raised, endpoint.address)
                    if fault.remedy is Remedy.NONE:
                        raise fault.error from raised
                    self.leave(endpoint)
            if not any(fault.remedy is Remedy.NEXT_MEMBER_THEN_AGAIN for fault in failures.values()):
                raise _combined(failures)
            await asyncio.sleep(_ROUND_PAUSE_S)
            attempt_s = max(third_s, _SHORTEST_ATTEMPT_S)
            # Of those that did not answer the first has gone, more likely than the others: it comes last.
            self.leave(self._endpoints[first])

    def leave(self, endpoint: Endpoint) -> None:
        """Take the next member from now on, when ``endpoint`` is still the one in use."""
        if self._endpoints[self._current] is endpoint:
            self._current = (self._current + 1) % len(self._endpoints)

    def finish(self, farewell: asyncio.Task[None]) -> None:
        """Let ``farewell``, a short task that gives something back, end before the channels close."""
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    async def close(self) -> None:
        """Give everything back, then close every channel. Idempotent."""
        self._closed = True
        for end in list(self.ends):
            end()
        while self._farewells:
            await asyncio.wait(self._farewells)
        await asyncio.gather(*(endpoint.channel.close() for endpoint in self._endpoints))

    async def _ask(self, endpoint: Endpoint, request: Request[_T], timeout_s: float) -> _T:
        if self._token is None:
            await self._log_in(endpoint, None, timeout_s)
        token = self._token
        try:
            return await request(endpoint, timeout_s)
        except FAULTS as raised:
            if self._user is None or translated(raised, endpoint.address).remedy is not Remedy.LOG_IN_AGAIN:
                raise
        await self._log_in(endpoint, token, timeout_s)
        return await request(endpoint, timeout_s)

    async def _log_in(self, endpoint: Endpoint, refused: str | None, timeout_s: float) -> None:
        """Get a token, unless somebody else got one meanwhile. Tokens are good at every member."""
        assert self._user is not None
        async with self._logging_in:
            if self._token != refused:
                return
            try:
                answer = await endpoint.auth.authenticate(
                    self._user.name, self._user.password, timeout=timeout_s
                )
                self._token = str(answer.token)
            except grpc.aio.AioRpcError as raised:
                if "authentication is not enabled" not in (raised.details() or ""):
                    raise
                self._token = ""
            for each in self._endpoints:
                each.use_token(self._token)


def _combined(failures: dict[str, Fault]) -> StorageError:
    """What to raise when every member failed: a wrong setting before a passing fault."""
    errors = [fault.error for fault in failures.values()]
    wrong = [error for error in errors if isinstance(error, Misconfigured)]
    if wrong:
        return wrong[0]
    return CoordinationUnavailable("; ".join(map(str, errors)) or "no time left to ask etcd")

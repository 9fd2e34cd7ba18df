"""Following one deployment to its end, over breaks: from the last number seen, at whichever node answers.

Invariants: events come in order, each once, without a gap (but for those that the server compacted); the
iterator ends after the terminal event and not before; a stream that is silent for longer than its heartbeats
allow is broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

from google.protobuf import duration_pb2
from grpc import aio

from longshore.v1 import deployment_service_pb2

from .connection import Connection, new_request_id, request_metadata
from .conversion import event, snapshot
from .errors import LongshoreError, ProgressCompacted, Unavailable
from .models import Event, Snapshot, StatusChanged
from .routing import Route
from .server import Server
from .statuses import translated

_SILENCE_S: Final = 45.0
"""Three heartbeats of the contract."""

BreakCallback = Callable[[LongshoreError], None]


async def follow(
    connection: Connection,
    deployment_id: str,
    *,
    after: int,
    wait_for_creation_s: float,
    until_waiting: bool,
    patience_s: float,
    on_break: BreakCallback | None,
) -> AsyncGenerator[Event | Snapshot, None]:
    """Events after number ``after``, and snapshots between them, until the terminal event.

    With ``until_waiting`` also until the deployment waits for a person.
    After a break it connects again, until nothing was heard for ``patience_s``; ``on_break`` is told.
    Raises ``LongshoreError``.
    """
    route = Route(connection, patience_s=patience_s)
    last, begin = after, after
    while True:
        broken: LongshoreError | None = None
        stream = _Stream(route.server, deployment_id, begin, wait_for_creation_s, until_waiting=until_waiting)
        try:
            while True:
                try:
                    updates = await stream.read()
                except LongshoreError as error:
                    broken = error
                    break
                if updates is None:
                    return
                route.answered()
                route.progressed()
                for update in updates:
                    if isinstance(update, Event):
                        if update.sequence <= last:
                            continue
                        last = begin = update.sequence
                    yield update
                    if _is_terminal(update):
                        return
        finally:
            stream.close()
        if isinstance(broken, ProgressCompacted) and begin > after:
            # What came while the connection was broken is compacted: begin again, known numbers are skipped.
            begin = 0
            continue
        pause_s = route.pause_s(broken)
        if on_break is not None:
            on_break(broken)
        await asyncio.sleep(pause_s)


def _is_terminal(update: Event | Snapshot) -> bool:
    if isinstance(update, Snapshot):
        return False
    return isinstance(update.detail, StatusChanged) and update.detail.to_status.terminal


class _Stream:
    """One StreamProgress call."""

    def __init__(
        self,
        server: Server,
        deployment_id: str,
        after: int,
        wait_for_creation_s: float,
        *,
        until_waiting: bool,
    ) -> None:
        self._address = server.address
        self._request_id = new_request_id()
        request = deployment_service_pb2.StreamProgressRequest(
            deployment_id=deployment_id,
            after_sequence=after,
            until=(
                deployment_service_pb2.PROGRESS_UNTIL_WAITING
                if until_waiting
                else deployment_service_pb2.PROGRESS_UNTIL_ENDED
            ),
        )
        if wait_for_creation_s > 0:
            wait = duration_pb2.Duration()
            wait.FromMilliseconds(round(wait_for_creation_s * 1000))
            request.wait_for_creation.CopyFrom(wait)
        # Without a word for as long as the id may be waited for, and a heartbeat more.
        self._silence_s = _SILENCE_S + wait_for_creation_s
        self._call: aio.UnaryStreamCall[
            deployment_service_pb2.StreamProgressRequest, deployment_service_pb2.StreamProgressResponse
        ] = server.deployments.StreamProgress(request, metadata=request_metadata(self._request_id))

    async def read(self) -> list[Event | Snapshot] | None:
        """What the next message tells, None at the end of the stream."""
        try:
            with translated(self._address, self._request_id):
                async with asyncio.timeout(self._silence_s):
                    message = await self._call.read()
        except TimeoutError:
            raise Unavailable(
                f"the server at {self._address} was silent for {self._silence_s:.0f} s"
            ) from None
        if not isinstance(message, deployment_service_pb2.StreamProgressResponse):
            return None
        updates: list[Event | Snapshot] = []
        if message.HasField("snapshot"):
            updates.append(snapshot(message.snapshot))
        updates += [event(each) for each in message.events]
        return updates

    def close(self) -> None:
        """End the call, if it has not ended."""
        self._call.cancel()

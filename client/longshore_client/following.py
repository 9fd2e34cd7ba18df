"""Following one deployment to its end, over breaks: from the last number seen, at whichever node answers.

Invariants: events come in order, each once, without a gap (but for those that the server compacted); the
iterator ends after the terminal event and not before; a stream that is silent for longer than its heartbeats
allow is broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from google.protobuf import duration_pb2

from longshore.v1 import deployment_service_pb2

from .connection import Connection
from .conversion import event, snapshot
from .errors import LongshoreError, ProgressCompacted
from .events import Event, Snapshot, StatusChanged
from .routing import Route
from .streaming import SILENCE_S, Stream

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
    An id that nobody has deployed by yet is waited for ``wait_for_creation_s`` in all, breaks included.
    After a break it connects again, until nothing was heard for ``patience_s``. Where what comes behind
    ``after`` was compacted, what is left of it comes, behind a snapshot that says so. ``on_break`` is told
    of both. Raises ``LongshoreError``.
    """
    route = Route(connection, patience_s=patience_s)
    clock = asyncio.get_running_loop().time
    give_up_at = clock() + wait_for_creation_s
    last, begin = after, after
    while True:
        broken: LongshoreError | None = None
        stream: Stream[deployment_service_pb2.StreamProgressResponse] = Stream(
            route.server,
            route.server.deployments.StreamProgress,
            _request(deployment_id, begin, max(0.0, give_up_at - clock()), until_waiting=until_waiting),
            silence_s=SILENCE_S,
        )
        try:
            while True:
                try:
                    message = await stream.read()
                except LongshoreError as error:
                    broken = error
                    break
                if message is None:
                    return
                route.answered()
                route.progressed()
                for update in _updates(message):
                    if isinstance(update, Event):
                        if update.sequence <= last:
                            continue
                        last = begin = update.sequence
                    yield update
                    if _is_terminal(update):
                        return
        finally:
            stream.close()
        # What comes behind the last number is compacted: begin again, known numbers are skipped.
        compacted = isinstance(broken, ProgressCompacted) and begin > 0
        if compacted:
            begin = 0
        pause_s = 0.0 if compacted else route.pause_s(broken)
        if on_break is not None:
            on_break(broken)
        await asyncio.sleep(pause_s)


def _is_terminal(update: Event | Snapshot) -> bool:
    if isinstance(update, Snapshot):
        return False
    return isinstance(update.detail, StatusChanged) and update.detail.to_status.terminal


def _request(
    deployment_id: str, after: int, wait_for_creation_s: float, *, until_waiting: bool
) -> deployment_service_pb2.StreamProgressRequest:
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
    return request


def _updates(message: deployment_service_pb2.StreamProgressResponse) -> list[Event | Snapshot]:
    updates: list[Event | Snapshot] = []
    if message.HasField("snapshot"):
        updates.append(snapshot(message.snapshot))
    updates += [event(each) for each in message.events]
    return updates

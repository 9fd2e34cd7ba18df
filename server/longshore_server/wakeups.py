"""Wake-up signals between nodes: sent coalesced, never trusted, always backed by a poll.

Kinds: ``rollouts`` (ident ``environment/project``: the queue, a request or a node's report changed),
``assignments`` (ident the environment: its nodes look at what they should have), ``progress`` (ident a
deployment's id: its followers look for events), ``nodes`` (ident a node's id: it looks at its row, and who
watches nodes looks, too), ``verifications`` (ident the environment: its nodes look at what they are to
compare).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

import structlog

from longshore_storage.errors import StorageError
from longshore_storage.ports import Coordination

_log = structlog.get_logger(__name__)

# At most four signals a second for one thing.
_SPACING_S = 0.25
_RETRY_S = 1.0
# As a signal; no environment, project or id is called so.
_EVERYTHING = "*"


async def woken(event: asyncio.Event, within_s: float) -> bool:
    """Wait for an event, but not for ever; tells whether it came.

    In Python 3.11 ``asyncio.wait_for`` loses a cancellation that meets the event: a loop that waits by it
    then never ends.
    """
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


class Kind(StrEnum):
    """What a signal is about."""

    ROLLOUTS = "rollouts"
    ASSIGNMENTS = "assignments"
    PROGRESS = "progress"
    NODES = "nodes"
    VERIFICATIONS = "verifications"


def rollout_ident(project: str, environment: str) -> str:
    """The ident of a place in which something rolls out."""
    return f"{environment}/{project}"


def rollout_lock(project: str, environment: str) -> str:
    """The name of the lock of whoever drives the rollouts of a place."""
    return f"rollout/{rollout_ident(project, environment)}"


class Wakeups:
    """Wakes listeners here at once and those on other nodes soon; whoever sends never waits, never fails."""

    def __init__(self, coordination: Coordination) -> None:
        self._coordination = coordination
        self._listeners: dict[Kind, list[Callable[[str], None]]] = {kind: [] for kind in Kind}
        self._sending: dict[tuple[Kind, str], bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, kind: Kind, ident: str) -> None:
        """Signal, "" for everything; to other nodes several in a quarter of a second become two at most."""
        for wake in self._listeners[kind]:
            wake(ident)
        if self._coordination.is_alone:
            return
        key = (kind, ident)
        if key in self._sending:
            self._sending[key] = True
            return
        self._sending[key] = False
        task = asyncio.create_task(self._send(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @asynccontextmanager
    async def listening(self, kind: Kind, wake: Callable[[str], None]) -> AsyncIterator[None]:
        """Call ``wake`` with every ident signalled while the block runs; "" means: look at everything."""
        self._listeners[kind].append(wake)
        task = asyncio.create_task(self._listen(kind, wake))
        try:
            yield
        finally:
            self._listeners[kind].remove(wake)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def close(self) -> None:
        """Drop what was not sent yet: polls make up for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send(self, key: tuple[Kind, str]) -> None:
        try:
            while True:
                self._sending[key] = False
                try:
                    kind, ident = key
                    await self._coordination.signal(kind, ident or _EVERYTHING)
                except StorageError as error:
                    _log.warning("signal.lost", kind=key[0], ident=key[1], error=str(error))
                await asyncio.sleep(_SPACING_S)
                if not self._sending[key]:
                    return
        finally:
            del self._sending[key]

    async def _listen(self, kind: Kind, wake: Callable[[str], None]) -> None:
        while True:
            try:
                async with self._coordination.signals(kind) as idents:
                    async for ident in idents:
                        wake("" if ident == _EVERYTHING else ident)
            except StorageError as error:
                _log.warning("signals.away", kind=kind, error=str(error))
            await asyncio.sleep(_RETRY_S)

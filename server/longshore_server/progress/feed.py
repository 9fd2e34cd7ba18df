"""One deployment's newest events and snapshot in memory, read from SQL once for all followers here.

Followers pull: the feed holds a bounded stretch of events and knows nobody, so a follower that never
reads costs nothing, and one that fell behind reads its stretch from SQL by itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from longshore_server.views import DeploymentView, view
from longshore_server.wakeups import woken
from longshore_storage.catalogue import Catalogue, assignments, deployments
from longshore_storage.catalogue.journal import events_after
from longshore_storage.catalogue.lifecycle import TERMINAL
from longshore_storage.catalogue.rows import Activation, Event
from longshore_storage.errors import StorageError

_log = structlog.get_logger(__name__)

_KEPT_EVENTS = 512
_READ_EVENTS = 256
# Bytes grow all the time; who follows sees them once a second.
_POLL_S = 1.0
_MOST_ACTIVATIONS = 200


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a deployment stands: beside the numbered events, and without a number of its own."""

    view: DeploymentView
    activations: Sequence[Activation]


class Feed:
    """Reads while it runs; ``changed`` is set and replaced at every change."""

    def __init__(self, catalogue: Catalogue, deployment_id: str, *, begin_after: int) -> None:
        self._catalogue = catalogue
        self._deployment_id = deployment_id
        self._events: deque[Event] = deque(maxlen=_KEPT_EVENTS)
        self._last = begin_after
        self._wake = asyncio.Event()
        self.changed = asyncio.Event()
        self.snapshot: Snapshot | None = None
        self.followers = 0

    def wake(self) -> None:
        """Look for events now."""
        self._wake.set()

    def after(self, sequence: int) -> Sequence[Event] | None:
        """The events in memory behind ``sequence``; None when some of them are only in SQL."""
        if sequence >= self._last:
            return ()
        if not self._events or self._events[0].sequence > sequence + 1:
            return None
        return [event for event in self._events if event.sequence > sequence]

    async def run(self) -> None:
        """Read until the deployment has ended, or until cancelled."""
        while True:
            self._wake.clear()
            try:
                if await self._read():
                    return
            except StorageError as error:
                _log.warning("progress.unread", deployment_id=self._deployment_id, error=str(error))
            except Exception:
                # A feed that died would leave its followers with heartbeats for ever.
                _log.exception("progress.failed", deployment_id=self._deployment_id)
            await woken(self._wake, _POLL_S)

    async def _read(self) -> bool:
        ended, more = False, True
        while more:
            async with self._catalogue.reading() as transaction:
                deployment = await deployments.get_deployment(transaction, self._deployment_id)
                assert deployment is not None, "a deployment is never deleted"
                new = await events_after(transaction, self._deployment_id, self._last, _READ_EVENTS)
                more = len(new) == _READ_EVENTS
                snapshot = None
                if not more:
                    listed = await assignments.list_activations(
                        transaction, self._deployment_id, after=None, limit=_MOST_ACTIVATIONS
                    )
                    snapshot = Snapshot(await view(transaction, deployment), listed)
            self._events.extend(new)
            if new:
                self._last = new[-1].sequence
            if new or (snapshot is not None and snapshot != self.snapshot):
                self.snapshot = snapshot or self.snapshot
                self._tell()
            ended = deployment.status in TERMINAL and self._last >= deployment.last_sequence
        return ended

    def _tell(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

"""One deployment's newest events and snapshot, read from SQL and serialised once for all followers here.

Followers pull: the feed holds a bounded stretch and knows nobody, so a follower that never reads costs
nothing, and one that fell behind reads its stretch from SQL by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from longshore_server.views import DeploymentView, view
from longshore_server.wakeups import woken
from longshore_storage.catalogue import Catalogue, Transaction, activations, deployments
from longshore_storage.catalogue.journal import events_after
from longshore_storage.catalogue.lifecycle import TERMINAL, WAITING, DeploymentStatus
from longshore_storage.catalogue.rows import Activation, Deployment, Event
from longshore_storage.errors import StorageError

from .crowd import Crowd
from .frames import Frame, Frames

_log = structlog.get_logger(__name__)

_BEGIN_WITH_EVENTS: Final = 128
_READ_EVENTS: Final = 64
# Bytes grow all the time; who follows sees them once a second.
_SNAPSHOT_SPACING_S: Final = 1.0
# Where no byte and no node moves, what happens is an event, and its signal wakes the feed.
_QUIET: Final = WAITING | {DeploymentStatus.QUEUED}
_QUIET_SPACING_S: Final = 10.0
_MOST_ACTIVATIONS: Final = 200


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a deployment stands: beside the numbered events, and without a number of its own."""

    view: DeploymentView
    activations: Sequence[Activation]


async def look_at(transaction: Transaction, deployment: Deployment) -> Snapshot:
    """Take a snapshot of a deployment that was just read."""
    return Snapshot(
        await view(transaction, deployment),
        await activations.activations_at_work(transaction, deployment.id, limit=_MOST_ACTIVATIONS),
    )


Encode = Callable[[Sequence[Event], Snapshot | None], bytes]
"""Serialises a message; several of its results one behind the other are one message with all they tell."""


class Feed:
    """Reads while it runs; wakes its ``crowd`` whenever something has changed."""

    def __init__(self, catalogue: Catalogue, encode: Encode, deployment: Deployment) -> None:
        self._catalogue = catalogue
        self._encode = encode
        self._frames = Frames(max(0, deployment.last_sequence - _BEGIN_WITH_EVENTS))
        self._wake = asyncio.Event()
        self._looked_at = -_SNAPSHOT_SPACING_S
        self._seen: Snapshot | None = None
        self._untold = False
        self.crowd = Crowd()
        self.deployment = deployment
        self.snapshot = b""
        # Counts the snapshots.
        self.snapshot_number = 0
        # Counts the ticks of the clock that all heartbeats here go by.
        self.beat = 0
        self.followers = 0
        self.after = self._frames.after

    @property
    def snapshot_compacted_through(self) -> int:
        """Up to which number the snapshot says that events are missing."""
        return self._seen.view.deployment.compacted_through if self._seen is not None else 0

    def wake(self) -> None:
        """Look for events now."""
        self._wake.set()

    def tick(self) -> None:
        """Let followers look whether a heartbeat is due."""
        self.beat += 1
        self.crowd.wake()

    def stands_at(self, sequence: int, stands: Callable[[Deployment], bool]) -> bool:
        """Whether event ``sequence`` is the newest and the deployment ``stands`` so since."""
        return self.deployment.last_sequence == sequence and stands(self.deployment)

    async def run(self) -> None:
        """Read until the deployment has ended, or until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            self._wake.clear()
            spacing_s = _SNAPSHOT_SPACING_S
            try:
                if await self._read():
                    return
                if self._is_quiet():
                    spacing_s = _QUIET_SPACING_S
            except StorageError as error:
                self._looked_at = clock()
                _log.warning("progress.unread", error=str(error))
            except Exception:
                # A feed that died would leave its followers with heartbeats for ever.
                self._looked_at = clock()
                _log.exception("progress.failed")
            await woken(self._wake, self._looked_at + spacing_s - clock())

    async def _read(self) -> bool:
        """Read what is new; tells whether the deployment has ended and all of it was read."""
        ended = False
        while not ended:
            async with self._catalogue.reading() as transaction:
                last = self._frames.last
                new: Sequence[Event] = ()
                deployment = await self._row(transaction)
                if deployment.last_sequence > last:
                    new = await events_after(transaction, deployment.id, last, _READ_EVENTS)
                    # Read behind them again, so that it is never older than they are.
                    deployment = await self._row(transaction)
                all_read = deployment.last_sequence <= (new[-1].sequence if new else last)
                ended = deployment.status in TERMINAL and all_read
                # News must not wait for a snapshot: it goes along with the next, or comes a little later.
                at_once = ended or not new or not self.snapshot_number
                if all_read and at_once and (ended or self._is_look_due()):
                    await self._look(transaction, deployment)
            self._add(new, deployment)
            if all_read:
                break
        if not ended and self._is_look_due():
            async with self._catalogue.reading() as transaction:
                await self._look(transaction, self.deployment)
        return ended

    def _add(self, new: Sequence[Event], deployment: Deployment) -> None:
        changed = bool(new) or self._untold or deployment != self.deployment
        compacted = deployment.compacted_through != self.deployment.compacted_through
        self.deployment = deployment
        self._frames.add(Frame(event.sequence, self._encode([event], None)) for event in new)
        if compacted:
            # What was read before and after has a hole between.
            self._frames.forget()
        if changed:
            self._untold = False
            self.crowd.wake()

    async def _row(self, transaction: Transaction) -> Deployment:
        deployment = await deployments.get_deployment(transaction, self.deployment.id)
        assert deployment is not None, "a deployment is never deleted"
        return deployment

    def _is_quiet(self) -> bool:
        """Whether nothing changes without an event, and what there is has been told."""
        told = self._seen is not None and self._seen.view.deployment == self.deployment and not self._untold
        return told and self.deployment.status in _QUIET

    def _is_look_due(self) -> bool:
        return asyncio.get_running_loop().time() >= self._looked_at + _SNAPSHOT_SPACING_S

    async def _look(self, transaction: Transaction, deployment: Deployment) -> None:
        self._looked_at = asyncio.get_running_loop().time()
        seen = await look_at(transaction, deployment)
        if seen != self._seen:
            self._seen = seen
            self.snapshot = self._encode([], seen)
            self.snapshot_number += 1
            self._untold = True

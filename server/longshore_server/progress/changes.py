"""Which deployments change, for all who watch on this node: one reader, and the last state of each.

SQL has no list of changes. What can change is what has not ended, and what that has ended lately; so that is
looked at, in few columns: all of it now and then, which finds what other nodes did while no signal came, and
what a signal names at once. What is known of the rest was told before and stays as it is.

Bounded: of so many deployments the last state is kept, in the order of their last changes, and of ten times
as many that they changed. Who is behind the first looks up the second in SQL; who is behind both begins
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, NamedTuple

import structlog

from longshore_server.views import DeploymentView, views
from longshore_server.wakeups import woken
from longshore_storage.catalogue import Catalogue, deployments
from longshore_storage.catalogue.lifecycle import TERMINAL
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.catalogue.standing import Standing, standing_now, standing_of
from longshore_storage.errors import StorageError

from .crowd import Crowd

_log = structlog.get_logger(__name__)

_POLL_S: Final = 2.0
_SPACING_S: Final = 0.25
# A transaction takes its time at its beginning and may be seen so much later.
_SEEN_LATE: Final = timedelta(minutes=1)
_READ_AT_ONCE: Final = 100
_MOST_NAMED: Final = 500
_MOST_CHANGES = 1_000
_MOST_FORGOTTEN = 10_000

EncodeDeployments = Callable[[Sequence[DeploymentView], bool], bytes]
"""Serialises deployments, and whether all to begin with were told; several results are one message."""


class Change(NamedTuple):
    """A deployment's last state; ``version`` counts the changes seen here."""

    version: int
    deployment: Deployment
    data: bytes


class Changes:
    """Looks while it runs; wakes its ``crowd`` whenever a deployment has changed."""

    def __init__(self, catalogue: Catalogue, encode: EncodeDeployments) -> None:
        self._catalogue = catalogue
        self._encode = encode
        self._known: dict[str, Standing] = {}
        self._changed: dict[str, Change] = {}
        self._looked_at: datetime | None = None
        self._named: set[str] = set()
        self._wake = asyncio.Event()
        self.crowd = Crowd()
        self.version = 0
        self.beat = 0
        # The versions of the last changes whose states are not kept any more, the oldest first.
        self._forgotten: dict[str, int] = {}
        self.forgotten_version = 0
        # Of changes up to this version nothing is known any more.
        self.lost_version = 0

    @property
    def begun(self) -> bool:
        """Whether everything that changes from now on will be told."""
        return self._looked_at is not None

    def wake(self, ident: str) -> None:
        """Look at a deployment now; "" means at everything."""
        self._named.add(ident)
        self._wake.set()

    def tick(self) -> None:
        """Let watchers look whether a heartbeat is due."""
        self.beat += 1
        self.crowd.wake()

    def after(self, version: int) -> Iterator[Change]:
        """The last states of what has changed since a version, the oldest change first."""
        newest_first = reversed(self._changed.values())
        newer = list(takewhile(lambda change: change.version > version, newest_first))
        return reversed(newer)

    def forgotten_after(self, version: int, most: int) -> tuple[Sequence[str], int]:
        """What changed last since a version that is not lost, and is only in SQL.

        The first ``most`` ids, and the version up to which they are all.
        """
        newest_first = list(takewhile(lambda one: one[1] > version, reversed(self._forgotten.items())))
        first = newest_first[-most:]
        up_to = first[0][1] if len(newest_first) > most else self.forgotten_version
        return [deployment_id for deployment_id, _ in first], up_to

    async def run(self) -> None:
        """Look until cancelled."""
        clock = asyncio.get_running_loop().time
        all_looked_at = -_POLL_S
        while True:
            named, self._named = self._named, set()
            self._wake.clear()
            everything = (
                not self.begun
                or "" in named
                or len(named) > _MOST_NAMED
                or clock() >= all_looked_at + _POLL_S
            )
            try:
                if everything:
                    all_looked_at = clock()
                    await self._look_at_everything()
                elif named:
                    await self._look_at(named)
            except StorageError as error:
                _log.warning("changes.unread", error=str(error))
            except Exception:
                # Watchers would be left with heartbeats for ever.
                _log.exception("changes.failed")
            await asyncio.sleep(_SPACING_S)
            await woken(self._wake, all_looked_at + _POLL_S - clock())

    async def _look_at_everything(self) -> None:
        async with self._catalogue.reading() as transaction:
            now = await transaction.now()
            since = (self._looked_at or now) - _SEEN_LATE
            found = {one.id: one for one in await standing_now(transaction, ended_since=since)}
            # What a transaction ended that began before that, and took its time.
            missing = [one.id for one in self._known.values() if one.status not in TERMINAL]
            missing = [deployment_id for deployment_id in missing if deployment_id not in found]
            for at in range(0, len(missing), _READ_AT_ONCE):
                late = await standing_of(transaction, missing[at : at + _READ_AT_ONCE])
                found.update((one.id, one) for one in late)
        if self.begun:
            await self._tell([one for one in found.values() if one != self._known.get(one.id)])
        else:
            self.crowd.wake()
        self._known = found
        self._looked_at = now

    async def _look_at(self, named: Collection[str]) -> None:
        async with self._catalogue.reading() as transaction:
            found = await standing_of(transaction, named)
        await self._tell([one for one in found if one != self._known.get(one.id)])
        self._known.update((one.id, one) for one in found)

    async def _tell(self, changed: Sequence[Standing]) -> None:
        ids = [one.id for one in changed]
        for one in changed:
            if one.status in TERMINAL:
                # What went live takes the place of another, which is no more.
                ids += [other for other in (one.rollback_of, one.previous_deployment_id) if other]
        for at in range(0, len(ids), _READ_AT_ONCE):
            async with self._catalogue.reading() as transaction:
                page = await deployments.get_deployments(transaction, ids[at : at + _READ_AT_ONCE])
                seen = await views(transaction, page)
            for state in seen:
                self.version += 1
                deployment = state.deployment
                self._changed.pop(deployment.id, None)
                self._forgotten.pop(deployment.id, None)
                self._changed[deployment.id] = Change(self.version, deployment, self._encode([state], False))
            self._forget_the_oldest()
            self.crowd.wake()

    def _forget_the_oldest(self) -> None:
        while len(self._changed) > _MOST_CHANGES:
            forgotten = self._changed.pop(next(iter(self._changed)))
            self._forgotten[forgotten.deployment.id] = self.forgotten_version = forgotten.version
        while len(self._forgotten) > _MOST_FORGOTTEN:
            self.lost_version = self._forgotten.pop(next(iter(self._forgotten)))

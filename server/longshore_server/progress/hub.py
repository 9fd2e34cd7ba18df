"""Who follows what: one feed a followed deployment, shared by all its followers on this node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Kind, Wakeups, woken
from longshore_storage.catalogue import Catalogue, deployments
from longshore_storage.catalogue.journal import events_after
from longshore_storage.catalogue.lifecycle import TERMINAL, WAITING, DeploymentStatus
from longshore_storage.catalogue.rows import Deployment, Event

from .feed import Feed, Snapshot

HEARTBEAT_S = 15.0
LONGEST_WAIT_FOR_CREATION_S = 300.0
_CREATION_POLL_S = 0.5
# The largest events tell 500 nodes' steps, about 150 kB; so many fit into a message.
_MOST_EVENTS = 16
_SNAPSHOT_SPACING_S = 1.0


@dataclass(frozen=True, slots=True)
class Update:
    """What one message tells: the next events, a snapshot, both, or (a heartbeat) nothing."""

    events: Sequence[Event] = ()
    snapshot: Snapshot | None = None


class ProgressHub:
    """Gives each follower every event once, in order, up to the terminal one."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups
        self._feeds: dict[str, Feed] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._created = asyncio.Event()

    @property
    def followers(self) -> int:
        """How many streams are open."""
        # Asked by another thread, while feeds come and go.
        return sum(feed.followers for feed in list(self._feeds.values()))

    async def run(self) -> None:
        """Pass wake-ups on to the feeds, until cancelled."""
        try:
            async with self._wakeups.listening(Kind.PROGRESS, self._wake):
                await asyncio.Event().wait()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def follow(
        self, deployment_id: str, *, after: int, wait_for_creation_s: float, until_waiting: bool = False
    ) -> AsyncGenerator[Update, None]:
        """Yield updates until the event with the terminal status was told; see ``StreamProgress``.

        With ``until_waiting`` until the deployment waits for a person, too.
        """
        deadline = asyncio.get_running_loop().time() + wait_for_creation_s
        while (deployment := await self._find(deployment_id, deadline)) is None:
            yield Update()
        if 0 < after < deployment.compacted_through:
            raise Refusal(
                Reason.PROGRESS_COMPACTED,
                f"events up to {deployment.compacted_through} were compacted: follow from there, or from 0",
                metadata={"compacted_through": str(deployment.compacted_through)},
            )
        if after > deployment.last_sequence:
            raise Refusal(
                Reason.BEYOND_END,
                f"after_sequence {after} lies beyond the last event, {deployment.last_sequence}: "
                "it belongs to another deployment",
            )
        ends = TERMINAL | WAITING if until_waiting else TERMINAL
        if deployment.status in ends and after == deployment.last_sequence:
            return
        feed = self._feed(deployment)
        try:
            async with aclosing(self._pull(feed, deployment_id, after, ends)) as updates:
                async for update in updates:
                    yield update
        finally:
            feed.followers -= 1
            if feed.followers == 0 and self._feeds.get(deployment_id) is feed:
                del self._feeds[deployment_id]
                self._tasks.pop(deployment_id).cancel()

    async def _pull(
        self, feed: Feed, deployment_id: str, after: int, ends: Collection[DeploymentStatus]
    ) -> AsyncGenerator[Update, None]:
        clock = asyncio.get_running_loop().time
        shown: Snapshot | None = None
        shown_at = -_SNAPSHOT_SPACING_S
        ending = False
        if after == 0:
            # A snapshot comes first; the feed has read by the time it has one.
            while feed.snapshot is None:
                try:
                    await asyncio.wait_for(feed.changed.wait(), HEARTBEAT_S)
                except TimeoutError:
                    yield Update()
        while True:
            changed = feed.changed
            snapshot = None
            due = clock() - shown_at >= _SNAPSHOT_SPACING_S
            if feed.snapshot is not shown and due:
                snapshot = shown = feed.snapshot
                shown_at = clock()
            events = feed.after(after)
            if events is None:
                async with self._catalogue.reading() as transaction:
                    events = await events_after(transaction, deployment_id, after, _MOST_EVENTS)
            events = events[:_MOST_EVENTS]
            if events or snapshot is not None:
                yield Update(events, snapshot)
            if events:
                after = events[-1].sequence
                if any(_leads_to(event, ends) for event in events):
                    ending = True
                if ending and await self._stands(deployment_id, ends, after):
                    return
                continue
            held_back = feed.snapshot is not shown
            wait_s = shown_at + _SNAPSHOT_SPACING_S - clock() if held_back else HEARTBEAT_S
            if not await woken(changed, wait_s) and not held_back:
                yield Update()

    async def _stands(
        self, deployment_id: str, statuses: Collection[DeploymentStatus], sequence: int
    ) -> bool:
        """Whether the deployment stands there since event ``sequence``: it may have gone on from a gate."""
        async with self._catalogue.reading() as transaction:
            deployment = await deployments.get_deployment(transaction, deployment_id)
        assert deployment is not None, "a deployment is never deleted"
        return deployment.status in statuses and deployment.last_sequence == sequence

    async def _find(self, deployment_id: str, deadline: float) -> Deployment | None:
        """The deployment; None when it is time for a heartbeat."""
        heartbeat = asyncio.get_running_loop().time() + HEARTBEAT_S
        while asyncio.get_running_loop().time() < heartbeat:
            created = self._created
            async with self._catalogue.reading() as transaction:
                deployment = await deployments.get_deployment(transaction, deployment_id)
            if deployment is not None:
                return deployment
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise Refusal(
                    Reason.DEPLOYMENT_NOT_FOUND, f"there is no deployment with the id {deployment_id!r}"
                )
            await woken(created, min(left, _CREATION_POLL_S))
        return None

    def _feed(self, deployment: Deployment) -> Feed:
        feed = self._feeds.get(deployment.id)
        if feed is None:
            # Followers that begin earlier read the part before from SQL.
            begin_after = max(0, deployment.last_sequence - _MOST_EVENTS)
            feed = Feed(self._catalogue, deployment.id, begin_after=begin_after)
            self._feeds[deployment.id] = feed
            self._tasks[deployment.id] = asyncio.create_task(feed.run())
        feed.followers += 1
        return feed

    def _wake(self, ident: str) -> None:
        created, self._created = self._created, asyncio.Event()
        created.set()
        for deployment_id, feed in self._feeds.items():
            if ident in ("", deployment_id):
                feed.wake()


def _leads_to(event: Event, statuses: Collection[DeploymentStatus]) -> bool:
    return event.kind == "status_changed" and event.body["to_status"] in statuses

"""Who follows what: one feed a followed deployment, shared by all its followers on this node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from contextvars import copy_context
from typing import Final, NamedTuple

import structlog

from longshore_server.refusal import Reason, Refusal, deployment_not_found
from longshore_server.wakeups import Kind, Wakeups
from longshore_storage.catalogue import Catalogue, deployments
from longshore_storage.catalogue.journal import events_after
from longshore_storage.catalogue.listing import DeploymentFilter
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.catalogue.scopes import EVERYTHING, Scope, covers

from .arrivals import Arrivals
from .changes import EncodeDeployments
from .feed import Encode, Feed, look_at
from .followers import shares_of_followers
from .frames import Frame, Stretch, joined
from .watching import Watching

HEARTBEAT_S = 15.0
# A follower that was silent for so many ticks of the one clock gets a heartbeat.
_TICKS_A_HEARTBEAT: Final = 3
LONGEST_WAIT_FOR_CREATION_S = 300.0
_HEARTBEAT: Final = b""
# What only SQL has is read by so many at a time, so that those who are behind leave room for others.
_READERS: Final = 2
_READ_EVENTS: Final = 32


class _Stored(NamedTuple):
    """What SQL has, up to where it is compacted, and a snapshot if the last one told of less."""

    stretch: Stretch
    compacted_through: int
    snapshot: bytes


class ProgressHub:
    """Gives each follower every event once, in order, up to the one at which it ends.

    Messages are bytes as ``encode`` makes them; an empty one is a heartbeat. What is read for all who follow
    logs as the hub's maker does, and not as the call that happened to come first.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        wakeups: Wakeups,
        encode: Encode,
        encode_deployments: EncodeDeployments,
        *,
        most_followers: int,
    ) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups
        self._encode = encode
        self._feeds: dict[str, Feed] = {}
        self._tasks: dict[Feed, asyncio.Task[None]] = {}
        # Cancelled, and perhaps still giving a connection back.
        self._ending: set[asyncio.Task[None]] = set()
        self._arrivals = Arrivals(catalogue)
        self._readers = asyncio.Semaphore(_READERS)
        self._context = copy_context()
        self._watching = Watching(
            catalogue,
            encode_deployments,
            readers=self._readers,
            context=self._context,
            ticks_a_heartbeat=_TICKS_A_HEARTBEAT,
        )
        self.followers = shares_of_followers(most_followers)
        self._waiting = shares_of_followers(most_followers)

    async def run(self) -> None:
        """Pass wake-ups on to the feeds and let their clock tick, until cancelled."""
        arriving = asyncio.create_task(self._arrivals.run())
        try:
            async with self._wakeups.listening(Kind.PROGRESS, self._wake):
                while True:
                    await asyncio.sleep(HEARTBEAT_S / _TICKS_A_HEARTBEAT)
                    self._watching.tick()
                    for feed in self._tasks:
                        feed.tick()
        finally:
            tasks = [arriving, *self._tasks.values(), *self._ending]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def follow(
        self,
        deployment_id: str,
        *,
        after: int,
        wait_for_creation_s: float,
        until_waiting: bool = False,
        scopes: Collection[Scope] = EVERYTHING,
    ) -> AsyncGenerator[bytes, None]:
        """Yield messages until the event with the terminal status was told; see ``StreamProgress``.

        With ``until_waiting`` until the deployment waits for a person, too. Raises ``Refusal``; one that lies
        beyond ``scopes`` is not there.
        """
        with self.followers.counted():
            clock = asyncio.get_running_loop().time
            deadline = clock() + wait_for_creation_s
            found = await self._find(deployment_id)
            while (deployment := _seen(found, scopes)) is None:
                wait_s = min(deadline - clock(), HEARTBEAT_S)
                if wait_s <= 0:
                    raise deployment_not_found(deployment_id)
                if found is None:
                    found = await self._arrivals.wait(deployment_id, wait_s)
                    if found is not None:
                        continue
                else:
                    # As long as for one that is not there: the time must not tell that it is.
                    await asyncio.sleep(wait_s)
                yield _HEARTBEAT
            if after > deployment.last_sequence:
                # What a feed knows may be a moment old, and the number from another node.
                deployment = await self._read(deployment_id) or deployment
            _check_number(deployment, after)
            ends = _has_settled if until_waiting else _has_ended
            async with aclosing(self._from(deployment, after, ends)) as messages:
                async for message in messages:
                    yield message

    async def settled(self, deployment: Deployment) -> None:
        """Return when a deployment that was just recorded has ended or waits for a person.

        Returns at once where too many wait already: refused now, the call would look as though nothing were
        recorded.
        """
        with ExitStack() as place:
            try:
                place.enter_context(self._waiting.counted())
            except Refusal:
                return
            messages = self._from(deployment, deployment.last_sequence, _has_settled)
            async with aclosing(messages):
                async for _ in messages:
                    pass

    async def watch(self, asked: DeploymentFilter, *, begin_with: int) -> AsyncGenerator[bytes, None]:
        """Yield messages with deployments as they change, for ever; see ``WatchDeployments``.

        Raises ``Refusal``.
        """
        with self.followers.counted():
            async with aclosing(self._watching.watch(asked, begin_with=begin_with)) as messages:
                async for message in messages:
                    yield message

    async def _from(
        self, deployment: Deployment, after: int, ends: Callable[[Deployment], bool]
    ) -> AsyncGenerator[bytes, None]:
        if await self._stands(deployment, after, ends):
            return
        with self._feed_of(deployment) as feed:
            async with aclosing(self._pull(feed, after, ends)) as messages:
                async for message in messages:
                    yield message

    async def _pull(
        self, feed: Feed, after: int, ends: Callable[[Deployment], bool]
    ) -> AsyncGenerator[bytes, None]:
        compacted_through = feed.deployment.compacted_through
        told_snapshot = 0
        told_beat = feed.beat
        while True:
            message = _HEARTBEAT
            # Whoever begins at 0 gets a snapshot first, and no event without it.
            if after or told_snapshot or feed.snapshot_number:
                snapshot = b""
                if not after:
                    compacted_through = feed.snapshot_compacted_through
                stretch = feed.after(after)
                if stretch is None:
                    stretch, compacted_through, snapshot = await self._stored(feed, after, compacted_through)
                message, after = stretch
                if snapshot or feed.snapshot_number != told_snapshot:
                    told_snapshot = feed.snapshot_number
                    message = (snapshot or feed.snapshot) + message
            beats = feed.beat - told_beat
            if message or beats >= _TICKS_A_HEARTBEAT:
                told_beat = feed.beat
                yield message
            if feed.stands_at(after, ends):
                if await self._stands(feed.deployment, after, ends):
                    return
                feed.wake()
            if not message and beats < _TICKS_A_HEARTBEAT:
                await feed.crowd.wait()

    async def _stands(self, deployment: Deployment, after: int, ends: Callable[[Deployment], bool]) -> bool:
        """Whether a deployment ``ends`` with event ``after``.

        One that waits for a person may have been let go on since it was read, without an event as yet.
        """
        known: Deployment | None = deployment
        if not deployment.has_ended and deployment.last_sequence == after and ends(deployment):
            known = await self._read(deployment.id)
        return known is not None and known.last_sequence == after and ends(known)

    async def _stored(self, feed: Feed, after: int, compacted_through: int) -> _Stored:
        """The next events as SQL has them, for a follower who was told up to where they are compacted."""
        deployment_id = feed.deployment.id
        snapshot = b""
        async with self._readers, self._catalogue.reading() as transaction:
            events = await events_after(transaction, deployment_id, after, _READ_EVENTS)
            deployment = await deployments.get_deployment(transaction, deployment_id)
            assert deployment is not None, "a deployment is never deleted"
            if deployment.compacted_through != compacted_through:
                # The feed may have come to its end long before that: who comes now gets another one.
                self._retire(feed)
                _check_number(deployment, after)
                if not after:
                    snapshot = self._encode([], await look_at(transaction, deployment))
        frames = (Frame(event.sequence, self._encode([event], None)) for event in events)
        return _Stored(joined(frames, after), deployment.compacted_through, snapshot)

    async def _find(self, deployment_id: str) -> Deployment | None:
        """The deployment as a feed knows it, else as SQL does."""
        feed = self._feeds.get(deployment_id)
        return feed.deployment if feed is not None else await self._read(deployment_id)

    async def _read(self, deployment_id: str) -> Deployment | None:
        async with self._readers, self._catalogue.reading() as transaction:
            return await deployments.get_deployment(transaction, deployment_id)

    @contextmanager
    def _feed_of(self, deployment: Deployment) -> Iterator[Feed]:
        feed = self._feeds.get(deployment.id)
        if feed is None:
            feed = self._feeds[deployment.id] = Feed(self._catalogue, self._encode, deployment)
            context = self._context.copy()
            context.run(structlog.contextvars.bind_contextvars, deployment_id=deployment.id)
            self._tasks[feed] = asyncio.create_task(feed.run(), context=context)
        feed.followers += 1
        try:
            yield feed
        finally:
            feed.followers -= 1
            if feed.followers == 0:
                self._retire(feed)
                task = self._tasks.pop(feed)
                task.cancel()
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
                feed.crowd.close()

    def _retire(self, feed: Feed) -> None:
        if self._feeds.get(feed.deployment.id) is feed:
            del self._feeds[feed.deployment.id]

    def _wake(self, ident: str) -> None:
        self._arrivals.wake(ident)
        self._watching.wake(ident)
        if ident:
            if (feed := self._feeds.get(ident)) is not None:
                feed.wake()
            return
        for feed in self._tasks:
            feed.wake()


def _seen(deployment: Deployment | None, scopes: Collection[Scope]) -> Deployment | None:
    if deployment is None or not covers(scopes, deployment.project, deployment.environment):
        return None
    return deployment


def _has_ended(deployment: Deployment) -> bool:
    return deployment.has_ended


def _has_settled(deployment: Deployment) -> bool:
    return deployment.has_ended or deployment.waits_for_person


def _check_number(deployment: Deployment, after: int) -> None:
    """Raise ``Refusal`` for a number that the deployment's events cannot be told from."""
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

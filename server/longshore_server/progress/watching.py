"""Who watches deployments as they change: one reader for all of them, and none while nobody watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Final

from longshore_server.views import views
from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.listing import DeploymentFilter, list_deployments
from longshore_storage.catalogue.rows import Deployment

from .changes import Changes, EncodeDeployments
from .frames import MESSAGE_BYTES

_LISTED_AT_ONCE: Final = 50


class Watching:
    """Tells each watcher the last state of every deployment that matches."""

    def __init__(self, catalogue: Catalogue, encode: EncodeDeployments, *, ticks_a_heartbeat: int) -> None:
        self._catalogue = catalogue
        self._encode = encode
        self._ticks_a_heartbeat = ticks_a_heartbeat
        self._up_to_date = encode([], True)
        self._changes: Changes | None = None
        self._watchers = 0

    def wake(self, ident: str) -> None:
        """Look at a deployment now; "" means at everything."""
        if self._changes is not None:
            self._changes.wake(ident)

    def tick(self) -> None:
        """Let watchers look whether a heartbeat is due."""
        if self._changes is not None:
            self._changes.tick()

    async def watch(self, asked: DeploymentFilter, *, begin_with: int) -> AsyncGenerator[bytes, None]:
        """Yield messages for ever: the newest ``begin_with``, then what changes."""
        with self._shared() as changes:
            told_beat = changes.beat
            while not changes.begun:
                await changes.crowd.wait()
                if changes.beat - told_beat >= self._ticks_a_heartbeat:
                    told_beat = changes.beat
                    yield b""
            # What changes while the list is read is told behind it.
            version = changes.version
            async with aclosing(self._listed(asked, most=begin_with)) as pages:
                async for page in pages:
                    yield page
            yield self._up_to_date
            told_beat = changes.beat
            while True:
                message = b""
                if version < changes.forgotten_version:
                    down_to, version = changes.forgotten_from, changes.forgotten_version
                    async with aclosing(self._listed(asked, down_to=down_to)) as pages:
                        async for page in pages:
                            yield page + self._up_to_date
                else:
                    message, version = _next_message(changes, version, asked)
                if message or changes.beat - told_beat >= self._ticks_a_heartbeat:
                    told_beat = changes.beat
                    yield message + self._up_to_date
                elif version == changes.version:
                    await changes.crowd.wait()

    async def _listed(
        self, asked: DeploymentFilter, *, most: int | None = None, down_to: int = 0
    ) -> AsyncGenerator[bytes, None]:
        """What SQL has, newest first: so many, or all down to a number."""
        left, below = most, None
        while left is None or left > 0:
            limit = _LISTED_AT_ONCE if left is None else min(left, _LISTED_AT_ONCE)
            async with self._catalogue.reading() as transaction:
                page = await list_deployments(transaction, asked, below=below, limit=limit)
                seen = await views(transaction, [one for one in page if one.number >= down_to])
            if seen:
                yield self._encode(seen, False)
            if len(seen) < limit:
                return
            below = page[-1].number
            left = None if left is None else left - len(page)

    @contextmanager
    def _shared(self) -> Iterator[Changes]:
        if self._changes is None:
            self._changes = Changes(self._catalogue, self._encode)
            self._reading = asyncio.create_task(self._changes.run())
        changes = self._changes
        self._watchers += 1
        try:
            yield changes
        finally:
            self._watchers -= 1
            if self._watchers == 0:
                self._changes = None
                self._reading.cancel()
                changes.crowd.close()


def _next_message(changes: Changes, version: int, asked: DeploymentFilter) -> tuple[bytes, int]:
    """The next states that match, as many as fit, and the version up to which they tell."""
    parts: list[bytes] = []
    size_bytes = 0
    for change in changes.after(version):
        if _matches(change.deployment, asked):
            size_bytes += len(change.data)
            if parts and size_bytes > MESSAGE_BYTES:
                return b"".join(parts), version
            parts.append(change.data)
        version = change.version
    return b"".join(parts), version


def _matches(deployment: Deployment, asked: DeploymentFilter) -> bool:
    equal = (
        (asked.project, deployment.project),
        (asked.environment, deployment.environment),
        (asked.version, deployment.version),
        (asked.deployed_by, deployment.deployed_by),
    )
    return (
        all(not wanted or wanted == found for wanted, found in equal)
        and (not asked.statuses or deployment.status in asked.statuses)
        and asked.labels.items() <= deployment.labels.items()
    )

"""Who watches deployments as they change: one reader for all of them, and none while nobody watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from contextvars import Context
from typing import Final

from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.listing import DeploymentFilter

from .changes import Changes, EncodeDeployments
from .frames import MESSAGE_BYTES
from .pages import Pages, matches

_LISTED_AT_ONCE: Final = 50


class Watching:
    """Tells each watcher the last state of every deployment that matches.

    What a watcher asks of SQL takes one of the ``readers``; who looks for all of them does it in ``context``.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        encode: EncodeDeployments,
        *,
        readers: asyncio.Semaphore,
        context: Context,
        ticks_a_heartbeat: int,
    ) -> None:
        self._catalogue = catalogue
        self._encode = encode
        self._pages = Pages(catalogue, encode, readers)
        self._context = context
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
        """Yield messages for ever: the newest ``begin_with``, then what changes.

        Raises ``Refusal`` when more changes than are known any more came before the next message was taken.
        """
        with self._shared() as changes:
            told_beat = changes.beat
            while not changes.begun:
                await changes.crowd.wait()
                if changes.beat - told_beat >= self._ticks_a_heartbeat:
                    told_beat = changes.beat
                    yield b""
            # What changes while the list is read is told behind it.
            version = changes.version
            async with aclosing(self._newest(changes, version, asked, begin_with)) as pages:
                async for page in pages:
                    yield page
            yield self._up_to_date
            told_beat = changes.beat
            while True:
                message = b""
                if version < changes.forgotten_version:
                    _check_not_lost(changes, version)
                    forgotten, version = changes.forgotten_after(version, _LISTED_AT_ONCE)
                    message = await self._pages.of(forgotten, asked)
                else:
                    message, version = _next_message(changes, version, asked)
                if message or changes.beat - told_beat >= self._ticks_a_heartbeat:
                    told_beat = changes.beat
                    yield message + self._up_to_date
                elif version == changes.version:
                    await changes.crowd.wait()

    async def _newest(
        self, changes: Changes, version: int, asked: DeploymentFilter, most: int
    ) -> AsyncGenerator[bytes, None]:
        below: int | None = None
        while most > 0:
            limit = min(most, _LISTED_AT_ONCE)
            page = await self._pages.newest(changes, asked, version=version, below=below, limit=limit)
            if page.data:
                yield page.data
            if page.below is None:
                return
            below = page.below
            most -= limit

    @contextmanager
    def _shared(self) -> Iterator[Changes]:
        if self._changes is None:
            self._changes = Changes(self._catalogue, self._encode)
            self._reading = asyncio.create_task(self._changes.run(), context=self._context.copy())
        changes = self._changes
        self._watchers += 1
        try:
            yield changes
        finally:
            self._watchers -= 1
            if self._watchers == 0:
                self._changes = None
                self._pages.clear()
                self._reading.cancel()
                changes.crowd.close()


def _next_message(changes: Changes, version: int, asked: DeploymentFilter) -> tuple[bytes, int]:
    """The next states that match, as many as fit, and the version up to which they tell."""
    parts: list[bytes] = []
    size_bytes = 0
    for change in changes.after(version):
        if matches(change.deployment, asked):
            size_bytes += len(change.data)
            if parts and size_bytes > MESSAGE_BYTES:
                return b"".join(parts), version
            parts.append(change.data)
        version = change.version
    return b"".join(parts), version


def _check_not_lost(changes: Changes, version: int) -> None:
    if version < changes.lost_version:
        raise Refusal(
            Reason.CONFLICT,
            "more deployments changed than are remembered here since the last message was read: call again",
        )

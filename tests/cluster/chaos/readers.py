"""Whoever reads releases: downloads payloads through random nodes, pins some and lets them go again."""

from __future__ import annotations

import asyncio
import hashlib
import random
from contextlib import aclosing
from typing import Final

from longshore_client import Client, LongshoreError, Release
from tests.cluster.history.records import PayloadRead

from .asking import POLICY
from .people import decided
from .recording import Recorder
from .world import PROJECTS, World

CALLS: Final = ("pin", "unpin")
_PAUSE_S: Final = (0.1, 1.0)
_PINNED: Final = 0.3
_PRESENT: Final = 0.8


class Reader:
    """Reads one release after the other, and has at most one of them pinned."""

    def __init__(self, world: World, recorder: Recorder, chance: random.Random) -> None:
        self._world = world
        self._recorder = recorder
        self._chance = chance
        self._over = False
        self._pinned: Release | None = None

    async def run(self) -> None:
        """Read, and pin now and then, until told to stop."""
        while not self._over:
            try:
                async with Client(self._chance.choice(self._world.nodes).address, policy=POLICY) as client:
                    known = [one async for one in client.releases(self._chance.choice(PROJECTS))]
            except LongshoreError:
                known = []
            if known:
                # Most are reclaimed after a while.
                present = [one for one in known if one.payload_present]
                release = self._chance.choice((self._chance.random() < _PRESENT and present) or known)
                await self._read(release)
                if self._chance.random() < _PINNED:
                    await self._pin(release)
            await asyncio.sleep(self._chance.uniform(*_PAUSE_S))

    def stop(self) -> None:
        """End after what is under way."""
        self._over = True

    async def _read(self, release: Release) -> None:
        node = self._chance.choice(self._world.nodes)
        sha256, reason, error = await read_payload(node.address, release.project, release.version)
        self._recorder.add(
            PayloadRead,
            node=node.name,
            project=release.project,
            version=release.version,
            sha256=sha256,
            reason=reason,
            error=error,
        )

    async def _pin(self, release: Release) -> None:
        """In place of the one that was."""
        if before := self._pinned:
            await self._decide("unpin", before, "")
        self._pinned = release
        await self._decide("pin", release, "it may be needed")

    async def _decide(self, call: str, release: Release, reason: str) -> None:
        await decided(
            self._world,
            self._recorder,
            call,
            f"{release.project} {release.version}",
            lambda client: client.pin(release.project, release.version, reason),
        )


async def read_payload(address: str, project: str, version: str) -> tuple[str, str, str]:
    """The sha256 of all that came, or the reason and the words of why not all did."""
    digest = hashlib.sha256()
    try:
        async with (
            Client(address, policy=POLICY) as client,
            aclosing(client.read_payload(project, version)) as pieces,
        ):
            async for piece in pieces:
                digest.update(piece)
    except LongshoreError as error:
        return "", error.reason, f"{type(error).__name__}: {error.message}"
    return digest.hexdigest(), "", ""

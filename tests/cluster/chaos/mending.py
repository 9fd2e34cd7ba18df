"""After the faults: what is hurt is found, nodes and clients give back what they have, the rest is put back.

Every run has some of each kind to heal, for retention may have let go of what was hurt before. Of what no
node has any more only every second release is sent again. The others are kept, and stay damaged: they are
named, refused, and cost nobody else anything.
"""

from __future__ import annotations

import asyncio
import random
from itertools import product
from typing import Any, Final

from tests.faults.invariants import Stores, read_state

from .clients import Worker
from .damage import HOW, WHAT, Damage
from .housekeeping import Housekeeper
from .people import decided
from .recording import Recorder
from .world import ENVIRONMENTS, World

# Nodes look every dozen polls, and a lease may have to end first.
_HEALED_WITHIN_S: Final = 40.0
_LOOK_EVERY_S: Final = 1.0
# Nodes have most of what is hurt.
_TIMES: Final = 2


class Mending:
    """Sees to it that everything heals that can."""

    def __init__(
        self,
        world: World,
        recorder: Recorder,
        housekeeper: Housekeeper,
        worker: Worker,
        damage: Damage,
        chance: random.Random,
    ) -> None:
        self._world = world
        self._recorder = recorder
        self._chance = chance
        self._housekeeper = housekeeper
        self._worker = worker
        self._damage = damage
        self._stores = Stores(world.database_url, world.blobs_url)

    async def heal(self) -> None:
        """Find all damage, wait for what nodes have installed, and send some of the rest once more.

        Before that some more is done. Raises ``TimeoutError`` where nodes do not give back what they have.
        """
        for how, what in product(HOW, WHAT * _TIMES):
            await self._damage.hurt(how, what, self._chance.random())
        await self._housekeeper.scrub_all()
        damaged = await self._damaged()
        async with asyncio.timeout(_HEALED_WITHIN_S):
            while any(self._is_installed(row) for row in damaged):
                await asyncio.sleep(_LOOK_EVERY_S)
                damaged = await self._damaged()
        for row in damaged[::2]:
            await self._keep(row)
        for row in damaged[1::2]:
            await self._worker.send_for_bytes(row.project, ENVIRONMENTS[0], row.version, row.deployment_id)

    async def _keep(self, release: Any) -> None:
        """Have it stay damaged to the end: retention would let go of it with the next deployments."""
        await decided(
            self._world,
            self._recorder,
            "pin",
            f"{release.project} {release.version}",
            lambda client: client.pin(release.project, release.version, "nobody has its bytes"),
        )

    async def put_back(self) -> None:
        """Be the operator who copies objects back from a replica of the bucket."""
        for key in self._damage.originals:
            await self._damage.give_back(key)

    async def _damaged(self) -> list[Any]:
        """The releases whose payload is known to be damaged."""
        state = await read_state(self._stores)
        damaged = {row.sha256 for row in state["payload"] if row.damage}
        return [row for row in state["release"] if row.stored_payload in damaged]

    def _is_installed(self, release: Any) -> bool:
        return any(node.has_installed(release.project, release.version) for node in self._world.nodes)

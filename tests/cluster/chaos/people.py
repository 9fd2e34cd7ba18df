"""Whoever looks after nodes: cordons, drains, chooses which nodes a project goes to, and lifts it again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from longshore_client import Client, LongshoreError
from tests.cluster.history.records import Decided, Refused

from .asking import POLICY, is_unknown
from .recording import OK, REFUSED, UNKNOWN, Recorder
from .world import DOMAIN, DOMAINS, ENVIRONMENTS, PROJECTS, World

CALLS: Final = ("cordon", "drain", "uncordon", "select", "select all", "remove")
_NAME: Final = "caretaker"
_MOST_TRIES: Final = 12
_LASTS_S: Final = (0.5, 3.0)
_PAUSE_S: Final = (0.5, 3.0)


class Caretaker:
    """Decides one thing after the other, and takes each back after a while."""

    def __init__(self, world: World, recorder: Recorder, chance: random.Random) -> None:
        self._world = world
        self._recorder = recorder
        self._chance = chance
        self._over = False

    async def run(self) -> None:
        """Do one thing after the other until told to stop: each of them as often, in some order."""
        things: list[Callable[[], Awaitable[None]]] = []
        while not self._over:
            things = things or self._chance.sample([self._cordon, self._drain, self._select], 3)
            await things.pop()()
            await asyncio.sleep(self._chance.uniform(*_PAUSE_S))

    def stop(self) -> None:
        """End after what is under way."""
        self._over = True

    async def _cordon(self) -> None:
        await self._set_aside("cordon", lambda client, name: client.cordon(name, "to be looked at"))

    async def _drain(self) -> None:
        await self._set_aside("drain", lambda client, name: client.drain(name, "to be serviced"))

    async def _set_aside(self, call: str, begin: Callable[[Client, str], Awaitable[Any]]) -> None:
        name = self._chance.choice(self._world.nodes).name
        await self._decide(call, name, lambda client: begin(client, name))
        await self._while()
        await self._decide("uncordon", name, lambda client: client.cordon(name, ""))

    async def _select(self) -> None:
        """Have a project on the nodes of one failure domain only."""
        project, environment = self._chance.choice(PROJECTS), self._chance.choice(ENVIRONMENTS)
        where, labels = f"{project} in {environment}", {DOMAIN: self._chance.choice(DOMAINS)}
        await self._decide(
            "select",
            where,
            lambda client: client.select_nodes(project, labels, environment=environment),
        )
        await self._while()
        await self._decide(
            "select all", where, lambda client: client.select_nodes(project, {}, environment=environment)
        )

    async def _while(self) -> None:
        await asyncio.sleep(self._chance.uniform(*_LASTS_S))

    async def _decide(self, call: str, target: str, ask: Callable[[Client], Awaitable[Any]]) -> None:
        """Ask, again while nobody knows what came of it: all that is decided so may be done again."""
        for _ in range(_MOST_TRIES):
            if await decided(self._world, self._recorder, call, target, ask) != UNKNOWN:
                return
            await asyncio.sleep(self._chance.uniform(0, 1))


async def decided(
    world: World, recorder: Recorder, call: str, target: str, ask: Callable[[Client], Awaitable[Any]]
) -> str:
    """Ask, and note the answer: ``ok``, ``refused``, or ``unknown`` where nobody said what came of it."""
    try:
        async with Client(",".join(node.address for node in world.nodes), policy=POLICY) as client:
            await ask(client)
    except LongshoreError as error:
        unknown = is_unknown(error)
        words = f"{type(error).__name__}: {error.message}"
        told = {"client": _NAME, "call": call, "deployment_id": ""}
        recorder.add(Refused, **told, reason=error.reason, error=words, unknown=unknown)
        return UNKNOWN if unknown else REFUSED
    recorder.add(Decided, client=_NAME, call=call, target=target)
    return OK


async def forget(world: World, recorder: Recorder, name: str) -> bool:
    """Take a node off the list; False where it runs still, or nobody knows."""
    return await decided(world, recorder, "remove", name, lambda client: client.remove_node(name)) == OK

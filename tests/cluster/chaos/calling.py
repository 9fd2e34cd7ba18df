"""How a client calls: through random nodes, again with the same id, and everything is written down."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from longshore_client import Client, Deployment, LongshoreError, new_deployment_id
from tests.cluster.history.records import Acknowledged, Asked, Refused

from .asking import POLICY, is_unknown
from .recording import Recorder
from .world import World

_MOST_TRIES: Final = 8
# The calls that are about a deployment which is there.
_ABOUT: Final = frozenset({"promote", "pause", "resume", "cancel"})

Call = Callable[[Client, str], Awaitable[Deployment | None]]
Started = Callable[[str], None]


class Caller:
    """Calls as one client; ``on_start`` is told each deployment's id before anybody is asked for it."""

    def __init__(
        self, name: str, world: World, recorder: Recorder, chance: random.Random, on_start: Started
    ) -> None:
        self._name = name
        self._world = world
        self._recorder = recorder
        self._chance = chance
        self._on_start = on_start

    async def ask(
        self,
        name: str,
        call: Call,
        project: str,
        environment: str,
        deployment_id: str = "",
        content: str = "",
        version: str = "",
    ) -> Deployment | None:
        """Make a call, again with the same id while its outcome is unknown; None where it was refused."""
        if name not in _ABOUT:
            deployment_id = deployment_id or new_deployment_id()
            self._on_start(deployment_id)
        told = {"client": self._name, "call": name, "deployment_id": deployment_id}
        where = {"project": project, "environment": environment}
        self._recorder.add(Asked, **told, **where, content=content, version=version)
        for _ in range(_MOST_TRIES):
            try:
                async with Client(self.servers(), policy=POLICY) as client:
                    answer = await call(client, deployment_id)
            except LongshoreError as error:
                unknown = is_unknown(error)
                words = f"{type(error).__name__}: {error.message}"
                self._recorder.add(Refused, **told, reason=error.reason, error=words, unknown=unknown)
                if not unknown:
                    return None
                await asyncio.sleep(self._chance.uniform(0, 1))
                continue
            if answer is not None:
                self._recorder.add(Acknowledged, **told, version=answer.version, status=answer.status.value)
            return answer
        return None

    def servers(self) -> str:
        """One node, or several in some order."""
        addresses = [node.address for node in self._world.nodes]
        return ",".join(self._chance.sample(addresses, self._chance.randint(1, len(addresses))))

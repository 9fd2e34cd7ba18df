"""Followers that hop from node to node with the last number they saw, until they are told the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from longshore_client import Client, Event, LongshoreError, StatusChanged
from longshore_client.errors import DeploymentNotFound
from tests.cluster.history.records import TERMINAL, EventSeen

from .asking import POLICY
from .nodes import Node
from .recording import Recorder

# Whoever deploys tries for less than this until somebody knows the id.
_CREATED_WITHIN_S: Final = 60.0


class Follower:
    """Follows one deployment; ``last`` is the number of the last event it was told."""

    def __init__(self, name: str, deployment_id: str, nodes: Sequence[Node], recorder: Recorder) -> None:
        self.name = name
        self.deployment_id = deployment_id
        self.last = 0
        self._nodes = nodes
        self._recorder = recorder
        self._ended = False

    async def hop(self, chance: random.Random) -> None:
        """Follow to the end, a few events at each node; ends early for an id that nobody came to know."""
        give_up_at = self._recorder.now_s + _CREATED_WITHIN_S
        while not self._ended:
            try:
                async with asyncio.timeout(chance.uniform(0.5, 4)):
                    await self.listen(chance.choice(self._nodes), most=chance.randint(1, 4))
            except TimeoutError:
                continue
            except DeploymentNotFound:
                if self._recorder.now_s > give_up_at:
                    return
                await asyncio.sleep(0.5)
            except LongshoreError:
                await asyncio.sleep(0.2)

    async def listen(self, node: Node, *, most: int) -> None:
        """Be told at most so many events by one node, or all up to the end."""
        async with (
            Client(node.address, policy=POLICY) as client,
            aclosing(client.follow(self.deployment_id, after=self.last, patience_s=2)) as updates,
        ):
            async for update in updates:
                if isinstance(update, Event):
                    self._note(node, update)
                    most -= 1
                if not most:
                    return

    def _note(self, node: Node, event: Event) -> None:
        to_status = event.detail.to_status.value if isinstance(event.detail, StatusChanged) else ""
        self._recorder.add(
            EventSeen,
            follower=self.name,
            node=node.name,
            deployment_id=self.deployment_id,
            sequence=event.sequence,
            text=f"{event.time} {event.message} {event.detail}",
            to_status=to_status,
        )
        self.last = event.sequence
        self._ended = to_status in TERMINAL

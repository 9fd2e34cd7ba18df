"""A call of WatchNodes, and what is known by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from longshore.v1 import cluster_service_pb2 as cluster

from .running import Stubs


class Watch:
    """What a watcher knows of the nodes, by name."""

    def __init__(self, call: AsyncIterator[cluster.WatchNodesResponse]) -> None:
        self._call = call
        self.nodes: dict[str, cluster.Node] = {}
        self.up_to_date = False

    async def read(self) -> cluster.WatchNodesResponse:
        message = await anext(self._call)
        assert message.up_to_date or not self.up_to_date
        self.up_to_date = message.up_to_date
        self.nodes |= {one.node_name: one for one in message.nodes}
        for name in message.removed_node_names:
            del self.nodes[name]
        return message

    async def until(self, name: str, **fields: object) -> cluster.Node:
        """Read until a node has these fields."""
        async with asyncio.timeout(30):
            while True:
                known = self.nodes.get(name)
                if known is not None and all(getattr(known, key) == value for key, value in fields.items()):
                    return known
                await self.read()


@asynccontextmanager
async def watching(stubs: Stubs, environment: str = "") -> AsyncIterator[Watch]:
    call = stubs.cluster.WatchNodes(cluster.WatchNodesRequest(environment=environment))
    try:
        yield Watch(aiter(call))
    finally:
        call.cancel()

"""Watching nodes as they change, over breaks, at whichever server answers.

Invariants: the last state of every node comes, and each that is removed is told, also where that happened
while the connection was broken; what is told again after a break and has not changed is not told twice; the
iterator never ends by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

from longshore.v1 import cluster_service_pb2

from .catalog_conversion import node
from .catalog_models import Node, NodeRemoved
from .connection import Connection
from .errors import LongshoreError, Unavailable
from .following import BreakCallback
from .routing import Route
from .streaming import SILENCE_S, Stream


async def watch_nodes(
    connection: Connection, environment: str, *, patience_s: float, on_break: BreakCallback | None
) -> AsyncGenerator[Node | NodeRemoved, None]:
    """The nodes of an environment, of all with an empty one, by name, then each one that changes.

    After a break it connects again, until nothing was heard for ``patience_s``; ``on_break`` is told. Raises
    ``LongshoreError``.
    """
    route = Route(connection, patience_s=patience_s)
    request = cluster_service_pb2.WatchNodesRequest(environment=environment)
    told: dict[str, Node] = {}
    while True:
        unseen = set(told)
        up_to_date = False
        stream: Stream[cluster_service_pb2.WatchNodesResponse] = Stream(
            route.server, route.server.cluster.WatchNodes, request, silence_s=SILENCE_S
        )
        try:
            while (message := await stream.read()) is not None:
                route.answered()
                route.progressed()
                for one in map(node, message.nodes):
                    unseen.discard(one.node_name)
                    if _what_counts(one) != _what_counts(told.get(one.node_name)):
                        told[one.node_name] = one
                        yield one
                removed = set(message.removed_node_names)
                if message.up_to_date and not up_to_date:
                    # Those that went while nobody told.
                    up_to_date = True
                    removed |= unseen
                for name in sorted(removed & told.keys()):
                    del told[name]
                    yield NodeRemoved(name)
            raise Unavailable(f"the server at {route.server.address} ended what has no end")
        except LongshoreError as error:
            pause_s = route.pause_s(error)
            if on_break is not None:
                on_break(error)
        finally:
            stream.close()
        await asyncio.sleep(pause_s)


def _what_counts(seen: Node | None) -> tuple[object, ...]:
    if seen is None:
        return ()
    return replace(seen, report_time=None, free_disk_bytes=0), seen.is_drained

"""The calls about nodes: which there are, how they change, and what people decide about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing

from longshore.v1 import cluster_service_pb2

from . import catalog_conversion
from .catalog_models import Node, NodeRemoved
from .connection import Connection
from .errors import NodeNotFound
from .following import BreakCallback
from .node_watching import watch_nodes
from .paging import items_of_pages


class Nodes(ABC):
    """What can be asked of nodes, and done about them. Every method raises ``LongshoreError``."""

    @property
    @abstractmethod
    def _connection(self) -> Connection:
        """The open connection."""

    def nodes(
        self, *, environment: str | None = None, limit: int | None = None
    ) -> AsyncGenerator[Node, None]:
        """The nodes, by name; of one environment, or of all."""

        async def read_page(size: int, token: str) -> tuple[Iterable[Node], str]:
            answer = await self._connection.unary(
                lambda server: server.cluster.ListNodes,
                cluster_service_pb2.ListNodesRequest(
                    environment=environment or "", page_size=size, page_token=token
                ),
            )
            return map(catalog_conversion.node, answer.nodes), answer.next_page_token

        return items_of_pages(read_page, limit)

    def watch_nodes(
        self,
        *,
        environment: str | None = None,
        patience_s: float | None = None,
        on_break: BreakCallback | None = None,
    ) -> AsyncGenerator[Node | NodeRemoved, None]:
        """Nodes as they come, go and change, for ever: first all of them, by name, then each change.

        ``report_time`` and ``free_disk_bytes`` are told with the next other change. It connects again by
        itself after a break, which ``on_break`` is told, at whichever server answers, until nothing was heard
        for ``patience_s``.
        """
        connection = self._connection
        patience_s = connection.policy.patience_s if patience_s is None else patience_s
        return watch_nodes(connection, environment or "", patience_s=patience_s, on_break=on_break)

    async def cordon(self, node_name: str, reason: str) -> Node:
        """Let no rollout cover a node, for ``reason``; an empty one lifts it, and a drain with it.

        Raises ``NodeNotFound``.
        """
        answer = await self._connection.unary(
            lambda server: server.cluster.CordonNode,
            cluster_service_pb2.CordonNodeRequest(node_name=node_name, reason=reason),
        )
        return catalog_conversion.node(answer.node)

    async def drain(self, node_name: str, reason: str) -> Node:
        """Cordon a node, and have it take no uploads and drive no rollouts any more, for ``reason``.

        What is under way it ends, or hands over: see ``drained``. Raises ``NodeNotFound``.
        """
        answer = await self._connection.unary(
            lambda server: server.cluster.DrainNode,
            cluster_service_pb2.DrainNodeRequest(node_name=node_name, reason=reason),
        )
        return catalog_conversion.node(answer.node)

    async def drained(self, node_name: str, told: Callable[[Node], None] | None = None) -> Node:
        """Wait until a node that is being drained has no upload and no rollout left, however long that takes.

        ``told`` is called with the node whenever something about it changes meanwhile: a rollout may wait
        for a person. Returns at once for one that is not drained (any more): look at ``draining``. Raises
        ``NodeNotFound`` for one that is not known (any more).
        """
        async with aclosing(self.nodes()) as listed:
            is_known = any([node.node_name == node_name async for node in listed])
        if is_known:
            async with aclosing(self.watch_nodes()) as changes:
                async for node in changes:
                    if node.node_name == node_name:
                        if isinstance(node, NodeRemoved):
                            break
                        if not node.draining or node.is_drained:
                            return node
                        if told is not None:
                            told(node)
        raise NodeNotFound(f"there is no node {node_name!r}")

    async def remove_node(self, node_name: str) -> bool:
        """Forget a node that is gone for good; False where there was none of that name.

        Raises ``NodeRunning`` for one that runs.
        """
        answer = await self._connection.unary(
            lambda server: server.cluster.RemoveNode,
            cluster_service_pb2.RemoveNodeRequest(node_name=node_name),
        )
        return answer.was_registered

"""``nodes`` for callers without an event loop."""

from __future__ import annotations

from collections.abc import Callable, Generator

from .catalog_models import Node, NodeRemoved
from .client import Client
from .event_thread import EventThread
from .following import BreakCallback


class SyncNodes:
    """Waits for what ``Nodes`` does."""

    _client: Client
    _thread: EventThread

    def nodes(
        self, *, environment: str | None = None, limit: int | None = None
    ) -> Generator[Node, None, None]:
        """See ``Client.nodes``."""
        return self._thread.iterate(self._client.nodes(environment=environment, limit=limit))

    def watch_nodes(
        self,
        *,
        environment: str | None = None,
        patience_s: float | None = None,
        on_break: BreakCallback | None = None,
    ) -> Generator[Node | NodeRemoved, None, None]:
        """See ``Client.watch_nodes``."""
        return self._thread.iterate(
            self._client.watch_nodes(environment=environment, patience_s=patience_s, on_break=on_break)
        )

    def cordon(self, node_name: str, reason: str) -> Node:
        """See ``Client.cordon``."""
        return self._thread.run(self._client.cordon(node_name, reason))

    def drain(self, node_name: str, reason: str) -> Node:
        """See ``Client.drain``."""
        return self._thread.run(self._client.drain(node_name, reason))

    def drained(self, node_name: str, told: Callable[[Node], None] | None = None) -> Node:
        """See ``Client.drained``; ``told`` is called on another thread."""
        return self._thread.run(self._client.drained(node_name, told))

    def remove_node(self, node_name: str) -> bool:
        """See ``Client.remove_node``."""
        return self._thread.run(self._client.remove_node(node_name))

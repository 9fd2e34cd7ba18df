"""``longshore nodes --watch``: nodes as they change, as a table that moves or a line a change."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable
from datetime import UTC, datetime

from longshore_client.catalog_models import Node, NodeRemoved

from .columns import NODE_COLUMNS, node_words
from .live_table import live_table
from .printer import Printer
from .screen import moves
from .wording import clock


async def show_nodes(changes: AsyncIterable[Node | NodeRemoved], printer: Printer) -> None:
    """Show nodes as they come, for ever."""
    if printer.for_people and moves(sys.stdout, plain=printer.plain):
        await _show_table(changes)
        return
    async for change in changes:
        printer.result(change, sentence=_line(change), name=change.node_name)
        sys.stdout.flush()


async def _show_table(changes: AsyncIterable[Node | NodeRemoved]) -> None:
    known: dict[str, Node] = {}
    by_name: list[Node] = []
    with live_table(lambda _: NODE_COLUMNS, lambda: by_name, nothing="no nodes"):
        async for change in changes:
            if isinstance(change, NodeRemoved):
                known.pop(change.node_name, None)
            else:
                known[change.node_name] = change
            # Made anew, because it is drawn in another thread.
            by_name = [known[name] for name in sorted(known)]


def _line(change: Node | NodeRemoved) -> str:
    told = "removed" if isinstance(change, NodeRemoved) else f"in {change.environment}: {node_words(change)}"
    return f"{clock(datetime.now(UTC))}  {change.node_name} {told}"

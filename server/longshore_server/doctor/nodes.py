"""Which nodes run, as their leases say; where none are kept, the lock on the data folder."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from longshore_server.settings import Settings
from longshore_storage.catalogue import Transaction, nodes
from longshore_storage.errors import StorageError
from longshore_storage.ports import Coordination

from .finding import Finding, State

_PART: Final = "nodes"
_MOST_NODES: Final = 500
# A node that runs reports every half minute.
_SILENT_AFTER: Final = timedelta(seconds=90)
_PATIENCE_S: Final = 10.0
_MOST_NAMED: Final = 5


class Running:
    """What is known of who runs, by the node's id."""

    def __init__(self, known: Mapping[str, bool], *, others: bool | None) -> None:
        self._known = known
        self._others = others

    def says(self, node_id: str) -> bool | None:
        """Whether a node runs; None where only its reports tell."""
        return self._known.get(node_id, self._others)


async def ask_who_runs(settings: Settings, coordination: Coordination | None) -> Running:
    """Ask the leases, as ``longshore admin restore`` does."""
    if settings.coordination.url.startswith("local"):
        # Its leases are in the node's own process.
        return Running(_of_folder(settings.data_dir), others=None)
    if coordination is not None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                members = await coordination.members()
            return Running({member.node_id: True for member in members}, others=False)
        except (StorageError, TimeoutError):
            # That it is away is told of itself.
            pass
    return Running({}, others=None)


def _of_folder(folder: Path) -> dict[str, bool]:
    """Whether the node of this machine has its folder; nothing of a folder that cannot be read."""
    try:
        node_id = str(json.loads((folder / "node.json").read_bytes())["node_id"])
        lock = os.open(folder / "node.lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return {node_id: True}
    except OSError:
        return {}
    finally:
        os.close(lock)
    return {node_id: False}


async def look_at_nodes(transaction: Transaction, running: Running) -> Finding:
    """Who is away, and who runs without telling the database so."""
    rows = await nodes.list_nodes(transaction, environment="", after="", limit=_MOST_NODES)
    if not rows:
        return Finding(_PART, State.WARN, "none has ever registered", "start one: `longshore serve`")
    before = await transaction.now() - _SILENT_AFTER
    silent = [row for row in rows if row.report_time < before]
    away = [row.name for row in rows if running.says(row.id) is False]
    away += [row.name for row in silent if running.says(row.id) is None]
    if away:
        return Finding(
            _PART,
            State.WARN,
            f"{len(away)} of {len(rows)} {'is' if len(away) == 1 else 'are'} away: {named(sorted(away))}",
            "start them, or forget those that are gone for good: `longshore admin remove-node`",
        )
    if silent:
        return Finding(
            _PART,
            State.WARN,
            f"{len(rows)} running, but these have told the database nothing for "
            f"{_SILENT_AFTER.total_seconds():g} s: {named([row.name for row in silent])}",
            "see whether they reach the database; their logs tell more",
        )
    return Finding(_PART, State.OK, f"{len(rows)} running")


def named(names: list[str]) -> str:
    """The first few names, and whether there are more."""
    told = ", ".join(names[:_MOST_NAMED])
    return told if len(names) <= _MOST_NAMED else f"{told} and more"

"""Nodes with hooks that write what they were told into a journal, and looks at what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import select

from longshore.v1 import deployment_pb2 as d
from longshore_server.disk import DataFolder, LiveLinks
from longshore_storage.catalogue import Transaction, activations, tables
from longshore_storage.catalogue.activations import Place
from longshore_storage.catalogue.lifecycle import ActivationStatus
from longshore_storage.catalogue.rows import Activation, HookRun

from .calls import deploy, ended, until
from .contents import canonical_tar, small_tree
from .running import RunningNode

# Says in the journal what it was told.
_WRITE = (
    'echo "$0 ${LONGSHORE_VERSION:-nothing} $(basename "$LONGSHORE_TREE") '
    '$(basename "$LONGSHORE_PREVIOUS_TREE")" >> "$JOURNAL"'
)


class Journal:
    """A file in which hooks write; makes the hooks that do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def hook(self, name: str, when: str, then: str = "true", **values: Any) -> dict[str, Any]:
        return {"when": when, **self._command(name, then), **values}

    def restart(self, then: str = "true", **values: Any) -> dict[str, Any]:
        return {"restart": "immediate", **self._command("restart", then), **values}

    def check(self, name: str, then: str, **values: Any) -> dict[str, Any]:
        command = self._command(name, then)
        times = {"interval_s": 0.02, "min_healthy_time_s": 0, "healthy_deadline_s": 0.5}
        target = command.pop("command")
        return {"kind": "command", "target": target, **command, **times, **values}

    def _command(self, name: str, then: str) -> dict[str, Any]:
        return {
            "name": name,
            "command": ["sh", "-c", f"{_WRITE}; {then}", name],
            "environment": {"JOURNAL": str(self.path)},
        }

    @property
    def hold(self) -> Path:
        """While it is there, ``waits`` waits."""
        return Path(f"{self.path}.hold")

    @property
    def waits(self) -> str:
        """A command that lasts as long as the hold is there."""
        return f"while [ -e {self.hold} ]; do sleep 0.01; done"

    @property
    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    async def until(self, met: Callable[[list[str]], object]) -> None:
        async with asyncio.timeout(20):
            while not met(self.lines):
                await asyncio.sleep(0.01)


def around(journal: Journal) -> dict[str, Any]:
    """A hook at every place."""
    return {
        "hooks": [journal.hook("before", "before_switch"), journal.hook("after", "after_switch")],
        "restarts": [journal.restart()],
        "checks": [journal.check("check", "true")],
    }


def payload(text: str) -> bytes:
    return canonical_tar(small_tree(text))


async def list_runs(transaction: Transaction, place: Place) -> list[HookRun]:
    """What was run in one activation, in order."""
    table = tables.hook_output
    statement = select(table).filter_by(**place._asdict()).order_by(table.c.number)
    return [HookRun.of(row) for row in await transaction.all(statement)]


async def runs(node: RunningNode, deployment: d.Deployment) -> list[HookRun]:
    place = Place(node.node.identity.node_id, "default", "netops", deployment.generation)
    async with node.catalogue.reading() as transaction:
        return await list_runs(transaction, place)


async def activation(node: RunningNode, deployment: d.Deployment) -> Activation:
    place = Place(node.node.identity.node_id, "default", "netops", deployment.generation)
    async with node.catalogue.reading() as transaction:
        found = await activations.get_activation(transaction, place)
    assert found is not None
    return found


def told(runs: list[HookRun]) -> list[tuple[str, str, bool]]:
    return [(run.hook, run.outcome, run.taking_back) for run in runs]


async def fails_with(node: RunningNode, content: str, words: str) -> d.Deployment:
    """Deploy to the end, which is a failure that says ``words``; tells its activation's message."""
    failed = await ended(node, (await deploy(node, payload(content))).deployment_id)
    assert failed.status == d.DEPLOYMENT_STATUS_FAILED
    assert words in failed.error.message
    reported = await activation(node, failed)
    assert (reported.status, reported.message in failed.error.message) == (ActivationStatus.FAILED, True)
    return failed


async def rolling(node: RunningNode, deployment: d.Deployment) -> d.Deployment:
    return await until(node, deployment.deployment_id, lambda seen: seen.generation)


def links_of(node: RunningNode) -> LiveLinks:
    """The links of a node's data folder, looked at beside it."""
    return LiveLinks(DataFolder(node.data_dir.resolve()))


def alive(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False

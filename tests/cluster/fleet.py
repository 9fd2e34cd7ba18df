"""A small fleet of real processes: nodes that install and answer, and beside them those that only drive.

Who drives comes and goes in these tests; who installs stays, so that one rollout can outlive many owners.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from longshore_client import (
    CanaryStep,
    Client,
    Deployment,
    DeploymentStatus,
    RolloutStrategy,
    Terms,
)
from tests.bundles.trees import Tree, make_tar
from tests.faults.calls import PROJECT
from tests.faults.invariants import State, Stores, read_state, violations
from tests.faults.nodes import NodeProcess, Nursery
from tests.faults.trees import V1, V2, leftovers, live_tree

NAMES: Final = ("a", "b", "c")
ALL_ROLES: Final = "receive,control,install"
# One by one, with a wait for a person before the last: as many steps as there can be.
STEP_BY_STEP: Final = Terms(
    strategy=RolloutStrategy(canary_steps=(CanaryStep(nodes=2),), max_nodes_at_once=1)
)
WENT_THROUGH: Final = [
    *("deployment.accepted", "deployment.queued", "deployment.started"),
    *("deployment.promoted", "deployment.succeeded"),
]
WAS_CANCELLED: Final = [
    *("deployment.accepted", "deployment.queued", "deployment.started"),
    *("deployment.cancel_requested", "deployment.reverting", "deployment.cancelled"),
]
DEADLINE_S: Final = 60
_UNKNOWN_OBJECT: Final = "_packs: no row names "
_POLL_S: Final = 0.05
_AT_WORK: Final = ("PENDING", "FETCHING", "SWITCHING")


class Fleet:
    """Nodes on the same stores; ``client`` may use any of those that ``nodes`` names."""

    def __init__(self, nursery: Nursery, folder: Path, stores: Stores, env: Mapping[str, str]) -> None:
        self._nursery = nursery
        self._folder = folder
        self._env = env
        self._running = AsyncExitStack()
        self._all: list[NodeProcess] = []
        self.stores = stores
        self.nodes: dict[str, NodeProcess] = {}

    @property
    def addresses(self) -> list[str]:
        """Where the nodes that are up answer."""
        return [node.address for node in self.nodes.values() if node.running]

    @property
    def client(self) -> Client:
        """A client of all nodes that are up."""
        return Client(",".join(self.addresses))

    def folder_of(self, name: str) -> Path:
        """A node's data folder."""
        return self._folder / name

    async def start(self, *names: str, roles: str = "receive,install", **wishes: Any) -> None:
        """Start nodes, and again those that have ended; they are killed with the fleet."""
        for node, name in zip(
            await asyncio.gather(*(self.run(name, roles, **wishes) for name in names)), names, strict=True
        ):
            self.nodes[name] = node

    async def start_undriven(self) -> str:
        """Start nodes that have the second release over the first, and nobody who drives.

        Tells the first one's version.
        """
        await self.start(*NAMES)
        driver = await self.run("first", "control")
        before, _ = await self.release(V1, V2)
        await driver.kill()
        return before.version

    async def run(self, name: str, roles: str, **wishes: Any) -> NodeProcess:
        """Start a node that ``client`` does not use; see ``Nursery.serve`` for ``args`` and the wishes."""
        env = {**self._env, "LONGSHORE_NODE__NAME": name, "LONGSHORE_NODE__ROLES": roles}
        env |= wishes.pop("env", {})
        serving = self._nursery.serve(self.folder_of(name), *wishes.pop("args", ()), env=env, **wishes)
        node = await self._running.enter_async_context(serving)
        # Before it is ended in order, which would take longer and tell nothing more here.
        self._running.push_async_callback(node.kill)
        self._all.append(node)
        return node

    async def release(self, *trees: Tree, project: str = PROJECT) -> list[Deployment]:
        """Deploy one tree after the other, each to its end."""
        async with self.client as client:
            return [
                await self.succeeded((await client.deploy(pieces(tree), project=project)).deployment_id)
                for tree in trees
            ]

    async def begin(self, version: str, *, project: str = PROJECT) -> str:
        """Deploy a release that is there, step by step; the deployment's id."""
        async with self.client as client:
            begun = await client.deploy_release(project, version, terms=STEP_BY_STEP)
        return begun.deployment_id

    async def succeeded(self, deployment_id: str) -> Deployment:
        """Wait for the end of a deployment, which is to be a good one."""
        deployment = await self.until(deployment_id, lambda found: found.status.terminal)
        assert deployment.status is DeploymentStatus.SUCCEEDED, deployment
        return deployment

    async def until(self, deployment_id: str, true: Callable[[Deployment], bool]) -> Deployment:
        """Wait until something is true of a deployment, as any node tells it. Raises ``TimeoutError``."""
        async with asyncio.timeout(DEADLINE_S), self.client as client:
            while not true(found := await client.get(deployment_id)):
                await asyncio.sleep(_POLL_S)
            return found

    async def promote(self, deployment_id: str) -> None:
        """Let a rollout pass its gate, as soon as it waits there."""
        waiting = await self.until(deployment_id, lambda found: bool(found.waiting_gate_id))
        async with self.client as client:
            await client.promote(deployment_id, waiting.waiting_gate_id)

    async def cancel_at_the_gate(self, deployment_id: str) -> None:
        """Cancel a rollout, as soon as it waits for a person."""
        await self.until(deployment_id, lambda found: bool(found.waiting_gate_id))
        async with self.client as client:
            await client.cancel(deployment_id)

    async def state(self) -> State:
        """Everything that is stored."""
        return await read_state(self.stores)

    async def until_state(self, true: Callable[[State], bool]) -> State:
        """Wait until something is true of what is stored. Raises ``TimeoutError``."""
        async with asyncio.timeout(DEADLINE_S):
            while not true(state := await self.state()):
                await asyncio.sleep(_POLL_S)
            return state

    async def has(self, tree: Tree, *names: str, project: str = PROJECT) -> None:
        """Wait until nodes serve a tree, by default all of them."""
        async with asyncio.timeout(DEADLINE_S):
            for name in names or self.nodes:
                while live_tree(self.folder_of(name), project) != tree:
                    await asyncio.sleep(_POLL_S)

    async def check(self, *, restored: bool = False) -> State:
        """Nothing may be wrong in the stores, nothing be left on the nodes' disks; what is stored.

        A database that was ``restored`` does not know every object.
        """
        state = await self.state()
        wrong = [one for one in violations(state) if not (restored and one.startswith(_UNKNOWN_OBJECT))]
        wrong += [one for name in self.nodes for one in leftovers(self.folder_of(name))]
        assert not wrong, wrong
        return state

    async def close(self) -> None:
        """Kill every node; whoever reads of a failure reads what they told at last."""
        for node in self._all:
            print(node.log_tail())
        await self._running.aclose()


@asynccontextmanager
async def fleet_of(
    nursery: Nursery, folder: Path, stores: Stores, env: Mapping[str, str]
) -> AsyncIterator[Fleet]:
    """A fleet without nodes yet, which ends with the block."""
    fleet = Fleet(nursery, folder, stores, env)
    try:
        yield fleet
    finally:
        await fleet.close()


def is_restless(state: State) -> bool:
    """Whether something comes without a driver: a node is at work, or somebody is about to promote."""
    if any(row.status in _AT_WORK for row in state["activation"]):
        return True
    return any(
        row.waiting_gate_id and row.promoted_gate_id != row.waiting_gate_id
        for row in state["deployment"]
        if row.status == "ROLLING_OUT"
    )


def audit(state: State, **columns: Any) -> list[str]:
    """What the audit trail says was done where these columns are so, in order."""
    rows = sorted(state["audit_entry"], key=lambda row: row.id)
    return [row.action for row in rows if all(getattr(row, name) == columns[name] for name in columns)]


def activations(state: State, node: str) -> list[tuple[str, str]]:
    """Version and status of all that a node did, in the order of its generations."""
    rows = sorted(state["activation"], key=lambda row: row.generation)
    return [(row.version, row.status) for row in rows if row.node_name == node]


async def pieces(tree: Tree) -> AsyncIterator[bytes]:
    """A tree as the client takes it."""
    yield make_tar(tree)

"""From one version to the next, node after node, as docs/operations.md#upgrading tells: nobody notices.

The next version is this one with the revisions of ``tests/storage/catalogue/next_version`` besides.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from longshore_client import Client, DeploymentStatus
from tests.bundles.trees import File, Tree
from tests.faults.nodes import EndedTooEarly, Nursery
from tests.faults.trees import V1, V2
from tests.services.ports import ReservedPort
from tests.storage.catalogue.test_revisions import NEXT_VERSION

from .fleet import ALL_ROLES, DEADLINE_S, NAMES, Fleet, pieces
from .hopping import Events, hop, tell_the_same

DOCS = "docs"
OLD = "old"
SHUT_OUT = "this one knows 0001: upgrade this server"


@pytest.fixture
def ports() -> Iterator[dict[str, ReservedPort]]:
    """One for each node, which it keeps when it is started again."""
    reserved = {name: ReservedPort() for name in (*NAMES, OLD)}
    yield reserved
    for port in reserved.values():
        port.close()


class Users:
    """Whoever deploys and follows meanwhile, by the addresses that there were at first."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses
        self.deployed = 0
        self.followed: dict[str, Events] = {}

    async def deploy(self) -> None:
        """Deploy one release after the other, each to its end; whatever goes wrong is raised."""
        chance = random.Random(8)
        while True:
            tree: Tree = {**V1, "number": File(chance.randbytes(1000))}
            async with Client(",".join(self._addresses)) as client:
                begun = await client.deploy(pieces(tree), project="web")
                self.followed[begun.deployment_id], ended = await asyncio.gather(
                    hop(self._addresses, begun.deployment_id), client.wait(begun.deployment_id)
                )
                assert ended.status is DeploymentStatus.SUCCEEDED, ended
                assert [one async for one in client.list(project="web")]
            self.deployed += 1

    async def until_deployed(self, more: int) -> None:
        """Wait until so many were deployed from now on."""
        wanted = self.deployed + more
        async with asyncio.timeout(DEADLINE_S):
            while self.deployed < wanted:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def at_work(users: Users) -> AsyncIterator[None]:
    """Users go on while the block does; what goes wrong for them ends it."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(users.deploy())
        yield
        await users.until_deployed(1)
        task.cancel()


async def test_one_node_after_the_other(
    fleet: Fleet, nursery: Nursery, env: dict[str, str], ports: dict[str, ReservedPort]
) -> None:
    async def migrate(*options: str) -> str:
        where = ["--data-dir", str(fleet.folder_of("migrating"))]
        ended = await nursery.run("admin", "migrate", *options, *where, env=env, revisions=NEXT_VERSION)
        return ended.stdout if ended.status == 0 else ended.stderr

    async def start(name: str, *, upgraded: bool) -> None:
        await fleet.start(
            name,
            # One that is shut out is not to be waited for by rollouts.
            roles="receive,control" if name == OLD else ALL_ROLES,
            args=["--listen", ports[name].address],
            revisions=NEXT_VERSION if upgraded else None,
        )

    async def stop_in_order(name: str) -> str:
        """Drain a node and end it; what it has logged."""
        node = fleet.nodes[name]
        async with fleet.client as client:
            await client.drain(name, "to be upgraded")
            assert (await client.drained(name)).is_drained
        node.send(signal.SIGTERM)
        assert (await node.ended()).status == 0
        return node.stderr

    async def lift(name: str) -> None:
        async with fleet.client as client:
            await client.cordon(name, "")

    for name in NAMES:
        await start(name, upgraded=False)
    with pytest.raises(EndedTooEarly, match="this server needs 0002: run `longshore admin migrate`"):
        await start(OLD, upgraded=True)
    await fleet.release(V1, V2, project=DOCS)
    rolling = await fleet.begin("1.0.0", project=DOCS)
    await fleet.until(rolling, lambda found: bool(found.waiting_gate_id))
    users, handed_over = Users([ports[name].address for name in NAMES]), 0
    async with at_work(users):
        told = asyncio.create_task(hop([ports[name].address for name in NAMES], rolling))
        await users.until_deployed(1)
        assert "has schema 0002\n" in await migrate()
        await users.until_deployed(1)
        for number, name in enumerate(NAMES):
            handed_over += (await stop_in_order(name)).count("rollout.handed_over")
            # What is there already is also where one of the older version starts.
            for upgraded in (False, True) if number == 0 else (True,):
                if fleet.nodes[name].running:
                    await stop_in_order(name)
                await start(name, upgraded=upgraded)
                await lift(name)
            await users.until_deployed(1)
            if number == 0:
                refused = await migrate("--contract")
                assert "error: b (Longshore " in refused
                assert "c (Longshore " in refused
                assert "nothing was changed" in refused
        assert handed_over >= 1
        await start(OLD, upgraded=False)
        assert "error: old (Longshore " in await migrate("--contract")
        assert "has schema 0003\n" in await migrate("--contract", "--force")
        await asyncio.gather(users.until_deployed(1), shut_out(fleet, OLD))
        with pytest.raises(EndedTooEarly, match=SHUT_OUT):
            await start(OLD, upgraded=False)
    del fleet.nodes[OLD]
    await fleet.promote(rolling)
    await fleet.succeeded(rolling)
    await tell_the_same(fleet.addresses, rolling, await told)
    for deployment_id, events in users.followed.items():
        await tell_the_same(fleet.addresses, deployment_id, events)
    await fleet.has(V1, project=DOCS)
    await fleet.check()


async def shut_out(fleet: Fleet, name: str) -> None:
    """A node that can no longer work with the database says so and ends, as soon as it looks."""
    async with fleet.client as client:
        await client.cordon(name, "look")
    ended = await fleet.nodes[name].ended()
    assert ended.status == 1
    assert SHUT_OUT in ended.stderr

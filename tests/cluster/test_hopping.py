"""Followers hop from node to node while nodes are killed: every event once, in order, the same everywhere.

The other named cases are followed in the same way, whatever becomes of the owner or of etcd.
"""

from __future__ import annotations

import asyncio

from tests.faults.trees import V1, V2

from .fleet import ALL_ROLES, NAMES, Fleet
from .hopping import hop, tell_the_same


async def test_while_nodes_are_killed(fleet: Fleet) -> None:
    await fleet.start(*NAMES, roles=ALL_ROLES)
    before, _ = await fleet.release(V1, V2)
    a, b, c = fleet.addresses
    deployment_id = await fleet.begin(before.version)
    async with asyncio.TaskGroup() as group:
        hopping = [
            group.create_task(hop(order, deployment_id)) for order in ((a, b, c), (b, c, a), (c, b, a, b))
        ]
        await fleet.until(deployment_id, lambda found: bool(found.waiting_gate_id))
        for name in ("a", "b"):
            await fleet.nodes[name].kill()
        # Whoever of them drove: the one that is left drives on, and tells everything.
        await fleet.promote(deployment_id)
        await fleet.succeeded(deployment_id)
    told = hopping[0].result()
    assert all(follower.result() == told for follower in hopping)
    await fleet.start("a", "b", roles=ALL_ROLES)
    await tell_the_same(fleet.addresses, deployment_id, told)
    await fleet.has(V1)
    await fleet.check()

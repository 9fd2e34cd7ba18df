"""All of etcd is away for longer than every lease, in the middle of a canary that waits at its gate.

What is live is not touched, and no further node is; every node answers, and tells progress; an upload is
recorded and waits; the promotion is taken. When etcd is back, with its data or without, the rollout goes on
where it stood, and ends. A follower hops from node to node all the while.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import aclosing

import pytest

from longshore_client import Client, DeploymentStatus, Event, StatusChanged
from tests.faults.trees import V1, V2, live_tree
from tests.services.etcd_cluster import EtcdCluster

from .fleet import ALL_ROLES, DEADLINE_S, NAMES, WENT_THROUGH, Fleet, audit, pieces
from .hopping import hop, tell_the_same

OTHER = "docs"


async def queued(address: str, deployment_id: str) -> None:
    """Follow a deployment at one node until that tells that it is queued."""
    async with (
        Client(address) as client,
        aclosing(client.follow(deployment_id, wait_for_creation_s=DEADLINE_S)) as updates,
    ):
        async for update in updates:
            detail = update.detail if isinstance(update, Event) else None
            if isinstance(detail, StatusChanged) and detail.to_status is DeploymentStatus.QUEUED:
                return


@pytest.mark.parametrize("data", ["kept", "lost"])
async def test_during_a_canary(fleet: Fleet, etcd_cluster: EtcdCluster, data: str) -> None:
    await fleet.start(*NAMES, roles=ALL_ROLES)
    _, new, _ = await fleet.release(V1, V2, V1)
    deployment_id = await fleet.begin(new.version)
    waiting = await fleet.until(deployment_id, lambda found: bool(found.waiting_gate_id))
    async with asyncio.TaskGroup() as group:
        following = group.create_task(hop(fleet.addresses, deployment_id))
        etcd_cluster.kill()
        for node in fleet.nodes.values():
            await node.logged('"purpose": "membership", "reason": "no answer in time"', deadline_s=DEADLINE_S)
        # Whoever drives goes on while its lock lasts, which may be a while longer.
        for node in fleet.nodes.values():
            await node.logged('"event": "rollout.interrupted"', deadline_s=DEADLINE_S)

        other_id = str(uuid.uuid4())
        told = [group.create_task(queued(address, other_id)) for address in fleet.addresses]
        async with fleet.client as client:
            await client.deploy(pieces(V1), project=OTHER, deployment_id=other_id)
            promoted = await client.promote(deployment_id, waiting.waiting_gate_id)
            assert promoted.status is DeploymentStatus.ROLLING_OUT
        await asyncio.gather(*told)
        # Every node tries to drive what is queued, and cannot.
        for node in fleet.nodes.values():
            seen = node.stderr.count(f'"project": "{OTHER}"')
            await node.logged(f'"project": "{OTHER}"', times=seen + 1, deadline_s=DEADLINE_S)
        for address in fleet.addresses:
            async with Client(address) as client:
                found = {one.deployment_id: one.status async for one in client.list(limit=2)}
            assert found == {deployment_id: DeploymentStatus.ROLLING_OUT, other_id: DeploymentStatus.QUEUED}
        for name, tree in zip(NAMES, (V2, V2, V1), strict=True):
            assert live_tree(fleet.folder_of(name)) == tree

        if data == "lost":
            etcd_cluster.lose_data()
        else:
            etcd_cluster.start()
    await fleet.succeeded(deployment_id)
    await fleet.succeeded(other_id)
    await fleet.has(V2)
    state = await fleet.check()
    assert audit(state, deployment_id=deployment_id) == WENT_THROUGH
    await tell_the_same(fleet.addresses, deployment_id, following.result())

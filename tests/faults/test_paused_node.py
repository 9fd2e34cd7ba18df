"""A node that stands still for longer than its leases: another one goes on, and it changes nothing."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from longshore.v1.deployment_pb2 import DeploymentStatus
from tests.services.etcd_cluster import EtcdCluster, key_range

from .calls import Uploading, assert_succeeded, connected, get, outcome, upload, wait_for_status
from .invariants import State, Stores, read_state, violations
from .nodes import Nursery
from .stores import LEASE_S
from .trees import PAYLOAD_1, PAYLOAD_2, V1, V2, live_tree

_ROLLING_OUT = DeploymentStatus.DEPLOYMENT_STATUS_ROLLING_OUT


def named(env: dict[str, str], name: str, *roles: str) -> dict[str, str]:
    return {**env, "LONGSHORE_NODE__NAME": name, "LONGSHORE_NODE__ROLES": ",".join(roles)}


async def state_with_epoch(stores: Stores, deployment_id: str, epoch: int) -> State:
    async with asyncio.timeout(20):
        while True:
            state = await read_state(stores)
            deployment = state.deployment(deployment_id)
            if deployment is not None and deployment.owner_epoch == epoch:
                return state
            await asyncio.sleep(0.1)


async def test_another_node_drives_on(
    nursery: Nursery, place: Path, stores: Stores, env: dict[str, str]
) -> None:
    """The driver is paused in the middle of a rollout that waits for a third node."""
    installing = named(env, "c", "install")
    uploading = Uploading(PAYLOAD_1)
    async with nursery.serve(place / "c", env=installing):
        pass
    async with (
        nursery.serve(place / "a", env=named(env, "a", "receive", "control")) as driver,
        connected(driver) as stub,
        nursery.serve(place / "b", env=named(env, "b", "control")) as other,
        connected(other) as other_stub,
    ):
        await upload(stub, uploading)
        await wait_for_status(stub, uploading.deployment_id, _ROLLING_OUT)
        owner = await owner_of(stores, uploading.deployment_id)
        paused, awake = (driver, other) if owner == node_id(place / "a") else (other, driver)
        paused.send(signal.SIGSTOP)
        await state_with_epoch(stores, uploading.deployment_id, 2)
        async with nursery.serve(place / "c", env=installing):
            ended = await outcome(stub if awake is driver else other_stub, uploading.deployment_id)
            assert_succeeded(ended)
        paused.send(signal.SIGCONT)
        await paused.logged("coordination.lease_lost")
        # It drives again what comes next, or lets the other one do so.
        again = Uploading(PAYLOAD_2)
        async with nursery.serve(place / "c", env=installing):
            await upload(stub, again)
            assert_succeeded(await outcome(stub, again.deployment_id))
        state = await read_state(stores)
        assert violations(state) == []
        assert "Traceback" not in driver.stderr + other.stderr
    assert live_tree(place / "c") == V2


@pytest.mark.parametrize("still", ["node", "etcd"])
async def test_a_node_alone(
    nursery: Nursery, place: Path, stores: Stores, env: dict[str, str], etcd_cluster: EtcdCluster, still: str
) -> None:
    """It, or the whole of etcd, stands still in the middle of a rollout that waits for another node."""
    installing = named(env, "c", "install")
    uploading = Uploading(PAYLOAD_1)
    async with nursery.serve(place / "c", env=installing):
        pass
    async with (
        nursery.serve(place / "a", env=named(env, "a", "receive", "control")) as node,
        connected(node) as stub,
    ):
        await upload(stub, uploading)
        await wait_for_status(stub, uploading.deployment_id, _ROLLING_OUT)
        if still == "node":
            node.send(signal.SIGSTOP)
            prefix = env["LONGSHORE_COORDINATION__URL"].rpartition("/")[2]
            await gone(etcd_cluster, f"{prefix}/locks/")
            node.send(signal.SIGCONT)
        else:
            for member in etcd_cluster.members:
                member.pause()
            await node.logged("rollout.interrupted")
            assert (await get(stub, uploading.deployment_id)).status == _ROLLING_OUT
            for member in etcd_cluster.members:
                member.resume()
        # It takes over from itself: what it did before counts no more.
        await state_with_epoch(stores, uploading.deployment_id, 2)
        async with nursery.serve(place / "c", env=installing):
            assert_succeeded(await outcome(stub, uploading.deployment_id))
        assert violations(await read_state(stores)) == []
    assert live_tree(place / "c") == V1


async def gone(etcd_cluster: EtcdCluster, prefix: str) -> None:
    """Wait until etcd has no key below ``prefix`` any more."""
    async with asyncio.timeout(10 * LEASE_S):
        while True:
            answer = await asyncio.to_thread(
                etcd_cluster.call, "kv/range", {**key_range(prefix), "count_only": True}
            )
            if not int(answer.get("count", 0)):
                return
            await asyncio.sleep(0.1)


async def owner_of(stores: Stores, deployment_id: str) -> str:
    deployment = (await read_state(stores)).deployment(deployment_id)
    assert deployment is not None
    return str(deployment.owner_node_id)


def node_id(data_dir: Path) -> str:
    return str(json.loads((data_dir / "node.json").read_text())["node_id"])

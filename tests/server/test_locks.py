"""Who holds which lock, as any node tells it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import grpc

from longshore.v1 import cluster_service_pb2 as cluster
from longshore_server.wakeups import rollout_lock
from longshore_storage.coordination import open_coordination

from .calls import deploy, refused
from .contents import canonical_tar, small_tree
from .running import RunningNode, StartNode, services

S = grpc.StatusCode


async def listed(node: RunningNode, **values: object) -> cluster.ListLocksResponse:
    return await node.cluster.ListLocks(cluster.ListLocksRequest(**values))  # type: ignore[arg-type]


async def test_whoever_drives_a_rollout_is_named(start_node: StartNode) -> None:
    hangs = {"project": "*", "when": "before_switch", "command": ["sleep", "600"]}
    async with start_node(node={"hooks": [hangs]}) as node:
        assert not (await listed(node)).locks
        deployed = await deploy(node, canonical_tar(small_tree()))
        while not (held := (await listed(node)).locks) or not held[0].deployment_id:
            await asyncio.sleep(0.02)
        assert list(held) == [
            cluster.Lock(
                name=rollout_lock("netops", "default"),
                holder=node.node.identity.node_id,
                node_name="one",
                project="netops",
                environment="default",
                deployment_id=deployed.deployment_id,
            )
        ]


@services
async def test_pages_name_commands_too(node: RunningNode, stores: dict[str, Any]) -> None:
    command = open_coordination(stores["coordination"]["url"], holder="a command on here")
    try:
        async with AsyncExitStack() as held:
            names = [f"chore-{number}" for number in range(5)]
            for name in names:
                await held.enter_async_context(command.lock(name))
            first = await listed(node, page_size=3)
            rest = await listed(node, page_size=3, page_token=first.next_page_token)
        assert [one.name for one in (*first.locks, *rest.locks)] == names
        assert {(one.holder, one.node_name) for one in first.locks} == {("a command on here", "")}
        assert not rest.next_page_token
    finally:
        await command.close()
    with refused(S.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"):
        await listed(node, page_token="nonsense")

"""What a node has of places is not one caller's alone."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_service_pb2 as pb
from tests.server.calls import refused
from tests.server.running import StartNode, embedded

from .as_caller import as_caller
from .issuer import Issuer
from .policies import write_policy

S = grpc.StatusCode


@embedded
async def test_of_followers(start_node: StartNode, access: dict[str, Any], issuer: Issuer) -> None:
    write_policy(access["policy_file"], {"role": "viewer", "principals": ["alice", "bob", "carol"]})
    async with start_node(access=access, progress={"most_followers": 4}) as node:
        alice, bob, carol = (as_caller(node, issuer.token(name)) for name in ("alice", "bob", "carol"))
        watched = pb.WatchDeploymentsRequest()
        held: list[Any] = [
            alice.deployments.WatchDeployments(watched),
            alice.cluster.WatchNodes(cluster.WatchNodesRequest()),
        ]
        for call in held:
            assert await call.read() is not grpc.aio.EOF
        with refused(S.RESOURCE_EXHAUSTED, "TOO_MANY_FOLLOWERS") as told:
            await alice.deployments.WatchDeployments(watched).read()
        assert told.message.startswith("2 of this node's followers are alice's")
        assert told.retry_after_s
        others = [caller.deployments.WatchDeployments(watched) for caller in (bob, carol)]
        for call in others:
            assert await call.read() is not grpc.aio.EOF
        with refused(S.RESOURCE_EXHAUSTED, "TOO_MANY_FOLLOWERS") as told:
            await bob.deployments.WatchDeployments(watched).read()
        assert told.message.startswith("4 followers are all")
        held[0].cancel()
        async with asyncio.timeout(20):
            while await _is_refused(again := alice.deployments.WatchDeployments(watched)):
                await asyncio.sleep(0.02)
        for call in (*held, *others, again):
            call.cancel()


async def _is_refused(call: Any) -> bool:
    try:
        await call.read()
    except grpc.aio.AioRpcError:
        return True
    return False

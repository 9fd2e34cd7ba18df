"""What a node has of places is not one caller's alone."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import grpc

from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as D  # noqa: N812
from longshore.v1 import deployment_service_pb2 as pb
from tests.server.calls import UploadCall, deploy, deploy_to_end, header, new_id, refused
from tests.server.contents import canonical_tar, random_bytes, small_tree
from tests.server.held_reads import Gate
from tests.server.held_reads import gate as gate
from tests.server.running import StartNode, Stubs, embedded

from .as_caller import as_caller
from .issuer import Issuer
from .policies import write_policy

S = grpc.StatusCode
MIB = 1 << 20
FILE: Any = {"payload_format": D.PAYLOAD_FORMAT_FILE, "file_name": "big"}


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


@embedded
async def test_of_downloads(start_node: StartNode, access: dict[str, Any], issuer: Issuer) -> None:
    write_policy(access["policy_file"], {"role": "admin", "principals": ["alice", "bob"]})
    async with start_node(access=access) as node:
        alice, bob = (as_caller(node, issuer.token(name)) for name in ("alice", "bob"))
        made = await deploy_to_end(
            alice,
            random_bytes(24 * MIB, seed=1),
            project="big",
            **FILE,
        )
        asked = pb.DownloadPayloadRequest(project="big", version=made.version)
        # Nobody reads on.
        held = [alice.deployments.DownloadPayload(asked) for _ in range(8)]
        for call in held:
            for _ in range(2):
                assert await call.read() is not grpc.aio.EOF
        with refused(S.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED") as told:
            async for _ in alice.deployments.DownloadPayload(asked):
                pass
        assert told.message.startswith("8 of this node's downloads are alice's")
        assert told.retry_after_s
        read = 0
        async for response in bob.deployments.DownloadPayload(asked):
            read += len(response.data)
        assert read == 24 * MIB
        for call in held:
            call.cancel()


@embedded
async def test_of_uploads(start_node: StartNode, access: dict[str, Any], issuer: Issuer) -> None:
    write_policy(access["policy_file"], {"role": "admin", "principals": ["alice", "bob"]})
    async with start_node(access=access, uploads={"at_once": 2, "waiting": 2}) as node:
        alice, bob = (as_caller(node, issuer.token(name)) for name in ("alice", "bob"))
        async with UploadCall(alice, header()), UploadCall(alice, header()):
            with refused(S.RESOURCE_EXHAUSTED, "TOO_MANY_UPLOADS") as told:
                async with UploadCall(alice, header()):
                    pass
            assert told.message.startswith("2 of this node's uploads are alice's")
            await deploy_to_end(bob, random_bytes(MIB, seed=2), project="other", **FILE)


@embedded
async def test_of_examinations(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, gate: Gate
) -> None:
    write_policy(access["policy_file"], {"role": "admin", "principals": ["alice", "bob"]})
    packed: Any = {"payload_format": D.PAYLOAD_FORMAT_TAR_GZ}
    async with start_node(access=access, uploads={"examined_at_once": 2}) as node:
        alice, bob = (as_caller(node, issuer.token(name)) for name in ("alice", "bob"))
        known = gzip.compress(canonical_tar(small_tree("known")))
        await deploy_to_end(bob, known, **packed)
        hers = [gzip.compress(canonical_tar(small_tree(name))) for name in ("one", "two")]
        with gate.closed():
            examined = [asyncio.create_task(deploy(alice, data, **packed)) for data in hers]
            async with asyncio.timeout(20):
                while await _validating(alice) < 2:
                    await asyncio.sleep(0.02)
            await gate.holds(1)
            async with asyncio.timeout(20):
                await deploy(bob, known, **packed)
        assert len({(await one).version for one in examined}) == 2


@embedded
async def test_of_calls_that_wait(start_node: StartNode, access: dict[str, Any], issuer: Issuer) -> None:
    write_policy(access["policy_file"], {"role": "admin", "principals": ["alice"]})
    async with start_node(
        access=access, progress={"most_followers": 4}, node={"roles": "receive,control"}
    ) as node:
        alice = as_caller(node, issuer.token("alice"))
        waits_for_a_node = await deploy(alice, random_bytes(1000, seed=1), project="big", **FILE)
        asked = pb.DeployReleaseRequest(
            deployment_id=new_id(),
            project="big",
            version=waits_for_a_node.version,
            wait_policy=pb.WAIT_POLICY_ENDED,
        )
        held = [asyncio.ensure_future(alice.deployments.DeployRelease(asked)) for _ in range(3)]
        async with asyncio.timeout(20):
            done, waiting = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        (answered,) = done
        assert answered.result().deployment.status == D.DEPLOYMENT_STATUS_QUEUED
        cancelled = pb.CancelDeploymentRequest(deployment_id=asked.deployment_id)
        await alice.deployments.CancelDeployment(cancelled)
        async with asyncio.timeout(20):
            for call in waiting:
                assert (await call).deployment.status == D.DEPLOYMENT_STATUS_CANCELLED


async def _validating(caller: Stubs) -> int:
    listed = await caller.deployments.ListDeployments(pb.ListDeploymentsRequest())
    return sum(one.status == D.DEPLOYMENT_STATUS_VALIDATING for one in listed.deployments)


async def _is_refused(call: Any) -> bool:
    try:
        await call.read()
    except grpc.aio.AioRpcError:
        return True
    return False

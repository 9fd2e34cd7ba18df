"""Nodes that are drained, and nodes that are watched, as callers see it."""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb

from .calls import UploadCall, data_messages, deploy, deploy_to_end, ended, header, new_id, refused
from .contents import canonical_tar, small_tree
from .node_watch import watching
from .running import RunningNode, StartNode, embedded, services

S = grpc.StatusCode


async def drain(node: RunningNode, name: str, reason: str = "new disk") -> cluster.Node:
    return (await node.cluster.DrainNode(cluster.DrainNodeRequest(node_name=name, reason=reason))).node


async def lift(node: RunningNode, name: str) -> cluster.Node:
    return (await node.cluster.CordonNode(cluster.CordonNodeRequest(node_name=name))).node


@embedded
async def test_a_drained_node_takes_no_uploads_until_that_is_lifted(start_node: StartNode) -> None:
    async with start_node(node={"labels": {"zone": "eu"}}) as node:
        async with UploadCall(node, header(new_id())) as upload, watching(node) as watch:
            first = await watch.until("one", alive=True)
            assert (first.draining, dict(first.labels)) == (False, {"zone": "eu"})
            drained = await drain(node, "one")
            assert (drained.draining, drained.cordon_reason) == (True, "new disk")
            await watch.until("one", draining=True, upload_count=1)
            with refused(S.UNAVAILABLE, "DRAINING"):
                await deploy(node, canonical_tar(small_tree()))
            health = health_pb2_grpc.HealthStub(node.channel)
            told = health.Watch(health_pb2.HealthCheckRequest(service="longshore.upload"))
            async for answer in told:
                if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                    break
            # The one under way ends; nothing installs it meanwhile.
            await upload.send(data_messages(canonical_tar(small_tree())))
            made = await upload.answer()
            left = await watch.until("one", upload_count=0)
            assert left.report_time.ToDatetime() >= left.cordon_time.ToDatetime()
            lifted = await lift(node, "one")
            assert (lifted.draining, lifted.cordon_reason) == (False, "")
            async for answer in told:
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    break
            told.cancel()
        assert (await ended(node, made.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
        await deploy_to_end(node, canonical_tar(small_tree("more")))
        listed = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(page_size=500))
        told_actions = [entry.action for entry in listed.entries if entry.action.startswith("node.")]
        assert told_actions[-2:] == ["node.uncordoned", "node.drained"]
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
            await drain(node, "one", " ")
        with refused(S.NOT_FOUND, "NODE_NOT_FOUND"):
            await drain(node, "nobody")


@services
async def test_a_drained_node_hands_its_rollouts_over_and_stays_drained(start_node: StartNode) -> None:
    async with start_node("a", node={"roles": ["install"]}) as a:
        async with start_node("b", node={"roles": ["receive", "control"]}) as b:
            # The only one that installs is cordoned: what waits for it is driven by nobody else than b.
            await a.cluster.CordonNode(cluster.CordonNodeRequest(node_name="a", reason="not yet"))
            waiting = await deploy(b, canonical_tar(small_tree()))
            async with watching(a) as watch:
                await drain(a, "b")
                await watch.until("b", draining=True, rollout_count=1)
                async with start_node("c", node={"roles": ["control"]}) as c:
                    await watch.until("c", alive=True)
                    # Another one drives now: it lets go.
                    await watch.until("b", rollout_count=0)
                    await lift(a, "a")
                    done = await ended(c, waiting.deployment_id)
                    assert done.status == d.DEPLOYMENT_STATUS_SUCCEEDED
        async with start_node("b", node={"roles": ["receive", "control"]}) as b:
            with refused(S.UNAVAILABLE, "DRAINING"):
                await deploy(b, canonical_tar(small_tree("more")))


@services
async def test_who_watches_sees_nodes_come_and_go(start_node: StartNode) -> None:
    async with start_node("a") as a, watching(a) as every, watching(a, "staging") as staging:
        await every.until("a", alive=True)
        async with start_node("b", node={"environment": "staging"}):
            await every.until("b", alive=True)
            await staging.until("b", alive=True)
            assert set(staging.nodes) == {"b"}
        await staging.until("b", alive=False)
        await every.until("b", alive=False)
        await a.cluster.RemoveNode(cluster.RemoveNodeRequest(node_name="b"))
        async with asyncio.timeout(30):
            for watch in (every, staging):
                while "b" in watch.nodes:
                    await watch.read()
        assert set(every.nodes) == {"a"}

"""Nodes that join, are cordoned and are forgotten, as callers and their disks see it."""

from __future__ import annotations

import asyncio

import grpc

from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb

from .calls import deploy_to_end, ended, new_id, refused
from .contents import canonical_tar, installed, small_tree
from .running import RunningNode, StartNode, embedded, services

S = grpc.StatusCode


async def cordon(node: RunningNode, name: str, reason: str) -> cluster.Node:
    request = cluster.CordonNodeRequest(node_name=name, reason=reason)
    return (await node.cluster.CordonNode(request)).node


async def has(node: RunningNode, text: str) -> None:
    """Wait until a node has that tree live."""
    async with asyncio.timeout(30):
        while True:
            live = node.live("netops")
            if live.is_dir() and installed(live) == small_tree(text):
                return
            await asyncio.sleep(0.05)


async def actions(node: RunningNode) -> list[str]:
    listed = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(page_size=500))
    return [entry.action for entry in listed.entries]


@services
async def test_one_that_joins_or_was_away_catches_up_by_itself(start_node: StartNode) -> None:
    async with start_node("a") as a:
        first = await deploy_to_end(a, canonical_tar(small_tree("one")))
        async with start_node("b") as b:
            await has(b, "one")
            counts = first.node_counts
            assert (counts.expected, counts.live) == (1, 1)
            assert (await cordon(a, "b", "new disk")).cordon_reason == "new disk"
        # Away, it is covered by nothing, and holds up nothing.
        for text in ("two", "three"):
            done = await deploy_to_end(a, canonical_tar(small_tree(text)))
            assert (done.status, done.node_counts.expected) == (d.DEPLOYMENT_STATUS_SUCCEEDED, 1)
        async with start_node("b") as b:
            assert (await cordon(b, "b", "")).cordon_reason == ""
            await has(b, "three")
            undeploy = pb.UndeployRequest(deployment_id=new_id(), project="netops")
            gone = (await b.deployments.Undeploy(undeploy)).deployment
            assert (await ended(b, gone.deployment_id)).node_counts.removed == 2
            assert not b.live("netops").exists()
        assert (await actions(a)).count("node.caught_up") == 2


@embedded
async def test_a_cordon_says_who_and_why(node: RunningNode) -> None:
    done = await cordon(node, "one", "new disk")
    assert (done.cordon_reason, done.cordoned_by, done.alive) == ("new disk", "anonymous", True)
    assert done.HasField("cordon_time")
    again = await cordon(node, "one", " new disk ")
    assert (again.cordon_reason, again.cordon_time) == (done.cordon_reason, done.cordon_time)
    (listed,) = (await node.cluster.ListNodes(cluster.ListNodesRequest())).nodes
    assert listed.cordon_reason == "new disk"
    lifted = await cordon(node, "one", "")
    assert (lifted.cordon_reason, lifted.cordoned_by, lifted.HasField("cordon_time")) == ("", "", False)
    assert [one for one in await actions(node) if one.startswith("node.")] == [
        "node.uncordoned",
        "node.cordoned",
    ]
    for name, reason, status, code in (
        ("nobody", "x", S.NOT_FOUND, "NODE_NOT_FOUND"),
        ("", "x", S.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ("one", "two\nlines", S.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ("one", "é" * 251, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
    ):
        with refused(status, code):
            await cordon(node, name, reason)


@services
async def test_only_one_that_does_not_run_is_forgotten(start_node: StartNode) -> None:
    async with start_node("a") as a:
        async with start_node("b") as b:
            await deploy_to_end(a, canonical_tar(small_tree("one")))
            with refused(S.FAILED_PRECONDITION, "NODE_RUNNING"):
                await a.cluster.RemoveNode(cluster.RemoveNodeRequest(node_name="b"))
            node_id = b.node.identity.node_id
        for _ in range(2):
            await a.cluster.RemoveNode(cluster.RemoveNodeRequest(node_name="b"))
        listed = await a.cluster.ListNodes(cluster.ListNodesRequest())
        assert [one.node_name for one in listed.nodes] == ["a"]
        done = await deploy_to_end(a, canonical_tar(small_tree("two")))
        assert done.node_counts.expected == 1
        # Its data folder is still there: it is the same node, and catches up.
        async with start_node("b") as b:
            assert b.node.identity.node_id == node_id
            await has(b, "two")

"""A node does not make live what needs a runtime that it lacks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb

from .calls import deploy, deploy_to_end, ended, new_id
from .hooked import activation
from .packed import pack
from .running import RunningNode, StartNode, embedded, services

OLD_GO: dict[str, Any] = {"runtimes": {"go": ["echo", "go version go1.20.1"]}}
NEEDS_MORE = {"go": ">=1.22", "cobol": ">=2"}
ALL_MISSING = "Runtime 'go' version 1.20.1 does not satisfy constraint '>=1.22'; Runtime 'cobol' not found"


@pytest.fixture
async def node(start_node: StartNode) -> AsyncIterator[RunningNode]:
    async with start_node(node=OLD_GO) as running:
        yield running


@embedded
async def test_what_is_missing_is_told_and_nothing_is_fetched(node: RunningNode) -> None:
    await deploy_to_end(node, pack("1.0.0", runtime_deps={"go": ">=1.20"}))
    failed = await ended(node, (await deploy(node, pack("1.1.0", runtime_deps=NEEDS_MORE))).deployment_id)
    assert failed.status == d.DEPLOYMENT_STATUS_FAILED
    reported = await activation(node, failed)
    assert (reported.message, reported.fetched_bytes) == (ALL_MISSING, 0)
    assert node.live("netops").name == "netops@1.0.0"
    assert [tree.name for tree in node.data_dir.glob("installed/netops@1.1.0*")] == []


@embedded
async def test_dependencies_may_be_skipped(node: RunningNode) -> None:
    done = await deploy_to_end(
        node, pack("1.0.0", runtime_deps=NEEDS_MORE, dependencies=["dns"]), skip_dependencies=True
    )
    assert done.dependencies_skipped
    assert node.live("netops").name == "netops@1.0.0"


@embedded
async def test_a_rollback_is_held_against_it_and_may_skip_it(start_node: StartNode) -> None:
    async with start_node(node=OLD_GO) as node:
        await deploy_to_end(node, pack("1.0.0", runtime_deps={"go": "<1.22"}))
        await deploy_to_end(node, pack("1.1.0"))
    newer = {"runtimes": {"go": ["echo", "go version go1.22.0"]}}
    async with start_node(node=newer) as node:
        rollback = pb.RollbackRequest(deployment_id=new_id(), project="netops")
        failed = await ended(node, (await node.deployments.Rollback(rollback)).deployment.deployment_id)
        assert "Runtime 'go' version 1.22.0 does not satisfy" in failed.error.message
        assert node.live("netops").name == "netops@1.1.0"
        skipping = pb.RollbackRequest(deployment_id=new_id(), project="netops", skip_dependencies=True)
        done = await ended(node, (await node.deployments.Rollback(skipping)).deployment.deployment_id)
        assert done.status == d.DEPLOYMENT_STATUS_SUCCEEDED
        assert node.live("netops").name == "netops@1.0.0"


@embedded
async def test_the_way_back_of_what_failed_is_never_refused(start_node: StartNode) -> None:
    async with start_node(node=OLD_GO) as node:
        await deploy_to_end(node, pack("1.0.0", runtime_deps={"go": "<1.22"}))
    fails = {"when": "after_switch", "command": ["sh", "-c", "[ $LONGSHORE_VERSION = 1.0.0 ]"]}
    newer = {"runtimes": {"go": ["echo", "go version go1.22.0"]}, "hooks": [fails]}
    async with start_node(node=newer) as node:
        failed = await ended(node, (await deploy(node, pack("1.1.0"))).deployment_id)
        assert "hook 'sh' (after the switch) ended with exit code 1" in failed.error.message
        assert node.live("netops").name == "netops@1.0.0"


@services
async def test_a_node_that_joins_is_held_against_it_as_the_deployment_said(start_node: StartNode) -> None:
    has = {"runtimes": {"go": ["echo", "go version go1.22.0"]}}
    async with start_node("a", node=has) as a:
        await deploy_to_end(a, pack("1.0.0", runtime_deps={"go": ">=1.22"}))
        async with start_node("b", node=OLD_GO) as b:
            reported = await _first_end(b)
            assert "Runtime 'go' version 1.20.1" in reported.message
            assert not b.live("netops").exists()
            again = pb.DeployReleaseRequest(
                deployment_id=new_id(), project="netops", version="1.0.0", skip_dependencies=True
            )
            done = (await a.deployments.DeployRelease(again)).deployment
            assert (await ended(a, done.deployment_id)).node_counts.live == 2
        async with start_node("c", node=OLD_GO) as c:
            assert (await _first_end(c)).message == ""
            assert c.live("netops").name == "netops@1.0.0"


async def _first_end(node: RunningNode) -> d.Activation:
    """What a node that saw to it by itself has come to."""
    request = pb.ListActivationsRequest(node_name=node.node.identity.name)
    async with asyncio.timeout(30):
        while True:
            listed = (await node.deployments.ListActivations(request)).activations
            if listed and listed[0].HasField("end_time"):
                return listed[0]
            await asyncio.sleep(0.05)

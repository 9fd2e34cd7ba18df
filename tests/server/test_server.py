"""What a server tells about itself, and what it does with only some of its roles."""

from __future__ import annotations

import asyncio
import re

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server import __version__

from .calls import (
    deploy,
    deploy_to_end,
    ended,
    follow,
    get,
    new_id,
    refused,
)
from .contents import canonical_tar, small_tree
from .running import RunningNode, StartNode, embedded

S = grpc.StatusCode
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def test_server_and_nodes(node: RunningNode) -> None:
    info = await node.cluster.GetServerInfo(cluster.GetServerInfoRequest())
    assert (info.server_version, info.node_name, info.environment) == (__version__, "one", "default")
    assert UUID.fullmatch(info.node_id)
    assert sorted(info.roles) == [
        cluster.NODE_ROLE_RECEIVE,
        cluster.NODE_ROLE_CONTROL,
        cluster.NODE_ROLE_INSTALL,
    ]
    cutting = info.cutting_parameters
    assert (cutting.algorithm, cutting.digest_function, cutting.codec) == ("fastcdc-2020", "blake3", "zstd")
    assert (cutting.min_size_bytes, cutting.max_size_bytes) == (16 << 10, 256 << 10)
    assert info.limits.max_find_missing_digests == 10_000
    assert info.limits.max_message_size_bytes == 3 << 20
    assert info.limits.upload_idle_timeout.seconds == 60

    async with asyncio.timeout(10):
        while True:
            (one,) = (await node.cluster.ListNodes(cluster.ListNodesRequest())).nodes
            if one.alive and one.address == node.address:
                break
    assert (one.node_name, one.node_id, one.boot_number) == ("one", info.node_id, 1)
    assert one.free_disk_bytes > 0
    assert not (await node.cluster.ListNodes(cluster.ListNodesRequest(environment="other"))).nodes


@embedded
async def test_health_by_service_and_reflection(node: RunningNode) -> None:
    health = health_pb2_grpc.HealthStub(node.channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in ("", "longshore.read", "longshore.upload"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == serving, name
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health.Check(health_pb2.HealthCheckRequest(service="nothing"))
    assert caught.value.code() is S.NOT_FOUND

    watched = health.Watch(health_pb2.HealthCheckRequest(service="longshore.upload"))
    assert (await anext(aiter(watched))).status == serving
    await node.node.health.drain()
    assert (await anext(aiter(watched))).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watched.cancel()
    answer = await health.Check(health_pb2.HealthCheckRequest(service="longshore.read"))
    assert answer.status == serving

    stub = reflection_pb2_grpc.ServerReflectionStub(node.channel)
    asked = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    listed = await anext(aiter(asked))
    assert {one.name for one in listed.list_services_response.service} == {
        "longshore.v1.DeploymentService",
        "longshore.v1.CatalogService",
        "longshore.v1.ClusterService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@embedded
async def test_a_draining_node_takes_no_uploads_and_reads_go_on(node: RunningNode) -> None:
    made = await deploy_to_end(node, canonical_tar(small_tree()))
    node.node.draining.stop()
    with refused(S.UNAVAILABLE, "DRAINING") as told:
        await deploy(node, canonical_tar(small_tree("more")))
    assert told.retry_after_s == 1
    assert (await get(node, made.deployment_id)).live


@embedded
async def test_request_ids_are_taken_and_given_back(node: RunningNode) -> None:
    call = node.deployments.ListDeployments(
        pb.ListDeploymentsRequest(), metadata=(("longshore-request-id", "mine-1"),)
    )
    told = dict(await call.initial_metadata())
    await call
    assert told["longshore-request-id"] == "mine-1"
    with pytest.raises(grpc.aio.AioRpcError):
        await node.deployments.GetDeployment(
            pb.GetDeploymentRequest(deployment_id=new_id()), metadata=(("longshore-request-id", "a b"),)
        )
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND") as seen:
        await node.deployments.GetDeployment(
            pb.GetDeploymentRequest(deployment_id=new_id()), metadata=(("longshore-request-id", "mine.2"),)
        )
    assert seen.metadata["request_id"] == "mine.2"
    made = await deploy(node, canonical_tar(small_tree()))
    assert re.fullmatch(r"[0-9a-f]{32}", made.request_id)


@embedded
async def test_a_node_that_installs_nothing_leaves_deployments_waiting(start_node: StartNode) -> None:
    async with start_node(node={"roles": ["receive", "control"]}) as running:
        made = await deploy(running, canonical_tar(small_tree()))
        async for told in follow(running, made.deployment_id):
            if told.snapshot.deployment.status_reason == "no_nodes":
                break
        waiting = await get(running, made.deployment_id)
        assert (waiting.status, waiting.status_reason) == (d.DEPLOYMENT_STATUS_QUEUED, "no_nodes")
        assert "install" in waiting.status_message
    async with start_node() as running:
        assert (await ended(running, made.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED


@embedded
async def test_a_node_without_the_role_takes_no_uploads(start_node: StartNode) -> None:
    async with start_node(node={"roles": ["install"]}) as running:
        with refused(S.FAILED_PRECONDITION, "ROLE_MISSING"):
            await deploy(running, b"x")
        answer = await health_pb2_grpc.HealthStub(running.channel).Check(
            health_pb2.HealthCheckRequest(service="longshore.upload")
        )
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING

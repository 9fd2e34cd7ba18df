"""A freeze: nothing goes live but what takes back, whoever asks, and everybody is told why."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import field_mask_pb2

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb

from .calls import deploy, deploy_to_end, ended, new_id, refused, until
from .contents import canonical_tar, small_tree
from .running import RunningNode, StartNode, embedded

S = grpc.StatusCode
ONE, TWO, THREE = (canonical_tar(small_tree(text)) for text in ("one", "two", "three"))


async def freeze(
    node: RunningNode, reason: str, *, etag: str = "", **values: Any
) -> catalog.ProjectEnvironment:
    named = {"project": "netops", "environment": "default", **values}
    response = await node.catalog.UpdateProjectEnvironment(
        catalog.UpdateProjectEnvironmentRequest(
            project_environment=catalog.ProjectEnvironment(freeze_reason=reason, etag=etag, **named),
            update_mask=field_mask_pb2.FieldMask(paths=["freeze_reason"]),
        )
    )
    return response.project_environment


async def test_nothing_goes_live_but_rollbacks(node: RunningNode) -> None:
    first = await deploy_to_end(node, ONE)
    await deploy_to_end(node, TWO)
    staged = await deploy(node, THREE, stage_only=True)
    frozen = await freeze(node, "sales weekend")
    assert (frozen.freeze_reason, frozen.frozen_by, frozen.live_version) == (
        "sales weekend",
        "anonymous",
        "1.0.1",
    )
    with refused(S.FAILED_PRECONDITION, "FROZEN") as told:
        await deploy(node, THREE)
    assert "sales weekend" in told.message
    with refused(S.FAILED_PRECONDITION, "FROZEN"):
        await node.deployments.DeployRelease(
            pb.DeployReleaseRequest(deployment_id=new_id(), project="netops", version="1.0.0")
        )
    with refused(S.FAILED_PRECONDITION, "FROZEN"):
        await node.deployments.Undeploy(pb.UndeployRequest(deployment_id=new_id(), project="netops"))
    promotion = pb.PromoteDeploymentRequest(
        deployment_id=staged.deployment_id, gate_id=staged.waiting_gate_id
    )
    with refused(S.FAILED_PRECONDITION, "FROZEN"):
        await node.deployments.PromoteDeployment(promotion)
    # What only is recorded goes on, and so does the way back.
    assert (await deploy(node, THREE, stage_only=True)).status == d.DEPLOYMENT_STATUS_STAGED
    back = await node.deployments.Rollback(pb.RollbackRequest(deployment_id=new_id(), project="netops"))
    assert (await ended(node, back.deployment.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
    assert not (await freeze(node, "")).freeze_reason
    await node.deployments.PromoteDeployment(promotion)
    live = await ended(node, staged.deployment_id)
    assert (live.status, live.previous_version) == (d.DEPLOYMENT_STATUS_SUCCEEDED, first.version)


@embedded
async def test_what_is_queued_waits_and_says_why(start_node: StartNode) -> None:
    async with start_node("controller", node={"roles": ["receive", "control"]}) as node:
        queued = await deploy(node, ONE)
        await freeze(node, "not today")
        waiting = await until(node, queued.deployment_id, lambda seen: seen.status_reason == "frozen")
        assert "not today" in waiting.status_message
        await freeze(node, "")
        await until(node, queued.deployment_id, lambda seen: seen.status_reason == "no_nodes")


@embedded
async def test_a_rollback_to_what_was_never_live_waits_too(start_node: StartNode) -> None:
    async with start_node("controller", node={"roles": ["receive", "control"]}) as node:
        staged = await deploy(node, ONE, stage_only=True)
        back = await node.deployments.Rollback(
            pb.RollbackRequest(deployment_id=new_id(), project="netops", version=staged.version)
        )
        queued = back.deployment.deployment_id
        await until(node, queued, lambda seen: seen.status_reason == "no_nodes")
        await freeze(node, "not today")
        await until(node, queued, lambda seen: seen.status_reason == "frozen")


async def test_the_way_back_is_open_behind_a_rollback_that_waits_for_a_freezes_end(node: RunningNode) -> None:
    first = await deploy_to_end(node, ONE)
    await deploy_to_end(node, TWO)
    staged = await deploy(node, THREE, stage_only=True)
    name = node.node.identity.name
    await node.cluster.CordonNode(cluster.CordonNodeRequest(node_name=name, reason="a moment"))
    never_live = pb.RollbackRequest(deployment_id=new_id(), project="netops", version=staged.version)
    waiting = (await node.deployments.Rollback(never_live)).deployment.deployment_id
    await until(node, waiting, lambda seen: seen.status_reason == "no_nodes")
    await freeze(node, "not today")
    await until(node, waiting, lambda seen: seen.status_reason == "frozen")
    await node.cluster.CordonNode(cluster.CordonNodeRequest(node_name=name))
    back = await node.deployments.Rollback(
        pb.RollbackRequest(deployment_id=new_id(), project="netops", version=first.version)
    )
    assert (await ended(node, back.deployment.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED


@embedded
async def test_a_change_is_one_of_what_was_read(node: RunningNode) -> None:
    await deploy_to_end(node, ONE)
    first = await freeze(node, "one")
    # Set once more it changes nothing, whatever was read.
    assert await freeze(node, "one", etag="0") == first
    with refused(S.ABORTED, "ETAG_MISMATCH"):
        await freeze(node, "two", etag="0")
    second = await freeze(node, "two", etag=first.etag)
    assert second.etag != first.etag
    response = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="netops"))
    told = [(entry.action, entry.message) for entry in response.entries]
    assert told[:2] == [("environment.frozen", "two"), ("environment.frozen", "one")]


@embedded
async def test_malformed_requests_name_their_field(node: RunningNode) -> None:
    await deploy_to_end(node, ONE)
    for field, values in (("project", {"project": "No Name"}), ("environment", {"environment": "No_Name"})):
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            await freeze(node, "x", **values)
        assert list(told.violations) == [f"project_environment.{field}"]
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await freeze(node, "x" * 501)
    with refused(S.NOT_FOUND, "PROJECT_NOT_FOUND"):
        await freeze(node, "x", project="unknown")
    with refused(S.NOT_FOUND, "ENVIRONMENT_NOT_FOUND"):
        await freeze(node, "x", environment="unknown")
    for paths in ([], ["live_version"]):
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            await node.catalog.UpdateProjectEnvironment(
                catalog.UpdateProjectEnvironmentRequest(
                    project_environment=catalog.ProjectEnvironment(project="netops", environment="default"),
                    update_mask=field_mask_pb2.FieldMask(paths=paths),
                )
            )
        assert list(told.violations) == ["update_mask"]

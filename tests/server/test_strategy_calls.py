"""Strategies as callers ask for them: what is refused, what is the default, and a canary from outside."""

from __future__ import annotations

import uuid
from typing import Any

import grpc
from google.protobuf import duration_pb2, field_mask_pb2

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_pb2 as deployment
from longshore.v1 import deployment_service_pb2 as pb

from .calls import deploy_to_end, refused
from .contents import canonical_tar, small_tree
from .running import RunningNode, embedded

S = grpc.StatusCode
D = deployment.DeploymentStatus
CANARY = deployment.RolloutStrategy(canary_steps=[deployment.CanaryStep(nodes=1)])


def strategy(*steps: dict[str, Any], **values: Any) -> deployment.RolloutStrategy:
    made = [deployment.CanaryStep(**step) for step in steps]
    return deployment.RolloutStrategy(canary_steps=made, **values)


def seconds(number: int) -> duration_pb2.Duration:
    return duration_pb2.Duration(seconds=number)


async def release_again(node: RunningNode, **values: Any) -> deployment.Deployment:
    request = pb.DeployReleaseRequest(
        deployment_id=str(uuid.uuid4()), project="netops", version="1.0.0", **values
    )
    return (await node.deployments.DeployRelease(request)).deployment


async def get(node: RunningNode, deployment_id: str) -> deployment.Deployment:
    asked = pb.GetDeploymentRequest(deployment_id=deployment_id)
    return (await node.deployments.GetDeployment(asked)).deployment


async def until_waiting(node: RunningNode, deployment_id: str) -> list[str]:
    """Follow until it has ended or waits for a person; the events' kinds."""
    asked = pb.StreamProgressRequest(deployment_id=deployment_id, until=pb.PROGRESS_UNTIL_WAITING)
    kinds: list[str] = []
    async for response in node.deployments.StreamProgress(asked):
        kinds += [str(event.WhichOneof("event")) for event in response.events]
    return kinds


WRONG = [
    ("canary_steps[0]", strategy({})),
    ("canary_steps[0].nodes", strategy({"nodes": -1})),
    ("canary_steps[0].percent", strategy({"percent": 101})),
    ("canary_steps[1]", strategy({"nodes": 2}, {"nodes": 2})),
    ("canary_steps[0].wait_time", strategy({"nodes": 1, "wait_time": seconds(0)})),
    ("canary_steps[0].wait_time", strategy({"nodes": 1, "wait_time": seconds(8 * 86_400)})),
    ("canary_steps", strategy(*({"nodes": number} for number in range(1, 22)))),
    ("max_nodes_at_once", strategy(max_nodes_at_once=0)),
    ("max_percent_at_once", strategy(max_percent_at_once=0)),
    ("max_percent_at_once", strategy(max_percent_at_once=101)),
    ("max_failed_nodes", strategy(max_failed_nodes=-1)),
    ("failure_domain_label", strategy(failure_domain_label="no such thing")),
]


@embedded
async def test_what_no_strategy_can_say(node: RunningNode) -> None:
    for field, asked in WRONG:
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            await release_again(node, strategy=asked)
        assert list(told.violations) == [f"strategy.{field}"]
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await release_again(node, failure_policy=99)
    assert list(told.violations) == ["failure_policy"]


async def test_a_place_has_a_default(node: RunningNode) -> None:
    await deploy_to_end(node, canonical_tar(small_tree()))
    both: dict[str, Any] = {"strategy": CANARY, "failure_policy": deployment.FAILURE_POLICY_KEEP}
    answer = await node.catalog.UpdateProjectEnvironment(
        catalog.UpdateProjectEnvironmentRequest(
            project_environment=catalog.ProjectEnvironment(project="netops", environment="default", **both),
            update_mask=field_mask_pb2.FieldMask(paths=list(both)),
        )
    )
    place = answer.project_environment
    assert (place.strategy, place.failure_policy) == (CANARY, deployment.FAILURE_POLICY_KEEP)
    by_default = await release_again(node)
    assert "canary_step_reached" in await until_waiting(node, by_default.deployment_id)
    waiting = await get(node, by_default.deployment_id)
    assert (waiting.strategy, waiting.failure_policy) == (CANARY, deployment.FAILURE_POLICY_KEEP)
    assert waiting.status == D.DEPLOYMENT_STATUS_ROLLING_OUT
    assert waiting.waiting_gate_id
    await node.deployments.PromoteDeployment(
        pb.PromoteDeploymentRequest(deployment_id=waiting.deployment_id, gate_id=waiting.waiting_gate_id)
    )
    assert (await until_waiting(node, by_default.deployment_id))[-2:] == [
        "canary_step_passed",
        "status_changed",
    ]
    ended = await get(node, by_default.deployment_id)
    assert (ended.status, ended.passed_canary_steps) == (D.DEPLOYMENT_STATUS_SUCCEEDED, 1)
    own = await release_again(node, strategy=strategy(), wait_policy=pb.WAIT_POLICY_ENDED)
    assert own.status == D.DEPLOYMENT_STATUS_SUCCEEDED


async def test_a_canary_is_paused_and_goes_on(node: RunningNode) -> None:
    await deploy_to_end(node, canonical_tar(small_tree()))
    begun = await release_again(node, strategy=CANARY, wait_policy=pb.WAIT_POLICY_ENDED)
    assert begun.waiting_gate_id
    asked = pb.PauseDeploymentRequest(deployment_id=begun.deployment_id, reason="lunch")
    paused = (await node.deployments.PauseDeployment(asked)).deployment
    assert (paused.paused_by, paused.pause_reason) == ("anonymous", "lunch")
    await node.deployments.PromoteDeployment(
        pb.PromoteDeploymentRequest(deployment_id=begun.deployment_id, gate_id=begun.waiting_gate_id)
    )
    await until_waiting(node, begun.deployment_id)
    assert (await get(node, begun.deployment_id)).status == D.DEPLOYMENT_STATUS_PAUSED
    await node.deployments.ResumeDeployment(pb.ResumeDeploymentRequest(deployment_id=begun.deployment_id))
    # It was promoted meanwhile, so nothing is left to wait for.
    ended = await release_again_until_ended(node, begun.deployment_id)
    assert ended.status == D.DEPLOYMENT_STATUS_SUCCEEDED
    with refused(S.FAILED_PRECONDITION, "STATUS_CONFLICT"):
        await node.deployments.PauseDeployment(asked)


async def release_again_until_ended(node: RunningNode, deployment_id: str) -> deployment.Deployment:
    async for _ in node.deployments.StreamProgress(pb.StreamProgressRequest(deployment_id=deployment_id)):
        pass
    return await get(node, deployment_id)


async def test_what_one_node_did(node: RunningNode) -> None:
    first = await deploy_to_end(node, canonical_tar(small_tree()))
    second = await release_again(node, wait_policy=pb.WAIT_POLICY_ENDED)
    asked = pb.ListActivationsRequest(node_name="one", page_size=1)
    found: list[deployment.Activation] = []
    while True:
        page = await node.deployments.ListActivations(asked)
        found += page.activations
        if not page.next_page_token:
            break
        asked.page_token = page.next_page_token
    assert [one.deployment_id for one in found] == [second.deployment_id, first.deployment_id]
    with refused(S.NOT_FOUND, "NODE_NOT_FOUND"):
        await node.deployments.ListActivations(pb.ListActivationsRequest(node_name="nobody"))
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
        both = pb.ListActivationsRequest(node_name="one", deployment_id=first.deployment_id)
        await node.deployments.ListActivations(both)

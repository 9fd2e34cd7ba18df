"""What packs need of each other, looked at when they are recorded, promoted, rolled back and taken off."""

from __future__ import annotations

import asyncio

import grpc

from longshore.v1 import deployment_service_pb2 as pb

from .calls import D, deploy, deploy_to_end, ended, new_id, refused
from .manifests import pack
from .running import RunningNode

S = grpc.StatusCode


async def roll_back(
    node: RunningNode, project: str, version: str, *, skip_dependencies: bool = False
) -> D.Deployment:
    request = pb.RollbackRequest(
        deployment_id=new_id(), project=project, version=version, skip_dependencies=skip_dependencies
    )
    return (await node.deployments.Rollback(request)).deployment


async def undeploy(node: RunningNode, project: str, *, skip_dependencies: bool = False) -> D.Deployment:
    request = pb.UndeployRequest(deployment_id=new_id(), project=project, skip_dependencies=skip_dependencies)
    return (await node.deployments.Undeploy(request)).deployment


async def test_what_is_needed_must_be_live(node: RunningNode) -> None:
    needy = pack("netops", needs={"dns": "^2.1", "core": "*"})
    with refused(S.FAILED_PRECONDITION, "DEPENDENCY_UNSATISFIED") as told:
        await deploy(node, needy)
    assert "Required pack 'core' is not installed" in told.message
    await deploy_to_end(node, pack("core"), project="core")
    await deploy_to_end(node, pack("dns", "2.0.0"), project="dns")
    with refused(S.FAILED_PRECONDITION, "DEPENDENCY_UNSATISFIED") as told:
        await deploy(node, needy)
    assert "Pack 'dns' version 2.0.0 does not satisfy constraint '^2.1'" in told.message
    await deploy_to_end(node, pack("dns", "2.1.3"), project="dns")
    await deploy_to_end(node, needy)


async def test_it_may_be_skipped_and_is_recorded(node: RunningNode) -> None:
    deployed = await deploy_to_end(node, pack(needs={"dns": "*"}), skip_dependencies=True)
    assert deployed.dependencies_skipped
    audit = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="netops"))
    assert any("dependencies skipped" in entry.message for entry in audit.entries)


async def test_what_is_needed_stays(node: RunningNode) -> None:
    await deploy_to_end(node, pack("dns", "1.0.0"), project="dns")
    await deploy_to_end(node, pack("dns", "2.1.0"), project="dns")
    await deploy_to_end(node, pack("netops", needs={"dns": ">=2"}))
    with refused(S.FAILED_PRECONDITION, "DEPENDANT_LIVE") as told:
        await undeploy(node, "dns")
    assert "netops 1.0.0 needs dns >=2" in told.message
    with refused(S.FAILED_PRECONDITION, "DEPENDANT_LIVE"):
        await roll_back(node, "dns", "1.0.0")
    with refused(S.FAILED_PRECONDITION, "DEPENDANT_LIVE"):
        await deploy(node, pack("dns", "1.5.0"), project="dns")
    await deploy_to_end(node, pack("dns", "2.2.0"), project="dns")
    back = await roll_back(node, "dns", "1.0.0", skip_dependencies=True)
    assert (await ended(node, back.deployment_id)).status == D.DEPLOYMENT_STATUS_SUCCEEDED


async def test_after_its_dependant_is_gone_it_may_go(node: RunningNode) -> None:
    await deploy_to_end(node, pack("dns"), project="dns")
    await deploy_to_end(node, pack("netops", needs={"dns": "*"}))
    await ended(node, (await undeploy(node, "netops")).deployment_id)
    gone = await undeploy(node, "dns")
    assert (await ended(node, gone.deployment_id)).status == D.DEPLOYMENT_STATUS_SUCCEEDED


async def test_it_is_looked_at_again_when_promoted(node: RunningNode) -> None:
    staged = await deploy(node, pack(needs={"dns": "*"}), stage_only=True)
    promotion = pb.PromoteDeploymentRequest(
        deployment_id=staged.deployment_id, gate_id=staged.waiting_gate_id
    )
    with refused(S.FAILED_PRECONDITION, "DEPENDENCY_UNSATISFIED"):
        await node.deployments.PromoteDeployment(promotion)
    await deploy_to_end(node, pack("dns"), project="dns")
    promoted = (await node.deployments.PromoteDeployment(promotion)).deployment
    assert (await ended(node, promoted.deployment_id)).status == D.DEPLOYMENT_STATUS_SUCCEEDED


async def test_circles_are_named(node: RunningNode) -> None:
    await deploy_to_end(node, pack("a", needs={"b": "*"}), project="a", skip_dependencies=True)
    await deploy_to_end(node, pack("b", needs={"c": "*"}), project="b", skip_dependencies=True)
    with refused(S.FAILED_PRECONDITION, "DEPENDENCY_UNSATISFIED") as told:
        await deploy(node, pack("c", needs={"a": "*"}), project="c")
    assert "a → b → c → a" in told.message


async def test_of_two_that_do_not_go_together_one_is_refused(node: RunningNode) -> None:
    """Whichever comes first: the other one sees it, live or on its way."""
    for number in range(8):
        await deploy_to_end(node, pack("dns", f"1.{number}.0"), project="dns")
        needy = pack("netops", f"1.{number}.0", needs={"dns": "*"})
        outcomes = await asyncio.gather(deploy(node, needy), undeploy(node, "dns"), return_exceptions=True)
        assert sum(isinstance(outcome, grpc.aio.AioRpcError) for outcome in outcomes) == 1, outcomes
        for outcome in outcomes:
            if isinstance(outcome, D.Deployment):
                await ended(node, outcome.deployment_id)
        if isinstance(outcomes[0], D.Deployment):
            await ended(node, (await undeploy(node, "netops")).deployment_id)

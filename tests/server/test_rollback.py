"""Taking back, and making existing releases live: what "previous" means, and that no call acts twice."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb

from .calls import deploy_to_end, ended, get, new_id, refused
from .contents import canonical_tar, installed, small_tree
from .running import RunningNode, StartNode, embedded, services

S = grpc.StatusCode


async def roll_back(node: RunningNode, deployment_id: str = "", **values: Any) -> pb.RollbackResponse:
    return await node.deployments.Rollback(
        pb.RollbackRequest(**{"deployment_id": deployment_id or new_id(), "project": "netops", **values})
    )


async def rolled_back(node: RunningNode, deployment_id: str = "", **values: Any) -> d.Deployment:
    """Roll back and follow to the end."""
    response = await roll_back(node, deployment_id, **values)
    assert not response.nothing_to_do
    deployment = await ended(node, response.deployment.deployment_id)
    assert deployment.status == d.DEPLOYMENT_STATUS_SUCCEEDED
    return deployment


async def release(node: RunningNode, version: str, deployment_id: str = "", **values: Any) -> d.Deployment:
    response = await node.deployments.DeployRelease(
        pb.DeployReleaseRequest(
            **{
                "deployment_id": deployment_id or new_id(),
                "project": "netops",
                "version": version,
                **values,
            }
        )
    )
    return response.deployment


async def released(node: RunningNode, version: str, **values: Any) -> d.Deployment:
    deployment = await ended(node, (await release(node, version, **values)).deployment_id)
    assert deployment.status == d.DEPLOYMENT_STATUS_SUCCEEDED
    return deployment


async def versions(node: RunningNode, *texts: str) -> list[d.Deployment]:
    """Deploy one version after another: 1.0.0, 1.0.1 and so on."""
    return [await deploy_to_end(node, canonical_tar(small_tree(text))) for text in texts]


async def live_version(node: RunningNode) -> str:
    project = await node.catalog.GetProject(catalog.GetProjectRequest(project="netops"))
    return project.environments[0].live_version


async def test_rollbacks_go_further_back_and_never_forth(node: RunningNode) -> None:
    first, second, third = await versions(node, "a", "b", "c")
    back = await rolled_back(node)
    assert (back.version, back.rollback_of) == ("1.0.1", third.deployment_id)
    again = await rolled_back(node)
    assert (again.version, again.rollback_of) == ("1.0.0", back.deployment_id)
    assert installed(node.live("netops")) == small_tree("a")
    with refused(S.FAILED_PRECONDITION, "NO_PREVIOUS_RELEASE") as told:
        await roll_back(node)
    assert "version" in told.message
    # What comes afterwards is taken back to what was live before it.
    fourth = await deploy_to_end(node, canonical_tar(small_tree("d")))
    assert (fourth.version, fourth.previous_version) == ("1.0.3", "1.0.0")
    assert (await rolled_back(node)).version == "1.0.0"
    with refused(S.FAILED_PRECONDITION, "NO_PREVIOUS_RELEASE"):
        await roll_back(node)
    assert not (await get(node, first.deployment_id)).rolled_back_by
    assert not (await get(node, second.deployment_id)).rolled_back_by


async def test_a_release_made_live_twice_is_taken_back_once(node: RunningNode) -> None:
    await versions(node, "a", "b")
    await released(node, "1.0.1")
    await released(node, "1.0.1")
    assert (await rolled_back(node)).version == "1.0.0"


async def test_the_same_call_never_goes_back_twice(node: RunningNode) -> None:
    await versions(node, "a", "b", "c")
    deployment_id = new_id()
    first = await rolled_back(node, deployment_id)
    for _ in range(2):
        again = await roll_back(node, deployment_id)
        assert not again.nothing_to_do
        assert again.deployment.deployment_id == first.deployment_id
        assert again.deployment.status == d.DEPLOYMENT_STATUS_SUCCEEDED
    assert await live_version(node) == "1.0.1"
    for changed in ({"version": "1.0.0"}, {"project": "other"}, {"environment": "staging"}):
        with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED"):
            await roll_back(node, deployment_id, **changed)
    with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED"):
        await release(node, "1.0.1", deployment_id)


async def test_many_at_once_with_one_id_are_one(node: RunningNode) -> None:
    await versions(node, "a", "b", "c")
    deployment_id = new_id()
    answers = await asyncio.gather(*(roll_back(node, deployment_id) for _ in range(8)))
    assert {answer.deployment.deployment_id for answer in answers} == {deployment_id}
    assert (await ended(node, deployment_id)).version == "1.0.1"
    listed = await node.deployments.ListDeployments(pb.ListDeploymentsRequest())
    assert len(listed.deployments) == 4


async def test_to_a_version_or_a_deployment(node: RunningNode) -> None:
    first, second, third = await versions(node, "a", "b", "c")
    back = await rolled_back(node, target_deployment_id=first.deployment_id.upper())
    assert (back.version, back.rollback_of) == ("1.0.0", third.deployment_id)
    assert (await rolled_back(node, version="1.0.2")).version == "1.0.2"
    assert (await rolled_back(node, version="1.0.1")).version == "1.0.1"
    assert (await rolled_back(node, target_deployment_id=back.deployment_id)).version == "1.0.0"
    answer = await roll_back(node, version="1.0.0")
    assert answer.nothing_to_do
    assert not answer.HasField("deployment")
    answer = await roll_back(node, target_deployment_id=first.deployment_id)
    assert answer.nothing_to_do
    assert (await get(node, second.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED


async def test_an_existing_release_into_the_environment(node: RunningNode) -> None:
    first, _ = await versions(node, "a", "b")
    deployment_id = new_id()
    made = await release(node, "1.0.0", deployment_id)
    assert (made.kind, made.version) == (d.DEPLOYMENT_KIND_RELEASE, "1.0.0")
    assert made.content_sha256 == first.content_sha256
    made = await ended(node, deployment_id)
    assert (made.live, made.payload_size_bytes) == (True, first.payload_size_bytes)
    assert installed(node.live("netops")) == small_tree("a")
    again = await release(node, "1.0.0", deployment_id)
    assert again.status == d.DEPLOYMENT_STATUS_SUCCEEDED
    with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED"):
        await release(node, "1.0.1", deployment_id)


async def test_before_anything_was_live(node: RunningNode) -> None:
    with refused(S.NOT_FOUND, "PROJECT_NOT_FOUND"):
        await roll_back(node)
    await versions(node, "a")
    with refused(S.FAILED_PRECONDITION, "NO_PREVIOUS_RELEASE"):
        await roll_back(node)


@embedded
async def test_what_is_unknown_or_malformed(node: RunningNode) -> None:
    (made,) = await versions(node, "a")
    elsewhere = await deploy_to_end(node, canonical_tar(small_tree()), project="other")
    not_found: list[tuple[dict[str, str], str]] = [
        ({"project": "nobody"}, "PROJECT_NOT_FOUND"),
        ({"environment": "nowhere"}, "ENVIRONMENT_NOT_FOUND"),
        ({"version": "9.9.9"}, "RELEASE_NOT_FOUND"),
        ({"target_deployment_id": new_id()}, "DEPLOYMENT_NOT_FOUND"),
        ({"target_deployment_id": elsewhere.deployment_id}, "DEPLOYMENT_NOT_FOUND"),
    ]
    for values, reason in not_found:
        with refused(S.NOT_FOUND, reason):
            await roll_back(node, **values)
    for values, reason in not_found[:3]:
        with refused(S.NOT_FOUND, reason):
            await release(node, **{"version": "1.0.0", **values})
    malformed: list[tuple[str, dict[str, Any]]] = [
        ("deployment_id", {"deployment_id": "x"}),
        ("project", {"project": ""}),
        ("project", {"project": "Not A Name"}),
        ("environment", {"environment": "Not_One"}),
        ("version", {"version": "latest"}),
        ("target_deployment_id", {"target_deployment_id": "x"}),
    ]
    for field, values in malformed:
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            asked: dict[str, Any] = {"deployment_id": new_id(), "project": "netops", **values}
            await node.deployments.Rollback(pb.RollbackRequest(**asked))
        assert list(told.violations) == [field]
    for request in (
        pb.DeployReleaseRequest(deployment_id=new_id(), project="netops"),
        pb.DeployReleaseRequest(project="netops", version="1.0.0"),
    ):
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
            await node.deployments.DeployRelease(request)
    listed = await node.deployments.ListDeployments(pb.ListDeploymentsRequest(project="netops"))
    assert [one.deployment_id for one in listed.deployments] == [made.deployment_id]


@services
async def test_promotion_to_another_environment(start_node: StartNode) -> None:
    async with (
        start_node("staging", node={"environment": "staging"}) as staging,
        start_node("production", node={"environment": "production"}) as production,
    ):
        tree = small_tree("promoted")
        made = await deploy_to_end(staging, canonical_tar(tree), environment="staging")
        assert not (production.data_dir / "live" / "netops").exists()
        promoted = await released(staging, made.version, environment="production")
        assert (promoted.environment, promoted.content_sha256) == ("production", made.content_sha256)
        assert installed(production.live("netops")) == tree
        project = await staging.catalog.GetProject(catalog.GetProjectRequest(project="netops"))
        assert [(one.environment, one.live_version) for one in project.environments] == [
            ("production", "1.0.0"),
            ("staging", "1.0.0"),
        ]
        with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
            await roll_back(staging, environment="staging", target_deployment_id=promoted.deployment_id)

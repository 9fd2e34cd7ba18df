"""Calls that decide about deployments, through a real node: gates, waiting for the end, terms, undeploys."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.progress import frames

from .calls import deploy, deploy_to_end, events_of, follow, get, new_id, refused, until
from .contents import canonical_tar, installed, small_tree
from .running import RunningNode, StartNode, embedded

S = grpc.StatusCode
ONE, TWO = (canonical_tar(small_tree(text)) for text in ("one", "two"))


async def promote(node: RunningNode, deployment: d.Deployment) -> d.Deployment:
    response = await node.deployments.PromoteDeployment(
        pb.PromoteDeploymentRequest(
            deployment_id=deployment.deployment_id, gate_id=deployment.waiting_gate_id
        )
    )
    return response.deployment


async def undeploy(node: RunningNode, **values: Any) -> pb.UndeployResponse:
    return await node.deployments.Undeploy(
        pb.UndeployRequest(deployment_id=new_id(), project="netops", **values)
    )


async def test_staged_promoted_live_and_taken_off(node: RunningNode) -> None:
    staged = await deploy(node, ONE, stage_only=True, labels={"team": "net"})
    assert (staged.status, staged.version) == (d.DEPLOYMENT_STATUS_STAGED, "1.0.0")
    assert staged.waiting_gate_id
    promoted = await promote(node, staged)
    assert not promoted.waiting_gate_id
    live = await until(node, staged.deployment_id, lambda seen: seen.live)
    assert dict(live.labels) == {"team": "net"}
    assert installed(node.live("netops")) == small_tree("one")
    off = await undeploy(node, wait_policy=pb.WAIT_POLICY_ENDED)
    assert off.deployment.status == d.DEPLOYMENT_STATUS_SUCCEEDED
    assert (off.deployment.kind, off.deployment.node_counts.removed) == (d.DEPLOYMENT_KIND_UNDEPLOY, 1)
    assert not (node.data_dir / "live" / "netops").is_symlink()
    assert (await undeploy(node)).nothing_to_do
    back = await node.deployments.Rollback(
        pb.RollbackRequest(deployment_id=new_id(), project="netops", wait_policy=pb.WAIT_POLICY_ENDED)
    )
    assert back.deployment.status == d.DEPLOYMENT_STATUS_SUCCEEDED
    assert installed(node.live("netops")) == small_tree("one")


@embedded
async def test_a_stream_ends_where_a_person_is_waited_for(node: RunningNode) -> None:
    staged = await deploy(node, ONE, stage_only=True)
    waiting = {"until": pb.PROGRESS_UNTIL_WAITING}
    events = await events_of(node, staged.deployment_id, **waiting)
    assert events[-1].status_changed.to_status == d.DEPLOYMENT_STATUS_STAGED
    assert await events_of(node, staged.deployment_id, after_sequence=events[-1].sequence, **waiting) == []
    whole = asyncio.create_task(events_of(node, staged.deployment_id))
    await promote(node, staged)
    told = await whole
    # A gate that was passed since ends nothing.
    again = await events_of(node, staged.deployment_id, **waiting)
    assert [event.sequence for event in told] == [event.sequence for event in again]
    assert told[-1].status_changed.to_status == d.DEPLOYMENT_STATUS_SUCCEEDED


@embedded
async def test_a_long_story_is_told_to_its_end(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = await deploy(node, ONE, stage_only=True)
    await promote(node, staged)
    whole = await events_of(node, staged.deployment_id)
    monkeypatch.setattr(frames, "MESSAGE_BYTES", 1)
    told = await events_of(node, staged.deployment_id, until=pb.PROGRESS_UNTIL_WAITING)
    assert [event.sequence for event in told] == [event.sequence for event in whole]
    assert len(told) > 4


@embedded
async def test_a_target_must_have_been_live(node: RunningNode) -> None:
    await deploy_to_end(node, ONE)
    staged = await deploy(node, TWO, stage_only=True)
    with refused(S.FAILED_PRECONDITION, "STATUS_CONFLICT") as told:
        await node.deployments.Rollback(
            pb.RollbackRequest(
                deployment_id=new_id(), project="netops", target_deployment_id=staged.deployment_id
            )
        )
    assert "promote it instead" in told.message


@embedded
async def test_a_call_is_answered_when_it_has_ended(node: RunningNode) -> None:
    deployment_id = new_id()
    for _ in range(2):
        ended = await deploy(node, ONE, deployment_id, wait_policy=pb.WAIT_POLICY_ENDED)
        assert (ended.status, ended.live) == (d.DEPLOYMENT_STATUS_SUCCEEDED, True)
    # What waits for a person is answered as well.
    staged = await deploy(node, TWO, stage_only=True, wait_policy=pb.WAIT_POLICY_ENDED)
    assert staged.status == d.DEPLOYMENT_STATUS_STAGED


@embedded
async def test_terms_are_looked_at_before_the_first_byte(node: RunningNode) -> None:
    live = await deploy_to_end(node, ONE)
    with refused(S.FAILED_PRECONDITION, "LIVE_CHANGED") as told:
        await deploy(node, TWO, expected_live_deployment_id=new_id())
    assert told.metadata["live_deployment_id"] == live.deployment_id
    assert (await deploy(node, TWO, expected_live_deployment_id=live.deployment_id)).version == "1.0.1"


@embedded
async def test_what_changes_while_bytes_arrive_ends_the_deployment(start_node: StartNode) -> None:
    async with start_node(node={"roles": ["receive", "control"]}) as node:
        deployment_id = new_id()
        waiting = await deploy(node, ONE)
        assert waiting.status == d.DEPLOYMENT_STATUS_QUEUED
        with refused(S.FAILED_PRECONDITION, "QUEUE_BUSY"):
            await deploy(node, TWO, deployment_id, queue_policy=pb.QUEUE_POLICY_FAIL)
        with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
            await get(node, deployment_id)
        urgent = await deploy(node, TWO, queue_policy=pb.QUEUE_POLICY_SUPERSEDE)
        assert (await get(node, waiting.deployment_id)).status == d.DEPLOYMENT_STATUS_SUPERSEDED
        assert urgent.status == d.DEPLOYMENT_STATUS_QUEUED


@embedded
async def test_malformed_requests_name_their_field(node: RunningNode) -> None:
    malformed: list[tuple[str, dict[str, Any]]] = [
        ("queue_policy", {"queue_policy": 99}),
        ("wait_policy", {"wait_policy": 99}),
        ("labels", {"labels": {"No": "x"}}),
        ("labels", {"labels": {"a": "x" * 256}}),
        ("labels", {"labels": {"a": "x\ny"}}),
        ("labels", {"labels": {f"k{i}": "" for i in range(33)}}),
        ("labels", {"labels": {f"k{i}": "x" * 200 for i in range(32)}}),
        ("expected_live_deployment_id", {"expected_live_deployment_id": "x"}),
        ("project", {"project": "Not A Name"}),
    ]
    for field, values in malformed:
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            await node.deployments.Undeploy(
                pb.UndeployRequest(**{"deployment_id": new_id(), "project": "netops", **values})
            )
        assert list(told.violations) == [field]
        if field != "project":
            with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
                await deploy(node, ONE, **values)
            assert list(told.violations) == [f"header.{field}"]
    for request in (
        pb.PromoteDeploymentRequest(deployment_id=new_id()),
        pb.PromoteDeploymentRequest(deployment_id="x", gate_id=new_id()),
    ):
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
            await node.deployments.PromoteDeployment(request)
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await node.deployments.CancelDeployment(
            pb.CancelDeploymentRequest(deployment_id=new_id(), reason="x" * 501)
        )
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
        async for _ in follow(node, new_id(), until=99):
            pass


@embedded
async def test_an_id_means_one_call(node: RunningNode) -> None:
    deployed = await deploy_to_end(node, ONE)
    with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED"):
        await node.deployments.Undeploy(
            pb.UndeployRequest(deployment_id=deployed.deployment_id, project="netops")
        )
    with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED"):
        await deploy(node, ONE, deployed.deployment_id, labels={"a": "b"})

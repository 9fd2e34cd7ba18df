"""StreamProgress: gap-free from anywhere, from the first moment, to the end and not beyond."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.progress import hub
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue, activations
from longshore_storage.catalogue.lifecycle import ActivationStatus, QueuePolicy
from longshore_storage.coordination import LocalCoordination

from .calls import (
    UploadCall,
    data_messages,
    deploy,
    deploy_to_end,
    events_of,
    follow,
    get,
    header,
    new_id,
    refused,
    status_name,
)
from .contents import canonical_tar, large_tree, small_tree
from .rollouts import Place
from .running import RunningNode, StartNode, embedded

S = grpc.StatusCode


async def test_progress_is_replayed_from_anywhere(node: RunningNode) -> None:
    made = await deploy_to_end(node, canonical_tar(large_tree()))
    responses = [told async for told in follow(node, made.deployment_id)]
    assert responses[0].HasField("snapshot")
    assert responses[0].snapshot.deployment.deployment_id == made.deployment_id
    assert responses[0].snapshot.compacted_through == 0
    events = [event for told in responses for event in told.events]
    assert [event.sequence for event in events] == list(range(1, made.last_sequence + 1))
    assert {event.deployment_id for event in events} == {made.deployment_id}
    assert [
        status_name(event.status_changed.to_status) for event in events if event.HasField("status_changed")
    ] == ["PENDING", "RECEIVING", "VALIDATING", "QUEUED", "ROLLING_OUT", "SUCCEEDED"]
    (examined,) = [event.content_examined for event in events if event.HasField("content_examined")]
    assert examined.content_sha256 == made.content_sha256
    assert examined.total_findings == 0
    steps = [step for event in events for step in event.nodes_stepped.steps]
    assert [step.node_name for step in steps] == ["one"] * len(steps)
    assert steps[-1].status == d.ACTIVATION_STATUS_LIVE
    assert all(event.message and event.time.seconds for event in events)

    for after in range(1, made.last_sequence + 1):
        rest = await events_of(node, made.deployment_id, after_sequence=after)
        assert rest == events[after:]
    with refused(S.OUT_OF_RANGE, "BEYOND_END"):
        await events_of(node, made.deployment_id, after_sequence=made.last_sequence + 1)


async def test_followers_who_come_first_see_everything(node: RunningNode) -> None:
    deployment_id = new_id()
    wait = Duration(seconds=30)
    followers = [
        asyncio.create_task(events_of(node, deployment_id, wait_for_creation=wait)) for _ in range(5)
    ]
    await deploy(node, canonical_tar(small_tree()), deployment_id)
    seen = await asyncio.gather(*followers)
    made = await get(node, deployment_id)
    assert [event.sequence for event in seen[0]] == list(range(1, made.last_sequence + 1))
    assert all(one == seen[0] for one in seen)


async def test_a_follower_sees_an_upload_that_goes_on(node: RunningNode) -> None:
    deployment_id = new_id()
    data = canonical_tar(small_tree())
    async with UploadCall(node, header(deployment_id)) as call:
        responses = follow(node, deployment_id)
        first = await anext(responses)
        assert status_name(first.snapshot.deployment.status) == "RECEIVING"
        seen = [event.sequence for event in first.events]
        with refused(S.OUT_OF_RANGE, "BEYOND_END"):
            await events_of(node, deployment_id, after_sequence=99)
        await call.send(data_messages(data))
        await call.answer()
        seen += [event.sequence async for told in responses for event in told.events]
    assert seen == list(range(1, len(seen) + 1))


@embedded
async def test_a_quiet_stream_has_heartbeats(start_node: StartNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "HEARTBEAT_S", 0.1)
    async with start_node() as node:
        deployment_id = new_id()
        async with UploadCall(node, header(deployment_id)):
            await heard_three_times(follow(node, deployment_id))
            await heard_three_times(follow(node, deployment_id, after_sequence=1))
        await heard_three_times(follow(node, new_id(), wait_for_creation=Duration(seconds=300)))
        watch = node.deployments.WatchDeployments(pb.WatchDeploymentsRequest())
        await heard_three_times(message async for message in watch if message.up_to_date)


async def heard_three_times(messages: AsyncIterator[Any]) -> None:
    """Three heartbeats come."""
    quiet = 0
    async with asyncio.timeout(20):
        async for told in messages:
            quiet += told in (pb.StreamProgressResponse(), pb.WatchDeploymentsResponse(up_to_date=True))
            if quiet == 3:
                return


@embedded
async def test_following_what_is_not_there(node: RunningNode) -> None:
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await events_of(node, new_id())
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await events_of(node, new_id(), wait_for_creation=Duration(nanos=300_000_000))
    for wait in (Duration(seconds=301), Duration(seconds=-1), Duration(seconds=1 << 60)):
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            await events_of(node, new_id(), wait_for_creation=wait)
        assert list(told.violations) == ["wait_for_creation"]
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await events_of(node, new_id(), after_sequence=-1)
    assert list(told.violations) == ["after_sequence"]
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await events_of(node, "no-uuid")
    assert list(told.violations) == ["deployment_id"]


async def test_every_deployment_with_a_new_event_is_heard_of(catalogue: Catalogue) -> None:
    """Also one that another takes the place of: its followers are woken."""
    heard: list[str] = []
    wakeups = Wakeups(LocalCoordination())
    place = Place(catalogue, wakeups)
    await place.node("a")
    await place.release("1.0.0")
    catalogue.listen(heard.append)
    first = await place.queue("1.0.0")
    assert set(heard) == {first}
    heard.clear()
    second = await place.queue("1.0.0", queue_policy=QueuePolicy.SUPERSEDE)
    assert set(heard) == {first, second}
    heard.clear()
    await place.step().take()
    assert set(heard) == {second}
    heard.clear()
    await place.cancel(second)
    await wakeups.close()


async def test_snapshots_tell_the_nodes_with_the_most_left_to_do(catalogue: Catalogue) -> None:
    wakeups = Wakeups(LocalCoordination())
    place = Place(catalogue, wakeups)
    await place.release("1.0.0")
    done_bytes = {"most": 10, "least": 90, "some": 50}
    for name in (*done_bytes, "pending", "live"):
        await place.node(name)
    deployment_id = await place.queue("1.0.0")
    await place.step().take()
    await place.report("live", ActivationStatus.LIVE)
    async with catalogue.transaction() as transaction:
        for name, installed_bytes in done_bytes.items():
            await activations.report(
                transaction,
                activations.place_of(await place.assignment(name)),
                expected=(ActivationStatus.PENDING,),
                status=ActivationStatus.FETCHING,
                installed_bytes=installed_bytes,
                total_bytes=100,
            )
        at_work = await activations.activations_at_work(transaction, deployment_id, limit=2)
    assert [activation.node_name for activation in at_work] == ["most", "some"]
    await wakeups.close()

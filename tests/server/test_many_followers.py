"""Followers in numbers: some never read, some are wrong, some wait for what never begins; others go on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from benchmarks.processes import forget_peak, peak_bytes, resident_bytes
from longshore.v1 import deployment_service_pb2 as pb
from longshore_client import Client, LongshoreError
from longshore_server.progress import followers
from longshore_storage.catalogue.journal import append_event
from longshore_storage.catalogue.lifecycle import DeploymentStatus as D

from .calls import channel_to, deploy, events_of, new_id, refusal_in, status_name
from .contents import canonical_tar, small_tree
from .running import RunningNode, StartNode, Stubs, embedded

S = grpc.StatusCode
MIB = 1 << 20
ONE = canonical_tar(small_tree("one"))
NEVER = Duration(nanos=200_000_000)


@asynccontextmanager
async def channels(node: RunningNode, count: int) -> AsyncIterator[Sequence[Stubs]]:
    """Connections of their own: what one does not read is no business of another."""
    # Without the probe this side takes 64 KiB of each call that is not read, and not as much as it can get.
    own = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
    opened = [grpc.aio.insecure_channel(node.address, options=own) for _ in range(count)]
    try:
        yield [Stubs(channel) for channel in opened]
    finally:
        await asyncio.gather(*(channel.close() for channel in opened))


async def append(node: RunningNode, deployment_id: str, count: int, *, message: str = "") -> None:
    """Events as another process writes them: no signal comes to the node."""
    for _ in range(count):
        async with node.catalogue.transaction() as transaction:
            await append_event(transaction, deployment_id, "upload_waits", message, {}, expected=(D.STAGED,))


async def sequences(stubs: Stubs, deployment_id: str, **values: Any) -> list[int]:
    return [event.sequence for event in await events_of(stubs, deployment_id, **values)]


async def refusal(stubs: Stubs, deployment_id: str, **values: Any) -> str:
    try:
        await events_of(stubs, deployment_id, **values)
    except grpc.aio.AioRpcError as error:
        return f"{error.code().name} {error.details()}"
    return "was not refused"


@embedded
async def test_a_thousand_of_every_kind(start_node: StartNode) -> None:
    async with start_node(progress={"most_followers": 1000}) as node, channels(node, 5) as stubs:
        staged = await deploy(node, ONE, stage_only=True)
        followed, coming = staged.deployment_id, new_id()
        known = staged.last_sequence
        good = [
            asyncio.create_task(sequences(stubs[number % 5], followed, after_sequence=number % (known + 1)))
            for number in range(400)
        ]
        waiting = [
            asyncio.create_task(sequences(stubs[number % 5], coming, wait_for_creation=Duration(seconds=60)))
            for number in range(100)
        ]
        vain = [
            asyncio.create_task(refusal(stubs[number % 5], new_id(), wait_for_creation=NEVER))
            for number in range(200)
        ]
        wrong = {
            known + 1000: "OUT_OF_RANGE",
            (1 << 63) - 1: "OUT_OF_RANGE",
            -1: "INVALID_ARGUMENT",
            -(1 << 63): "INVALID_ARGUMENT",
        }
        beside = [
            (status, asyncio.create_task(refusal(stubs[number], followed, after_sequence=after)))
            for after, status in wrong.items()
            for number in range(5)
        ]
        malformed = [
            asyncio.create_task(refusal(stubs[0], deployment_id))
            for deployment_id in ("", "x", "../" * 9, "a" * 10_000, new_id().replace("-", "_"))
        ]
        silent = [
            stubs[number % 5].deployments.StreamProgress(pb.StreamProgressRequest(deployment_id=followed))
            for number in range(200)
        ]
        for told in await asyncio.gather(*vain):
            assert told.startswith("NOT_FOUND there is no deployment"), told
        for status, task in beside:
            assert (await task).startswith(status)
        for told in await asyncio.gather(*malformed):
            assert told.startswith("INVALID_ARGUMENT deployment_id"), told
        await deploy(stubs[0], ONE, coming)
        begun = await asyncio.gather(*waiting)
        assert begun == [list(range(1, len(begun[0]) + 1))] * 100
        await append(node, followed, 20)
        await stubs[0].deployments.CancelDeployment(pb.CancelDeploymentRequest(deployment_id=followed))
        last = known + 21
        for number, seen in enumerate(await asyncio.gather(*good)):
            assert seen == list(range(number % (known + 1) + 1, last + 1))
        # Who reads late has missed nothing.
        assert [event.sequence async for message in silent[0] for event in message.events] == list(
            range(1, last + 1)
        )
        for call in silent:
            call.cancel()


@embedded
async def test_who_never_reads_holds_up_nobody_and_costs_no_memory(node: RunningNode) -> None:
    count, size_bytes = 100, 64 << 10
    async with channels(node, 2) as (silent_ones, reading):
        staged = await deploy(node, ONE, stage_only=True)
        request = pb.StreamProgressRequest(deployment_id=staged.deployment_id)
        silent = [silent_ones.deployments.StreamProgress(request) for _ in range(200)]
        for call in silent:
            await call.initial_metadata()
        before = resident_bytes(os.getpid())
        forget_peak(os.getpid())
        good = [asyncio.create_task(sequences(reading, staged.deployment_id)) for _ in range(3)]
        await append(node, staged.deployment_id, count, message="x" * size_bytes)
        await reading.deployments.CancelDeployment(
            pb.CancelDeploymentRequest(deployment_id=staged.deployment_id)
        )
        last = staged.last_sequence + count + 1
        assert await asyncio.gather(*good) == [list(range(1, last + 1))] * 3
        # All that is under way for 200 would be 1.2 GiB, on either side of the connection.
        assert peak_bytes(os.getpid()) - before < 200 * MIB
        # They come back to what is no longer in memory.
        for call in silent[:2]:
            told = [event.sequence async for message in call for event in message.events]
            assert told == list(range(1, last + 1))
        for call in silent:
            call.cancel()


@embedded
async def test_no_more_than_the_node_takes(start_node: StartNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "_COME_BACK_AFTER_S", 0.1)
    async with start_node(progress={"most_followers": 3}) as node:
        staged = await deploy(node, ONE, stage_only=True)
        request = pb.StreamProgressRequest(deployment_id=staged.deployment_id)
        calls = [node.deployments.StreamProgress(request) for _ in range(3)]
        for call in calls:
            assert isinstance(await call.read(), pb.StreamProgressResponse)
        async with channel_to(node.address) as stubs:
            one_more = stubs.deployments.StreamProgress(request)
            try:
                await one_more.read()
            except grpc.aio.AioRpcError as error:
                told = refusal_in(error, S.RESOURCE_EXHAUSTED, "TOO_MANY_FOLLOWERS")
                assert told.retry_after_s
                assert "3 followers" in told.message
        # What was recorded is no follower.
        ended = await deploy(node, ONE, wait_policy=pb.WAIT_POLICY_ENDED)
        assert status_name(ended.status) == "SUCCEEDED"
        # The library waits as it is told, and comes in when there is room.
        async with Client(node.address) as client:

            def make_room(_: LongshoreError) -> None:
                calls[0].cancel()

            following = client.follow(staged.deployment_id, on_break=make_room)
            await anext(following)
            await following.aclose()
        for call in calls:
            call.cancel()


@embedded
async def test_all_may_come_back_at_once(node: RunningNode) -> None:
    """gRPC's own limits of calls that wait to be taken would cut some of them off."""
    request = pb.StreamProgressRequest(deployment_id=new_id(), after_sequence=-1)
    # A connection has a limit of its own of calls under way.
    async with channels(node, 3) as opened:
        calls = [stubs.deployments.StreamProgress(request) for stubs in opened for _ in range(900)]
        assert {await call.code() for call in calls} == {S.INVALID_ARGUMENT}

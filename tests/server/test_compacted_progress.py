"""Following a deployment whose old events were compacted: told so, and nothing missing without a word."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import grpc
import pytest
from sqlalchemy import update

from longshore.v1 import deployment_service_pb2 as pb
from longshore_client import Client, Event, LongshoreError, Snapshot, errors
from longshore_server.progress import ProgressHub, frames
from longshore_server.refusal import Reason, Refusal
from longshore_server.rpc.messages import progress_message, watch_message
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue, tables
from longshore_storage.catalogue.deployments import get_deployment
from longshore_storage.catalogue.journal import append_event, change_status
from longshore_storage.catalogue.lifecycle import DeploymentStatus as D
from longshore_storage.catalogue.old_events import compact_events
from longshore_storage.catalogue.rows import Actor
from longshore_storage.coordination import LocalCoordination
from tests.storage.catalogue.rows import insert_a_deployment

from .calls import deploy_to_end, events_of, follow, refused
from .collected import collect
from .contents import canonical_tar, small_tree
from .running import RunningNode

S = grpc.StatusCode
ONE = canonical_tar(small_tree("one"))


async def end_long_ago(catalogue: Catalogue, deployment_id: str) -> None:
    d = tables.deployment
    async with catalogue.transaction() as transaction:
        then = await transaction.now() - timedelta(days=31)
        await transaction.execute(update(d).where(d.c.id == deployment_id).values(end_time=then))


async def test_what_is_left_is_told(node: RunningNode, stores: dict[str, Any]) -> None:
    old, young = await deploy_to_end(node, ONE), await deploy_to_end(node, ONE)
    whole = await events_of(node, old.deployment_id)
    await end_long_ago(node.catalogue, old.deployment_id)
    await collect(node, stores)

    phases = [event for event in whole if event.HasField("status_changed")]
    assert len(phases) < len(whole)
    messages = [told async for told in follow(node, old.deployment_id)]
    assert messages[0].snapshot.compacted_through == old.last_sequence
    assert [event for told in messages for event in told.events] == phases
    assert await events_of(node, old.deployment_id, after_sequence=old.last_sequence) == []
    for after in range(1, old.last_sequence):
        with refused(S.OUT_OF_RANGE, "PROGRESS_COMPACTED") as refusal:
            await events_of(node, old.deployment_id, after_sequence=after)
        assert refusal.metadata["compacted_through"] == str(old.last_sequence)
    assert len(await events_of(node, young.deployment_id)) == young.last_sequence

    async with Client(node.address) as client:
        told: list[LongshoreError] = []
        updates = [update async for update in client.follow(old.deployment_id, after=2, on_break=told.append)]
    assert [type(error) for error in told] == [errors.ProgressCompacted]
    assert isinstance(updates[0], Snapshot)
    assert updates[0].compacted_through == old.last_sequence
    assert [update.sequence for update in updates if isinstance(update, Event)] == [
        event.sequence for event in phases if event.sequence > 2
    ]


async def ended_with_many_events(catalogue: Catalogue) -> str:
    """A deployment with more events than a follower finds in memory."""
    async with catalogue.transaction() as transaction:
        deployment_id = await insert_a_deployment(transaction)
        for _ in range(140):
            await append_event(transaction, deployment_id, "upload_waits", "", {}, expected=(D.PENDING,))
        await change_status(
            transaction,
            deployment_id,
            expected=(D.PENDING,),
            to=D.FAILED,
            actor=Actor("tests"),
            action="test",
        )
    return deployment_id


async def test_what_is_compacted_while_it_is_read(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than memory holds, so that it is read from SQL; one event a message."""
    monkeypatch.setattr(frames, "MESSAGE_BYTES", 1)
    deployment_id = await ended_with_many_events(catalogue)
    wakeups = Wakeups(LocalCoordination())
    hub = ProgressHub(catalogue, wakeups, progress_message, watch_message, most_followers=9)
    following = hub.follow(deployment_id, after=0, wait_for_creation_s=0)
    staying = hub.follow(deployment_id, after=0, wait_for_creation_s=0)
    async with aclosing(following), aclosing(staying):
        assert await sequences(staying, 1) == [1]
        assert await sequences(following, 3) == [1, 2, 3]
        async with catalogue.transaction() as transaction:
            assert (await compact_events(transaction, deployment_id, limit=2)).events == 1
        # What it has not had yet is still there.
        assert await sequences(following, 2) == [4, 5]
        async with catalogue.transaction() as transaction:
            assert (await compact_events(transaction, deployment_id, limit=8)).events == 8
            deployment = await get_deployment(transaction, deployment_id)
        assert deployment is not None
        assert deployment.compacted_through == 10
        with pytest.raises(Refusal) as caught:
            await sequences(following, 1)
        assert caught.value.reason is Reason.PROGRESS_COMPACTED
        assert caught.value.metadata["compacted_through"] == "10"
        # Also while somebody is left who began before.
        again = hub.follow(deployment_id, after=0, wait_for_creation_s=0)
        async with aclosing(again):
            assert await sequences(again, 3) == [1, 11, 12]
    assert hub.followers.count == 0
    await wakeups.close()


async def test_who_begins_with_an_old_snapshot_gets_a_new_one(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "MESSAGE_BYTES", 1)
    deployment_id = await ended_with_many_events(catalogue)
    wakeups = Wakeups(LocalCoordination())
    hub = ProgressHub(catalogue, wakeups, progress_message, watch_message, most_followers=9)
    staying = hub.follow(deployment_id, after=0, wait_for_creation_s=0)
    beginning = hub.follow(deployment_id, after=0, wait_for_creation_s=0)
    async with aclosing(staying), aclosing(beginning):
        assert await sequences(staying, 1) == [1]
        async with catalogue.transaction() as transaction:
            assert (await compact_events(transaction, deployment_id, limit=10)).events == 9
        first = pb.StreamProgressResponse.FromString(await anext(beginning))
        assert first.snapshot.compacted_through == 10
        assert first.snapshot.deployment.deployment_id == deployment_id
        assert [event.sequence for event in first.events] == [1]
        assert await sequences(beginning, 3) == [11, 12, 13]
    await wakeups.close()


async def sequences(messages: AsyncGenerator[bytes, None], count: int) -> list[int]:
    """The numbers of the next events."""
    found: list[int] = []
    while len(found) < count:
        message = pb.StreamProgressResponse.FromString(await anext(messages))
        found += [event.sequence for event in message.events]
    return found

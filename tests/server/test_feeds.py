"""Feeds: what wakes them, what they read meanwhile, and for whom they log."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars, get_contextvars

from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.progress import ProgressHub, Snapshot, feed
from longshore_server.rpc.messages import progress_message, watch_message
from longshore_server.views import DeploymentView, view
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue, Transaction
from longshore_storage.catalogue.journal import append_event, change_status
from longshore_storage.catalogue.lifecycle import DeploymentStatus as D
from longshore_storage.catalogue.listing import DeploymentFilter
from longshore_storage.catalogue.rows import Actor, Deployment, Event
from longshore_storage.coordination import LocalCoordination
from tests.storage.catalogue.rows import insert_a_deployment


@pytest.fixture
async def wakeups() -> AsyncIterator[Wakeups]:
    wakeups = Wakeups(LocalCoordination())
    yield wakeups
    await wakeups.close()


@pytest.fixture
async def hub(catalogue: Catalogue, wakeups: Wakeups) -> AsyncIterator[ProgressHub]:
    hub = ProgressHub(catalogue, wakeups, progress_message, watch_message, most_followers=9)
    yield hub
    # aiosqlite never ends when the event loop is closed while a connection is.
    await asyncio.gather(*hub._ending, return_exceptions=True)


async def stage(catalogue: Catalogue) -> str:
    """A deployment that waits for a person, after event 2."""
    async with catalogue.transaction() as transaction:
        deployment_id = await insert_a_deployment(transaction)
        await change_status(
            transaction,
            deployment_id,
            expected=(D.PENDING,),
            to=D.STAGED,
            actor=Actor("tests"),
            action="test",
        )
    return deployment_id


async def append(catalogue: Catalogue, deployment_id: str) -> None:
    async with catalogue.transaction() as transaction:
        await append_event(transaction, deployment_id, "upload_waits", "", {}, expected=(D.STAGED,))


def told(message: bytes) -> Sequence[int]:
    return [event.sequence for event in pb.StreamProgressResponse.FromString(message).events]


@asynccontextmanager
async def soon() -> AsyncIterator[None]:
    async with asyncio.timeout(20):
        yield


async def test_news_that_come_with_a_heartbeat_follow_it(catalogue: Catalogue, hub: ProgressHub) -> None:
    deployment_id = await stage(catalogue)
    async with soon(), aclosing(hub.follow(deployment_id, after=2, wait_for_creation_s=0)) as following:
        assert not told(await anext(following))
        (shared, reading), *_ = hub._tasks.items()
        heartbeat = asyncio.ensure_future(anext(following))
        while not heartbeat.done():
            shared.tick()
            await asyncio.sleep(0)
        assert heartbeat.result() == b""
        # As if writing the heartbeat took that long; nothing wakes the follower behind it.
        await append(catalogue, deployment_id)
        shared.wake()
        while shared.deployment.last_sequence < 3:
            await asyncio.sleep(0.01)
        reading.cancel()
        assert told(await anext(following)) == [3]


async def test_what_waits_is_not_read_all_the_time(
    catalogue: Catalogue, hub: ProgressHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: Counter[str] = Counter()

    async def counted(transaction: Transaction, deployment: Deployment) -> DeploymentView:
        looks[deployment.id] += 1
        return await view(transaction, deployment)

    monkeypatch.setattr(feed, "view", counted)
    monkeypatch.setattr(feed, "_SNAPSHOT_SPACING_S", 0.01)
    monkeypatch.setattr(feed, "_QUIET_SPACING_S", 3600, raising=False)
    waiting = await stage(catalogue)
    async with catalogue.transaction() as transaction:
        moving = await insert_a_deployment(transaction)
    async with (
        soon(),
        aclosing(hub.follow(waiting, after=2, wait_for_creation_s=0)) as quiet,
        aclosing(hub.follow(moving, after=1, wait_for_creation_s=0)) as busy,
    ):
        await anext(quiet)
        await anext(busy)
        while looks[moving] < 20:
            await asyncio.sleep(0.01)
        assert looks[waiting] < 5
        await append(catalogue, waiting)
        hub._wake(waiting)
        assert told(await anext(quiet)) == [3]
        # The snapshot comes behind it.
        snapshot = pb.StreamProgressResponse.FromString(await anext(quiet)).snapshot
        assert snapshot.deployment.last_sequence == 3


async def test_what_is_read_for_all_is_not_logged_for_one(catalogue: Catalogue, wakeups: Wakeups) -> None:
    bound: list[dict[str, Any]] = []

    def encode(events: Sequence[Event], snapshot: Snapshot | None) -> bytes:
        bound.append(get_contextvars())
        return progress_message(events, snapshot)

    def encode_deployments(seen: Sequence[DeploymentView], up_to_date: bool) -> bytes:
        bound.append(get_contextvars())
        return watch_message(seen, up_to_date)

    deployment_id = await stage(catalogue)
    with bound_contextvars(node="one"):
        hub = ProgressHub(catalogue, wakeups, encode, encode_deployments, most_followers=9)
    with bound_contextvars(request_id="of the first"):
        async with (
            soon(),
            aclosing(hub.follow(deployment_id, after=2, wait_for_creation_s=0)) as following,
            aclosing(hub.watch(DeploymentFilter(), begin_with=1)) as watching,
        ):
            bound.clear()
            await anext(following)
            assert bound == [{"node": "one", "deployment_id": deployment_id}] * len(bound) != []
            await anext(watching)
            await anext(watching)
            bound.clear()
            await append(catalogue, deployment_id)
            hub._watching.wake(deployment_id)
            await anext(watching)
            assert bound == [{"node": "one"}]

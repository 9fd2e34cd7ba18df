"""WatchDeployments: the last state of every deployment that matches, for however slow a watcher."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from contextvars import copy_context
from typing import Any

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.progress import changes, pages
from longshore_server.progress.watching import Watching
from longshore_server.refusal import Reason, Refusal
from longshore_server.rpc.messages import watch_message
from longshore_storage.catalogue import Catalogue, Transaction
from longshore_storage.catalogue.journal import change_status
from longshore_storage.catalogue.lifecycle import DeploymentStatus as D
from longshore_storage.catalogue.listing import DeploymentFilter, list_deployments
from longshore_storage.catalogue.rows import Actor
from tests.storage.catalogue.rows import insert_a_deployment

from .calls import deploy, deploy_to_end, new_id, refused, status_name
from .contents import canonical_tar, small_tree
from .hooked import payload
from .running import RunningNode, StartNode, Stubs, embedded, services

S = grpc.StatusCode
ONE = canonical_tar(small_tree("one"))


@asynccontextmanager
async def watching(stubs: Stubs, **values: Any) -> AsyncIterator[Watcher]:
    """A watcher that has been told what to begin with."""
    call = stubs.deployments.WatchDeployments(pb.WatchDeploymentsRequest(**values))
    watcher = Watcher(call)
    try:
        await watcher.until(lambda seen: watcher.up_to_date)
        yield watcher
    finally:
        call.cancel()


class Watcher:
    """What one stream has told: each deployment's last state, and all of its statuses."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.up_to_date = False
        self.seen: dict[str, d.Deployment] = {}
        self.statuses: dict[str, list[str]] = {}

    async def until(self, met: Any) -> None:
        async with asyncio.timeout(20):
            while not met(self.seen):
                message = await self._call.read()
                assert isinstance(message, pb.WatchDeploymentsResponse)
                assert message.up_to_date >= self.up_to_date
                self.up_to_date = message.up_to_date
                for deployment in message.deployments:
                    self.seen[deployment.deployment_id] = deployment
                    told = self.statuses.setdefault(deployment.deployment_id, [])
                    told.append(status_name(deployment.status))

    async def until_ended(self, deployment_id: str, status: str = "SUCCEEDED") -> d.Deployment:
        await self.until(lambda _: self.statuses.get(deployment_id, [""])[-1] == status)
        return self.seen[deployment_id]


async def test_a_dashboard_sees_everything_go_its_way(node: RunningNode) -> None:
    before = [(await deploy_to_end(node, payload(str(number)))).deployment_id for number in range(2)]
    async with watching(node) as all_of_them, watching(node, page_size=1, project="netops") as newest:
        assert all_of_them.seen.keys() == set(before)
        assert newest.seen.keys() == {before[1]}
        made = await deploy(node, payload("new"), labels={"team": "red"})
        live = await all_of_them.until_ended(made.deployment_id)
        assert live.live
        assert live.node_counts.live == 1
        # What it took the place of has changed as well.
        await all_of_them.until(lambda seen: not seen[before[1]].live)
        await newest.until_ended(made.deployment_id)
        assert before[0] not in newest.seen
    async with watching(node, labels={"team": "red"}) as reds:
        assert reds.seen.keys() == {made.deployment_id}


@embedded
async def test_filters_are_those_of_the_list(node: RunningNode) -> None:
    staged = d.DEPLOYMENT_STATUS_STAGED
    async with (
        watching(node, statuses=[staged]) as waiting,
        watching(node, project="other") as other,
        watching(node, environment="nowhere") as nowhere,
        watching(node, version="2.0.0") as second,
        watching(node, deployed_by="nobody") as nobodys,
        watching(node, labels={"team": "red"}) as reds,
    ):
        first = await deploy(node, ONE, stage_only=True, labels={"team": "blue"})
        two = await deploy(node, ONE, project="other", version="2.0.0", labels={"team": "red", "a": "b"})
        await waiting.until(lambda seen: first.deployment_id in seen)
        for watcher in (other, second, reds):
            await watcher.until_ended(two.deployment_id)
            assert watcher.seen.keys() == {two.deployment_id}
        assert not nowhere.seen
        assert not nobodys.seen
        await node.deployments.CancelDeployment(pb.CancelDeploymentRequest(deployment_id=first.deployment_id))
        last = await deploy(node, payload("last"), stage_only=True)
        await waiting.until(lambda seen: last.deployment_id in seen)
        assert waiting.statuses[first.deployment_id] == ["STAGED"]
    for wrong in ({"statuses": [99]}, {"page_size": 501}, {"labels": {"": "x"}}):
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
            async with watching(node, **wrong):
                pass


async def ends_at_once(transaction: Transaction, project: str = "netops") -> str:
    """A deployment that begins and ends in one transaction, beside the node and without a signal."""
    deployment_id = await insert_a_deployment(transaction, project=project)
    await fail(transaction, deployment_id)
    return deployment_id


async def fail(transaction: Transaction, deployment_id: str) -> None:
    await change_status(
        transaction, deployment_id, expected=(D.PENDING,), to=D.FAILED, actor=Actor("tests"), action="test"
    )


async def test_what_no_signal_told_is_found(node: RunningNode) -> None:
    async with watching(node) as watcher:
        async with node.catalogue.transaction() as transaction:
            first = await ends_at_once(transaction)
        await watcher.until_ended(first, "FAILED")


@services
async def test_from_any_node(start_node: StartNode) -> None:
    receiving = {"roles": ["receive", "control", "install"]}
    async with (
        start_node("one", node=receiving) as one,
        start_node("two", node={"roles": ["install"]}) as two,
        watching(two) as watcher,
    ):
        made = await deploy(one, ONE)
        live = await watcher.until_ended(made.deployment_id)
        assert live.node_counts.live == 2


@embedded
async def test_watchers_are_counted_among_the_followers(start_node: StartNode) -> None:
    async with start_node(progress={"most_followers": 2}) as node, watching(node), watching(node):
        with refused(S.RESOURCE_EXHAUSTED, "TOO_MANY_FOLLOWERS") as told:
            async with watching(node):
                pass
        assert told.retry_after_s
        with refused(S.RESOURCE_EXHAUSTED, "TOO_MANY_FOLLOWERS"):
            await node.deployments.StreamProgress(pb.StreamProgressRequest(deployment_id=new_id())).read()


async def told(messages: AsyncGenerator[bytes, None], seen: dict[str, str]) -> None:
    """Read until nothing more comes at once."""
    async with asyncio.timeout(20):
        message = pb.WatchDeploymentsResponse.FromString(await anext(messages))
    seen.update((one.deployment_id, status_name(one.status)) for one in message.deployments)


def shared_by_watchers(catalogue: Catalogue) -> Watching:
    return Watching(
        catalogue, watch_message, readers=asyncio.Semaphore(2), context=copy_context(), ticks_a_heartbeat=3
    )


async def test_who_is_too_slow_looks_up_what_changed(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_MOST_CHANGES", 3)
    shared = shared_by_watchers(catalogue)
    asked = DeploymentFilter(project="netops")
    async with catalogue.transaction() as transaction:
        old = await insert_a_deployment(transaction)
        untouched = {await insert_a_deployment(transaction) for _ in range(3)}
    async with (
        asyncio.timeout(20),
        aclosing(shared.watch(asked, begin_with=5)) as slow,
        aclosing(shared.watch(asked, begin_with=5)) as quick,
    ):
        seen_by_slow: dict[str, str] = {}
        seen_by_quick: dict[str, str] = {}
        await told(slow, seen_by_slow)
        await told(quick, seen_by_quick)
        assert seen_by_slow.keys() == {old} | untouched
        seen_by_slow.clear()
        seen_by_quick.clear()
        made = {old}
        async with catalogue.transaction() as transaction:
            await fail(transaction, old)
        for _ in range(4):
            shared.wake("")
            while seen_by_quick.keys() != made:
                await told(quick, seen_by_quick)
            for _ in range(3):
                async with catalogue.transaction() as transaction:
                    made.add(await ends_at_once(transaction))
                    await ends_at_once(transaction, "other")
        shared.wake("")
        while seen_by_quick.keys() != made:
            await told(quick, seen_by_quick)
        # Thirteen of them changed, three are kept; what did not change is not told again.
        while seen_by_slow.keys() != made:
            await told(slow, seen_by_slow)
        assert set(seen_by_slow.values()) == set(seen_by_quick.values()) == {"FAILED"}
    assert shared._changes is None


async def test_who_is_far_too_slow_begins_again(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_MOST_CHANGES", 1)
    monkeypatch.setattr(changes, "_MOST_FORGOTTEN", 1)
    shared = shared_by_watchers(catalogue)
    async with (
        aclosing(shared.watch(DeploymentFilter(), begin_with=5)) as slow,
        aclosing(shared.watch(DeploymentFilter(), begin_with=5)) as quick,
    ):
        seen: dict[str, str] = {}
        await told(slow, seen)
        await told(quick, seen)
        async with catalogue.transaction() as transaction:
            made = {await ends_at_once(transaction) for _ in range(3)}
        shared.wake("")
        with pytest.raises(Refusal) as caught:
            while seen.keys() != made:
                await told(quick, seen)
                await told(slow, seen)
        assert caught.value.reason is Reason.CONFLICT


async def test_many_who_begin_at_once_leave_room(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few read at a time, and one for all who ask for the same."""
    shared = shared_by_watchers(catalogue)
    reading: list[DeploymentFilter] = []
    reads: list[int] = []

    async def counted(transaction: Transaction, asked: DeploymentFilter, **values: Any) -> Any:
        reading.append(asked)
        reads.append(len(reading))
        try:
            return await list_deployments(transaction, asked, **values)
        finally:
            reading.remove(asked)

    monkeypatch.setattr(pages, "list_deployments", counted)
    async with catalogue.transaction() as transaction:
        made = {await insert_a_deployment(transaction) for _ in range(3)}
    asked = [DeploymentFilter(labels={}) for _ in range(50)]
    asked += [DeploymentFilter(project=f"other{number}") for number in range(10)]
    async with AsyncExitStack() as stack:
        watchers = [
            await stack.enter_async_context(aclosing(shared.watch(one, begin_with=2))) for one in asked
        ]
        seen: list[dict[str, str]] = [{} for _ in watchers]
        await asyncio.gather(*(told(*both) for both in zip(watchers, seen, strict=True)))
    assert all(len(one) == 2 and one.keys() < made for one in seen[:50])
    assert not any(seen[50:])
    assert max(reads) <= 2
    assert len(reads) < len(asked) / 2

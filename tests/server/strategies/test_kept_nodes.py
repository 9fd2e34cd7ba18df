"""Nodes that are kept as they are when a rollout ends without success."""

from __future__ import annotations

import pytest

from longshore_storage.catalogue import activations, lacking
from longshore_storage.catalogue.lifecycle import ActivationStatus, FailurePolicy, QueuePolicy
from longshore_storage.catalogue.strategy import Strategy
from tests.server.rollouts import Place

from .stepping import NODES, A, D, begin, report, settle


async def test_nodes_are_kept_where_the_policy_says_so(place: Place) -> None:
    await place.make_live("1.0.0", *NODES)
    before = await place.live()
    deployment_id, step = await begin(
        place, "2.0.0", strategy=Strategy(max_nodes_at_once=2), failure_policy=FailurePolicy.KEEP
    )
    await report(place, step, A.FAILED, "a")
    failed = await place.get(deployment_id)
    assert failed.status is D.FAILED
    assert failed.status_message == "1 of 4 nodes failed; a: boom; node a stays as it is"
    assert (await place.live()).live_deployment_id == before.live_deployment_id


async def test_a_rollback_after_nodes_were_kept_goes_back_to_what_is_live(place: Place) -> None:
    await place.make_live("1.0.0", *NODES)
    await place.make_live("2.0.0", *NODES)
    _, step = await begin(place, "3.0.0", failure_policy=FailurePolicy.KEEP)
    await report(place, step, A.FAILED, "a")
    back = await place.get(await place.roll_back())
    assert back.version == "2.0.0"


async def test_cancelling_keeps_nodes_where_the_policy_says_so(place: Place) -> None:
    deployment_id, step = await begin(place, failure_policy=FailurePolicy.KEEP)
    await place.cancel(deployment_id)
    await settle(step)
    assert (await place.get(deployment_id)).status is D.CANCELLED


@pytest.mark.parametrize("status", [A.PENDING, A.FETCHING, A.SWITCHING])
async def test_a_kept_node_that_has_not_switched_does_not(place: Place, status: ActivationStatus) -> None:
    await place.make_live("1.0.0", *NODES)
    live = await place.live()
    deployment_id, step = await begin(place, "2.0.0", failure_policy=FailurePolicy.KEEP)
    await report(place, step, A.LIVE, "a", "b", "c")
    await place.report("d", status)
    old = activations.place_of(await place.assignment("d"))
    await place.cancel(deployment_id)
    await settle(step)
    cancelled = await place.get(deployment_id)
    assert cancelled.status is D.CANCELLED
    async with place.catalogue.transaction() as transaction:
        switches = await activations.begin_switch(transaction, old)
    assert switches is (status is A.SWITCHING)
    assert ((await place.assignment("d")).release_id == live.live_release_id) is not switches
    kept = "nodes a, b, c and d" if switches else "nodes a, b and c"
    assert cancelled.status_message.endswith(f"; {kept} stay as they are")


async def test_a_kept_node_is_not_tried_again_by_itself(place: Place) -> None:
    await place.make_live("1.0.0", *NODES)
    deployment_id, step = await begin(place, "2.0.0", failure_policy=FailurePolicy.KEEP)
    await report(place, step, A.FAILED, "a")
    assert (await place.get(deployment_id)).status is D.FAILED
    async with place.catalogue.reading() as transaction:
        assert await lacking.behind(transaction, "a") == []


async def test_what_was_superseded_does_not_go_on_either(place: Place) -> None:
    """Nodes that a rollout before was about to change, and whose turn with this one never came."""
    await place.make_live("1.0.0", *NODES)
    live = await place.live()
    _, step = await begin(place, "2.0.0")
    await report(place, step, A.LIVE, "b")
    old = activations.place_of(await place.assignment("c"))
    second = await place.queue(
        "3.0.0",
        strategy=Strategy(max_nodes_at_once=1),
        failure_policy=FailurePolicy.KEEP,
        queue_policy=QueuePolicy.SUPERSEDE,
    )
    await settle(step)
    assert (await place.assignment("c")).generation == old.generation
    await report(place, step, A.FAILED, "a")
    failed = await place.get(second)
    assert failed.status is D.FAILED
    async with place.catalogue.transaction() as transaction:
        assert not await activations.begin_switch(transaction, old)
    for name in ("c", "d"):
        assert (await place.assignment(name)).release_id == live.live_release_id
    assert failed.status_message.endswith("; nodes a and b stay as they are")

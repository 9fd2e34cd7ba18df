"""A rollout that takes the place of another goes by its own strategy, and takes both back."""

from __future__ import annotations

import pytest

from longshore_server.rollout.queue_head import NO_NODES
from longshore_storage.catalogue.lifecycle import QueuePolicy
from longshore_storage.catalogue.strategy import CanaryStep, Strategy
from tests.server.rollouts import Place

from .stepping import NODES, A, D, begin, due, report, settle


async def test_who_supersedes_keeps_to_its_own_strategy(place: Place) -> None:
    await place.make_live("1.0.0", *NODES)
    first, step = await begin(place, "2.0.0")
    one_by_one = Strategy(canary_steps=(CanaryStep(nodes=2),), max_nodes_at_once=1)
    second = await place.queue("3.0.0", strategy=one_by_one, queue_policy=QueuePolicy.SUPERSEDE)
    await settle(step)
    assert (await place.get(first)).status is D.SUPERSEDED
    # a was being changed already and goes on with the other release; the rest ends what it was told.
    assert [(await place.assignment(name)).deployment_id for name in NODES] == [second, *[first] * 3]
    await report(place, step, A.LIVE, "a")
    assert (await place.assignment("b")).deployment_id == second
    await report(place, step, A.LIVE, "b", "c", "d")
    assert (await place.get(second)).waiting_gate_id


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
async def test_what_was_superseded_is_taken_back_with_what_superseded_it(place: Place, how: str) -> None:
    await place.make_live("1.0.0", *NODES)
    live = await place.live()
    _, step = await begin(place, "2.0.0")
    await report(place, step, A.LIVE, "a", "b", "c")
    second = await place.queue(
        "3.0.0", strategy=Strategy(canary_steps=(CanaryStep(nodes=1),)), queue_policy=QueuePolicy.SUPERSEDE
    )
    await settle(step)
    assert (await place.assignment("a")).deployment_id == second
    await report(place, step, A.FAILED if how == "fails" else A.LIVE, "a")
    if how == "is cancelled":
        await place.cancel(second)
        await settle(step)
    for name in NODES:
        assert (await place.assignment(name)).release_id == live.live_release_id
    assert await due(place) == list(NODES)
    await report(place, step, A.LIVE, *NODES)
    assert (await place.get(second)).has_ended
    # What nodes did for the one before is told by neither.
    told = [event.body["steps"] for event in await place.events(second) if event.kind == "nodes_stepped"]
    assert {step["node_name"] for steps in told for step in steps} == {"a", "b", "c", "d"}


async def test_nothing_is_superseded_where_nobody_could_take_its_place(place: Place) -> None:
    first, step = await begin(place)
    second = await place.roll_back("2.0.0")
    for name in NODES:
        await place.remove(name)
    await settle(step)
    assert (await place.get(first)).status is D.FAILED
    assert (await place.get(second)).status_reason == NO_NODES

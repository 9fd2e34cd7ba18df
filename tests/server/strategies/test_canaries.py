"""Canaries on real rows: a gate is passed by a person or by time, and only for nodes that were seen."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue.strategy import CanaryStep, Strategy
from tests.server.rollouts import Place

from .stepping import A, D, begin, due, report, settle


async def test_a_canary_waits_for_a_person_and_then_for_a_time(place: Place) -> None:
    steps = (CanaryStep(nodes=1), CanaryStep(percent=50, wait_s=3600))
    deployment_id, step = await begin(place, strategy=Strategy(canary_steps=steps))
    assert await due(place) == ["a"]
    await report(place, step, A.LIVE, "a")
    first = await place.get(deployment_id)
    assert (first.status, first.waits_for_person, first.canary_due_time) == (D.ROLLING_OUT, True, None)
    assert await due(place) == []
    with pytest.raises(Refusal) as refused:
        await place.promote(deployment_id, deployment_id)
    assert refused.value.reason is Reason.GATE_MISMATCH
    await place.promote(deployment_id, first.waiting_gate_id)
    await settle(step)
    assert await due(place) == ["b"]
    # What was passed may be promoted again: it changes nothing.
    again = await place.promote(deployment_id, first.waiting_gate_id)
    assert (again.passed_canary_steps, again.waiting_gate_id) == (1, "")
    await report(place, step, A.LIVE, "b")
    second = await place.get(deployment_id)
    assert second.waiting_gate_id not in ("", first.waiting_gate_id)
    assert (second.waits_for_person, second.canary_due_time is not None) == (False, True)
    assert 3500 < (step.due_in_s or 0) <= 3600
    # A person may be faster than the time.
    await place.promote(deployment_id, second.waiting_gate_id)
    await settle(step)
    assert await due(place) == ["c", "d"]
    await report(place, step, A.LIVE, "c", "d")
    assert (await place.get(deployment_id)).status is D.SUCCEEDED
    events = [event for event in await place.events(deployment_id) if event.kind.startswith("canary")]
    assert [(event.kind, event.body["step"]) for event in events] == [
        ("canary_step_reached", 1),
        ("canary_step_passed", 1),
        ("canary_step_reached", 2),
        ("canary_step_passed", 2),
    ]
    assert [event.body.get("promoted_by") for event in events[1::2]] == ["tests", "tests"]


async def test_a_canary_step_passes_when_its_time_has_come(place: Place) -> None:
    strategy = Strategy(canary_steps=(CanaryStep(nodes=1, wait_s=0.05),))
    deployment_id, step = await begin(place, strategy=strategy)
    await report(place, step, A.LIVE, "a")
    async with asyncio.timeout(10):
        while await due(place) != ["b", "c", "d"]:
            await step.take()
            assert step.due_in_s is None or step.due_in_s <= 0.25
    assert (await place.get(deployment_id)).passed_canary_steps == 1


async def test_a_canary_that_fails_takes_back_only_what_it_touched(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(canary_steps=(CanaryStep(nodes=2),)))
    await report(place, step, A.LIVE, "a")
    await report(place, step, A.FAILED, "b")
    assert (await place.get(deployment_id)).status is D.REVERTING
    assert await due(place) == ["a", "b"]
    await report(place, step, A.REMOVED, "a", "b")
    failed = await place.get(deployment_id)
    assert (failed.status, failed.waiting_gate_id) == (D.FAILED, "")
    assert failed.status_message == "1 of 4 nodes failed; b: boom"


async def test_a_gate_stays_where_it_is_when_nodes_are_removed(place: Place) -> None:
    steps = (CanaryStep(percent=25), CanaryStep(percent=50), CanaryStep(percent=75, wait_s=0.01))
    deployment_id, step = await begin(place, strategy=Strategy(canary_steps=steps))
    await report(place, step, A.LIVE, "a")
    await place.promote(deployment_id, (await place.get(deployment_id)).waiting_gate_id)
    await settle(step)
    await report(place, step, A.LIVE, "b")
    gate_id = (await place.get(deployment_id)).waiting_gate_id
    # Another takes the place of the one that goes, and the step is reached anew; it is not passed.
    await place.remove("a")
    await settle(step)
    assert (await place.get(deployment_id)).waiting_gate_id == ""
    assert await due(place) == ["c"]
    await report(place, step, A.LIVE, "c")
    again = await place.get(deployment_id)
    assert (again.waiting_gate_id, again.passed_canary_steps) == (gate_id, 1)
    for name in ("b", "d"):
        await place.remove(name)
    await settle(step)
    assert (await place.get(deployment_id)).waiting_gate_id == gate_id
    await place.promote(deployment_id, gate_id)
    async with asyncio.timeout(10):
        while not (await place.get(deployment_id)).has_ended:
            await step.take()
    ended = await place.get(deployment_id)
    assert (ended.status, ended.waiting_gate_id) == (D.SUCCEEDED, "")
    with pytest.raises(Refusal) as refused:
        await place.promote(deployment_id, str(uuid4()))
    assert refused.value.reason is Reason.GATE_MISMATCH


async def test_a_promotion_does_not_count_for_a_node_that_nobody_has_seen(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(canary_steps=(CanaryStep(nodes=1),)))
    await report(place, step, A.LIVE, "a")
    await place.promote(deployment_id, (await place.get(deployment_id)).waiting_gate_id)
    await place.remove("a")
    await settle(step)
    assert await due(place) == ["b"]
    await report(place, step, A.LIVE, "b")
    assert (await place.get(deployment_id)).waits_for_person
    assert await due(place) == []


async def test_a_canary_that_no_node_got_through_fails(place: Place) -> None:
    strategy = Strategy(canary_steps=(CanaryStep(nodes=1, wait_s=0.01),), max_failed_nodes=2)
    deployment_id, step = await begin(place, strategy=strategy)
    await report(place, step, A.FAILED, "a")
    assert (await place.get(deployment_id)).status is D.REVERTING


async def test_a_freeze_holds_no_canary_that_has_begun(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(canary_steps=(CanaryStep(nodes=1),)))
    await report(place, step, A.LIVE, "a")
    await place.freeze("calm")
    await place.promote(deployment_id, (await place.get(deployment_id)).waiting_gate_id)
    await settle(step)
    assert await due(place) == ["b", "c", "d"]


async def test_another_owner_goes_on_in_the_middle_of_a_canary(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(canary_steps=(CanaryStep(nodes=1),)))
    await report(place, step, A.LIVE, "a")
    gate_id = (await place.get(deployment_id)).waiting_gate_id
    other = place.step(name="c2")
    await other.take_over()
    await place.promote(deployment_id, gate_id)
    await settle(other)
    assert await due(place) == ["b", "c", "d"]

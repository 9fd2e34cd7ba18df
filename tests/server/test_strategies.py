"""Strategies on real rows: few nodes at a time, canaries, failures that are allowed, nodes that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from longshore_server.deploying.environment_settings import SettingsRequest, etag_of
from longshore_server.deploying.requests import PauseRequest
from longshore_server.refusal import Reason, Refusal
from longshore_server.rollout.queue_head import NO_NODES
from longshore_server.rollout.step import Progress, RolloutStep
from longshore_server.views import view
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue, assignments, converging
from longshore_storage.catalogue.journal import StatusMoved
from longshore_storage.catalogue.lifecycle import (
    ActivationStatus,
    DeploymentStatus,
    FailurePolicy,
    QueuePolicy,
)
from longshore_storage.catalogue.rows import Actor
from longshore_storage.catalogue.strategy import CanaryStep, Strategy
from longshore_storage.coordination import open_coordination

from .rollouts import ACTOR, ENVIRONMENT, PROJECT, Place

A = ActivationStatus
D = DeploymentStatus
NODES = ("a", "b", "c", "d")


@pytest.fixture
async def place(catalogue: Catalogue) -> AsyncIterator[Place]:
    coordination = open_coordination("local://")
    wakeups = Wakeups(coordination)
    place = Place(catalogue, wakeups)
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        await place.release(version)
    for name in NODES:
        await place.node(name)
    yield place
    await wakeups.close()
    await coordination.close()


async def settle(step: RolloutStep) -> Progress:
    """Take steps until nothing is due without anybody's doing."""
    while (progress := await step.take()) in (Progress.MOVED, Progress.SOON):
        pass
    return progress


async def due(place: Place) -> list[str]:
    """The nodes that are told to do something."""
    return [name for name in NODES if await place.due(name)]


async def begin(place: Place, version: str = "1.0.0", **terms: Any) -> tuple[str, RolloutStep]:
    deployment_id = await place.queue(version, **terms)
    step = place.step()
    await settle(step)
    return deployment_id, step


async def report(place: Place, step: RolloutStep, status: ActivationStatus, *names: str) -> None:
    for name in names:
        assert await place.report(name, status, "boom" if status is A.FAILED else "")
    await settle(step)


async def pause(place: Place, deployment_id: str, by: str = "ann") -> Any:
    return await place.pausing.pause(PauseRequest(deployment_id, "look").checked(), Actor(by))


async def test_two_at_a_time(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(max_nodes_at_once=2))
    assert await due(place) == ["a", "b"]
    assert (await place.get(deployment_id)).status_message == "to 4 nodes, 2 of them at first"
    await report(place, step, A.LIVE, "b")
    assert await due(place) == ["a", "c"]
    await report(place, step, A.LIVE, "a")
    assert await due(place) == ["c", "d"]
    async with place.catalogue.reading() as transaction:
        counts = {c.status: c.nodes for c in (await view(transaction, await place.get(deployment_id))).counts}
    assert counts == {"LIVE": 2, "PENDING": 2}
    await report(place, step, A.LIVE, "c", "d")
    done, live = await place.get(deployment_id), await place.live()
    assert (done.status, done.status_message) == (D.SUCCEEDED, "live on 4 nodes")
    # Every node obeyed the first generation or a later one, so none is behind what is live.
    assert live.live_generation == done.generation == 1
    assert live.generation == done.last_generation == 3


async def test_never_two_failure_domains_at_once(place: Place) -> None:
    for name, zone in zip(NODES, ("west", "east", "west", "east"), strict=True):
        await place.label(name, {"zone": zone})
    _, step = await begin(place, strategy=Strategy(failure_domain_label="zone"))
    assert await due(place) == ["b", "d"]
    await report(place, step, A.LIVE, "b")
    assert await due(place) == ["d"]
    await report(place, step, A.LIVE, "d")
    assert await due(place) == ["a", "c"]
    # On the way back too: c fails, a is at work in the same domain; east comes after west.
    await report(place, step, A.FAILED, "c")
    assert await due(place) == ["a", "c"]
    await report(place, step, A.REMOVED, "a", "c")
    assert await due(place) == ["b", "d"]


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


async def test_failures_that_are_allowed_make_it_partial(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(max_failed_nodes=1))
    await report(place, step, A.FAILED, "b")
    assert (await place.get(deployment_id)).status is D.ROLLING_OUT
    await report(place, step, A.LIVE, "a", "c", "d")
    partial, live = await place.get(deployment_id), await place.live()
    assert (partial.status, live.live_deployment_id) == (D.PARTIAL, deployment_id)
    assert partial.status_message == "live on 3 of 4 nodes; failed: b (boom)"
    # It was live: the next one goes back to it, and it may be tried again.
    await place.retry(deployment_id)


async def test_one_failure_more_than_allowed_fails_it(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(max_failed_nodes=1))
    await report(place, step, A.FAILED, "b", "c")
    assert (await place.get(deployment_id)).status is D.REVERTING


async def test_it_fails_where_every_node_failed_however_many_may(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(max_failed_nodes=9))
    await report(place, step, A.FAILED, *NODES)
    assert (await place.get(deployment_id)).status is D.REVERTING


async def test_nodes_are_kept_where_the_policy_says_so(place: Place) -> None:
    await place.make_live("1.0.0", *NODES)
    before = await place.live()
    deployment_id, step = await begin(
        place, "2.0.0", strategy=Strategy(max_nodes_at_once=2), failure_policy=FailurePolicy.KEEP
    )
    await report(place, step, A.FAILED, "a")
    failed = await place.get(deployment_id)
    assert failed.status is D.FAILED
    assert failed.status_message == "1 of 4 nodes failed; a: boom; a stay as they are"
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


async def test_paused_it_begins_nothing_and_takes_nothing_back(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(max_nodes_at_once=2))
    asked = await pause(place, deployment_id)
    assert (asked.status, asked.paused_by) == (D.ROLLING_OUT, "ann")
    await settle(step)
    paused = await place.get(deployment_id)
    assert (paused.status, paused.status_message, paused.waits_for_person) == (D.PAUSED, "by ann: look", True)
    await report(place, step, A.LIVE, "a")
    await report(place, step, A.FAILED, "b")
    assert (await place.get(deployment_id)).status is D.PAUSED
    assert await due(place) == []
    # Again, by somebody else: it changes nothing.
    assert (await pause(place, deployment_id, by="ben")).paused_by == "ann"
    await place.pausing.resume(deployment_id, ACTOR)
    await settle(step)
    # What had to wait comes now: the failure.
    assert (await place.get(deployment_id)).status is D.REVERTING
    with pytest.raises(Refusal) as refused:
        await pause(place, deployment_id)
    assert refused.value.reason is Reason.STATUS_CONFLICT


async def test_paused_it_goes_on_where_it_was(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(max_nodes_at_once=2))
    await pause(place, deployment_id)
    await report(place, step, A.LIVE, "a", "b")
    assert await due(place) == []
    await place.pausing.resume(deployment_id, ACTOR)
    await settle(step)
    assert await due(place) == ["c", "d"]
    assert (await place.get(deployment_id)).paused_by == ""


@pytest.mark.parametrize("how", ["cancel", "supersede"])
async def test_paused_it_may_still_be_ended(place: Place, how: str) -> None:
    deployment_id, step = await begin(place)
    await pause(place, deployment_id)
    await settle(step)
    if how == "cancel":
        await place.cancel(deployment_id)
        await settle(step)
        assert (await place.get(deployment_id)).status is D.REVERTING
    else:
        other = await place.roll_back("2.0.0")
        await settle(step)
        assert (await place.get(deployment_id)).status is D.SUPERSEDED
        assert (await place.get(other)).status is D.ROLLING_OUT
    assert (await place.get(deployment_id)).paused_by == ""


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


async def test_setting_a_strategy_again_changes_nothing(place: Place) -> None:
    await place.make_live("1.0.0", *NODES)
    strategy = Strategy(canary_steps=(CanaryStep(nodes=1),), max_nodes_at_once=2)
    etag = etag_of(await place.live())
    request = SettingsRequest(PROJECT, ENVIRONMENT, etag, {"strategy": strategy}).checked()
    first = await place.settings.update(request, ACTOR)
    again = await place.settings.update(request, ACTOR)
    assert again.settings_revision == first.settings_revision


@pytest.mark.parametrize("status", [A.PENDING, A.FETCHING, A.SWITCHING])
async def test_a_kept_node_that_has_not_switched_does_not(place: Place, status: ActivationStatus) -> None:
    await place.make_live("1.0.0", *NODES)
    live = await place.live()
    deployment_id, step = await begin(place, "2.0.0", failure_policy=FailurePolicy.KEEP)
    await report(place, step, A.LIVE, "a", "b", "c")
    await place.report("d", status)
    old = assignments.place_of(await place.assignment("d"))
    await place.cancel(deployment_id)
    await settle(step)
    cancelled = await place.get(deployment_id)
    assert cancelled.status is D.CANCELLED
    async with place.catalogue.transaction() as transaction:
        switches = await assignments.begin_switch(transaction, old)
    assert switches is (status is A.SWITCHING)
    assert ((await place.assignment("d")).release_id == live.live_release_id) is not switches
    assert ("d stay" in cancelled.status_message) is switches


async def test_a_kept_node_is_not_tried_again_by_itself(place: Place) -> None:
    await place.make_live("1.0.0", *NODES)
    deployment_id, step = await begin(place, "2.0.0", failure_policy=FailurePolicy.KEEP)
    await report(place, step, A.FAILED, "a")
    assert (await place.get(deployment_id)).status is D.FAILED
    async with place.catalogue.reading() as transaction:
        assert await converging.behind(transaction, "a") == []


async def test_a_node_that_is_removed_is_not_waited_for(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(max_nodes_at_once=1))
    await place.remove("a")
    await settle(step)
    assert await due(place) == ["b"]
    for name in ("b", "c", "d"):
        await report(place, step, A.LIVE, name)
    assert (await place.get(deployment_id)).status_message == "live on 3 nodes"


async def test_every_node_removed_fails_it(place: Place) -> None:
    deployment_id, step = await begin(place)
    for name in NODES:
        await place.remove(name)
    await settle(step)
    assert (await place.get(deployment_id)).status is D.FAILED


async def test_an_owner_of_before_gives_nobody_a_turn(place: Place) -> None:
    _, step = await begin(place, strategy=Strategy(max_nodes_at_once=1))
    await place.step(name="c2").take_over()
    await place.report("a", A.LIVE)
    with pytest.raises(StatusMoved):
        await settle(step)
    # What it has to tell is told already: only the turn is left to it.
    other = place.step(name="c3")
    await other.take_over()
    await settle(other)
    assert await due(place) == ["b"]
    await place.report("b", A.LIVE)
    async with place.catalogue.transaction() as transaction:
        b = await assignments.get_activation(transaction, assignments.place_of(await place.assignment("b")))
        assert b is not None
        await assignments.mark_told(transaction, [b])
    with pytest.raises(StatusMoved):
        await settle(step)
    assert await due(place) == []


async def test_another_owner_goes_on_in_the_middle_of_a_canary(place: Place) -> None:
    deployment_id, step = await begin(place, strategy=Strategy(canary_steps=(CanaryStep(nodes=1),)))
    await report(place, step, A.LIVE, "a")
    gate_id = (await place.get(deployment_id)).waiting_gate_id
    other = place.step(name="c2")
    await other.take_over()
    await place.promote(deployment_id, gate_id)
    await settle(other)
    assert await due(place) == ["b", "c", "d"]

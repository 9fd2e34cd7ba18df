"""Steps of a rollout on real rows: what happens when nodes fail, fall silent, or another takes over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from longshore_server.rollout.queue_head import NO_NODES
from longshore_server.rollout.step import Progress, RolloutStep
from longshore_storage.catalogue import Catalogue, activations, assignments, nodes, projects, rollouts
from longshore_storage.catalogue.journal import StatusMoved, change_status
from longshore_storage.catalogue.lifecycle import ActivationStatus, DeploymentStatus
from longshore_storage.errors import ConstraintViolated

from .rollouts import ACTOR, ENVIRONMENT, PROJECT, Place, open_place

A = ActivationStatus
D = DeploymentStatus


@pytest.fixture
async def place(catalogue: Catalogue) -> AsyncIterator[Place]:
    async with open_place(catalogue) as place:
        yield place


async def test_without_nodes_it_waits_and_says_why(place: Place) -> None:
    deployment_id = await place.queue("1.0.0")
    await place.node("c1", roles=("receive", "control"))
    step = place.step()
    for _ in range(2):
        assert await step.take() is Progress.WAITING
        waiting = await place.get(deployment_id)
        assert (waiting.status, waiting.status_reason) == (D.QUEUED, NO_NODES)
    await place.node("a")
    assert await step.take() is Progress.MOVED
    begun = await place.get(deployment_id)
    assert (begun.status, begun.status_reason, begun.generation) == (D.ROLLING_OUT, "", 1)
    assert (begun.owner_epoch, begun.owner_node_id) == (1, "c1")
    assert [one.generation for one in await place.due("a")] == [1]
    assert await place.due("c1") == []


async def test_it_succeeds_when_it_is_live_everywhere(place: Place) -> None:
    await place.node("a")
    await place.node("b")
    first, second = await place.queue("1.0.0"), await place.queue("2.0.0")
    step = place.step()
    assert await step.take() is Progress.MOVED
    assert await step.take() is Progress.WAITING
    await place.report("a", A.LIVE)
    # Told after a quarter of a second at the latest; here nothing was told before.
    assert await step.take() is Progress.MOVED
    assert (await place.get(first)).status is D.ROLLING_OUT
    assert (await place.live()).live_deployment_id is None
    await place.report("b", A.LIVE)
    assert await step.take() is Progress.MOVED
    done, live = await place.get(first), await place.live()
    assert (done.status, done.queue_order) == (D.SUCCEEDED, 1)
    assert (live.live_deployment_id, live.live_generation) == (first, 1)
    assert (await place.get(second)).status is D.QUEUED
    assert await step.take() is Progress.MOVED
    begun = await place.get(second)
    assert (begun.status, begun.generation, begun.previous_deployment_id) == (D.ROLLING_OUT, 2, first)
    assert begun.previous_version == "1.0.0"
    assert [event.kind for event in await place.events(first)] == [
        *["status_changed"] * 3,
        *["nodes_stepped"] * 2,
        "status_changed",
    ]


async def test_steps_of_nodes_are_told_four_times_a_second_at_most(place: Place) -> None:
    names = [f"n{i}" for i in range(6)]
    for name in names:
        await place.node(name)
    deployment_id = await place.queue("1.0.0")
    step = place.step()
    await step.take()
    for name in names[:-1]:
        await place.report(name, A.LIVE)
        found = await step.take()
        assert found is Progress.SOON if step.due_in_s else found is Progress.MOVED
    await place.report(names[-1], A.LIVE)
    assert await step.take() is Progress.MOVED
    told = [event for event in await place.events(deployment_id) if event.kind == "nodes_stepped"]
    assert sum(len(event.body["steps"]) for event in told) == len(names)
    # The end of all is told at once.
    apart = [(after.time - before.time).total_seconds() for before, after in pairwise(told[:-1])]
    assert all(seconds > 0.24 for seconds in apart)


async def test_one_node_fails_and_all_go_back(place: Place) -> None:
    await place.node("a")
    await place.node("b")
    await place.make_live("1.0.0", "a", "b")
    before = await place.live()
    deployment_id = await place.queue("2.0.0")
    step = place.step()
    await step.take()
    await place.report("a", A.LIVE)
    await place.report("b", A.FAILED, "no room on the disk")
    assert await step.take() is Progress.MOVED
    reverting = await place.get(deployment_id)
    assert (reverting.status, reverting.generation, reverting.revert_generation) == (D.REVERTING, 2, 3)
    assert reverting.error is not None
    assert reverting.error["reason"] == "ROLLOUT_FAILED"
    assert "1 of 2 nodes failed; b: no room on the disk" in reverting.status_message
    for node in ("a", "b"):
        (due,) = await place.due(node)
        assert (due.generation, due.release_id) == (3, before.live_release_id)
    assert await step.take() is Progress.WAITING
    assert (await place.get(deployment_id)).end_time is None
    await place.report("a", A.LIVE)
    await place.report("b", A.LIVE)
    assert await step.take() is Progress.MOVED
    failed = await place.get(deployment_id)
    assert failed.status is D.FAILED
    assert failed.error == reverting.error
    after = await place.live()
    assert (after.live_deployment_id, after.live_generation, after.live_release_id) == (
        before.live_deployment_id,
        before.live_generation,
        before.live_release_id,
    )
    assert after.generation == 3
    assert await step.take() is Progress.NOTHING_LEFT


async def test_the_first_one_that_fails_is_taken_off(place: Place) -> None:
    await place.node("a")
    await place.node("b")
    deployment_id = await place.queue("1.0.0")
    step = place.step()
    await step.take()
    await place.report("a", A.LIVE)
    await place.report("b", A.FAILED, "boom")
    await step.take()
    (due,) = await place.due("a")
    assert due.release_id is None
    await place.report("a", A.REMOVED)
    # A node that cannot even be taken back is named, and the deployment still ends.
    await place.report("b", A.FAILED, "still broken")
    await step.take()
    failed = await place.get(deployment_id)
    assert failed.status is D.FAILED
    assert failed.status_message.endswith("could not be taken back: b")
    assert (await place.live()).live_deployment_id is None


async def step_until(place: Place, step: RolloutStep, deployment_id: str, status: DeploymentStatus) -> None:
    async with asyncio.timeout(10):
        while (await place.get(deployment_id)).status is not status:
            await step.take()
            await asyncio.sleep(0.01)


async def test_a_silent_node_is_given_up_after_the_deadline(place: Place) -> None:
    await place.node("a")
    await place.node("b")
    deployment_id = await place.queue("1.0.0")
    patient, hasty = place.step(), place.step(progress_deadline_s=0.3)
    await patient.take()
    await place.report("a", A.LIVE)
    assert await patient.take() is Progress.MOVED
    assert (await place.activations(1))["b"].status is A.PENDING
    await hasty.take_over()
    await step_until(place, hasty, deployment_id, D.REVERTING)
    given_up = (await place.activations(1))["b"]
    assert given_up.status is A.FAILED
    assert "reported nothing" in given_up.message
    # It comes too late, and changes nothing.
    async with place.catalogue.transaction() as transaction:
        assert not await activations.begin_switch(transaction, activations.place_of(given_up))
    await place.report("a", A.REMOVED)
    await step_until(place, hasty, deployment_id, D.FAILED)
    assert (await place.get(deployment_id)).status_message.endswith("could not be taken back: b")


async def test_a_node_that_reports_meanwhile_is_not_given_up(place: Place) -> None:
    await place.node("a")
    await place.queue("1.0.0")
    await place.step().take()
    (seen,) = (await place.activations(1)).values()
    await place.report("a", A.FETCHING)
    async with place.catalogue.transaction() as transaction:
        await activations.give_up_silent(transaction, [seen], message="silent")
    (now,) = (await place.activations(1)).values()
    assert now.status is A.FETCHING


async def test_a_rollback_supersedes_what_rolls_out(place: Place) -> None:
    for name in ("a", "b", "gone"):
        await place.node(name)
    first = await place.make_live("1.0.0", "a", "b", "gone")
    second = await place.queue("2.0.0")
    waiting = await place.queue("3.0.0")
    step = place.step()
    await step.take()
    await place.report("a", A.LIVE)
    await place.report("gone", A.LIVE)
    # It installs no more, and yet it was touched.
    await place.node("gone", roles=("receive",))
    rollback = await place.roll_back()
    assert (await place.get(waiting)).status is D.SUPERSEDED
    assert (await place.get(second)).supersede_requested_by == rollback
    assert await step.take() is Progress.MOVED
    superseded, begun = await place.get(second), await place.get(rollback)
    assert (superseded.status, begun.status) == (D.SUPERSEDED, D.ROLLING_OUT)
    assert (begun.version, begun.rollback_of, begun.generation) == ("1.0.0", second, 3)
    assert begun.restored_deployment_id == first
    # The clock is read once a transaction.
    assert (await place.events(second))[-1].time == (await place.events(rollback))[-1].time
    assert set(await place.activations(3)) == {"a", "b", "gone"}
    assert (await place.activations(2))["b"].status is A.SUPERSEDED
    for name in ("a", "b", "gone"):
        await place.report(name, A.LIVE)
    assert await step.take() is Progress.MOVED
    assert (await place.live()).live_deployment_id == rollback
    assert (await place.get(second)).rolled_back_by == rollback
    assert await step.take() is Progress.NOTHING_LEFT


async def test_a_rollback_supersedes_what_reverts(place: Place) -> None:
    await place.node("a")
    first = await place.make_live("1.0.0", "a")
    second = await place.queue("2.0.0")
    step = place.step()
    await step.take()
    await place.report("a", A.FAILED, "boom")
    await step.take()
    rollback = await place.roll_back()
    await step.take()
    assert (await place.get(second)).status is D.SUPERSEDED
    assert (await place.get(rollback)).generation == 4
    await place.report("a", A.LIVE)
    await step.take()
    live = await place.live()
    assert (live.live_deployment_id, (await place.get(rollback)).restored_deployment_id) == (rollback, first)


@pytest.mark.parametrize("stage", ["waiting", "succeeding", "failing", "reverted", "superseding"])
async def test_a_former_owner_changes_nothing(place: Place, stage: str) -> None:
    await place.node("a")
    await place.node("b")
    await place.make_live("1.0.0", "a", "b")
    await place.queue("2.0.0")
    former = place.step(name="former")
    await former.take()
    await place.report("a", A.LIVE)
    if stage in ("failing", "reverted"):
        await place.report("b", A.FAILED, "boom")
    elif stage == "succeeding":
        await place.report("b", A.LIVE)
    if stage == "reverted":
        await former.take()
        await place.report("a", A.LIVE)
        await place.report("b", A.LIVE)
    if stage == "superseding":
        await place.roll_back()
    owner = place.step(name="owner")
    await owner.take_over()
    before = await place.dump()
    with pytest.raises(StatusMoved):
        await former.take()
    assert await place.dump() == before
    assert await owner.take() is Progress.MOVED
    assert await place.dump() != before


async def test_drivers_that_die_after_every_step(place: Place) -> None:
    await place.node("a")
    await place.node("b")
    first = await place.make_live("1.0.0", "a", "b")
    second = await place.queue("2.0.0")

    async def next_driver(name: str) -> Progress:
        step = place.step(name=name)
        await step.take_over()
        return await step.take()

    assert await next_driver("d1") is Progress.MOVED
    await place.report("a", A.LIVE)
    assert await next_driver("d2") is Progress.MOVED
    await place.report("b", A.FAILED, "boom")
    assert await next_driver("d3") is Progress.MOVED
    await place.report("a", A.LIVE)
    assert await next_driver("d4") is Progress.MOVED
    await place.report("b", A.LIVE)
    assert await next_driver("d5") is Progress.MOVED
    assert await next_driver("d6") is Progress.NOTHING_LEFT
    failed = await place.get(second)
    assert (failed.status, failed.owner_epoch, failed.owner_node_id) == (D.FAILED, 5, "d5")
    assert (await place.live()).live_deployment_id == first
    await place.events(second)


async def test_no_switch_below_the_assigned_generation(place: Place) -> None:
    await place.node("a")
    await place.queue("1.0.0")
    await place.step().take()
    old = activations.place_of(await place.assignment("a"))

    async def switch() -> bool:
        async with place.catalogue.transaction() as transaction:
            return await activations.begin_switch(transaction, old)

    async def assign_anew() -> None:
        async with place.catalogue.transaction() as transaction:
            live = await projects.lock_live(transaction, PROJECT, ENVIRONMENT)
            generation = await projects.next_generation(transaction, live)
            await assignments.assign(
                transaction,
                await nodes.get_nodes(transaction, ["a"]),
                project=PROJECT,
                environment=ENVIRONMENT,
                release=None,
                generation=generation,
                deployment_id="",
            )

    assert await switch()
    assert (await place.activations(1))["a"].status is A.SWITCHING
    # Both at once: whichever comes first, the old generation ends superseded and switches no more.
    await asyncio.gather(switch(), assign_anew())
    assert (await place.activations(1))["a"].status is A.SUPERSEDED
    assert not await switch()
    assert (await place.activations(1))["a"].status is A.SUPERSEDED
    async with place.catalogue.transaction() as transaction:
        assert not await activations.report(transaction, old, expected=list(A)[:3], status=A.LIVE)
    (due,) = await place.due("a")
    assert (due.generation, due.release_id) == (2, None)


async def test_the_database_refuses_a_second_rollout(place: Place) -> None:
    await place.node("a")
    first, second = await place.queue("1.0.0"), await place.queue("2.0.0")
    await place.step().take()
    before = await place.dump()
    with pytest.raises(ConstraintViolated) as caught:
        async with place.catalogue.transaction() as transaction:
            await change_status(
                transaction,
                second,
                expected=[D.QUEUED],
                to=D.ROLLING_OUT,
                actor=ACTOR,
                action="deployment.started",
            )
    assert caught.value.constraint == "uq_deployment_rollout"
    assert await place.dump() == before
    assert (await place.get(first)).status is D.ROLLING_OUT


async def test_take_over_without_a_rollout_is_nothing(place: Place) -> None:
    await place.node("a")
    deployment_id = await place.make_live("1.0.0", "a")
    before = await place.dump()
    async with place.catalogue.transaction() as transaction:
        assert await rollouts.take_over(transaction, PROJECT, ENVIRONMENT, "c9") is None
    step = place.step()
    await step.take_over()
    assert await step.take() is Progress.NOTHING_LEFT
    assert await place.dump() == before
    assert (await place.get(deployment_id)).owner_epoch == 1

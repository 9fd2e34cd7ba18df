"""A node comes to what is live by itself: one that joined, was away, was cordoned, or failed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from longshore_server.deploying.environment_settings import SettingsRequest
from longshore_server.deploying.requests import RollbackRequest
from longshore_server.refusal import Refusal
from longshore_server.rollout.step import Progress
from longshore_storage.catalogue import (
    Catalogue,
    assignments,
    audit_trail,
    converging,
    lacking,
    nodes,
    tables,
)
from longshore_storage.catalogue.lifecycle import ActivationStatus, FailurePolicy
from longshore_storage.catalogue.rows import Activation, Actor

from .rollouts import ACTOR, ENVIRONMENT, PROJECT, Place, open_place

LIVE, FAILED, REMOVED = ActivationStatus.LIVE, ActivationStatus.FAILED, ActivationStatus.REMOVED


@pytest.fixture
async def place(catalogue: Catalogue) -> AsyncIterator[Place]:
    async with open_place(catalogue, versions=("1.0.0", "1.1.0"), nodes="a") as place:
        yield place


async def roll_out(place: Place, version: str, *, on: tuple[str, ...] = ("a",)) -> str:
    """Deploy to all nodes that are there, of which all must be in ``on``."""
    deployment_id = await place.queue(version)
    step = place.step()
    await step.take()
    for node in on:
        assert await place.report(node, LIVE)
    assert await step.take() is Progress.MOVED
    return deployment_id


async def catch_up(place: Place, node: str) -> bool:
    """What a node's agent does when it looks; tells whether it has something to do now."""
    done = False
    async with place.catalogue.reading() as transaction:
        found = await lacking.behind(transaction, node)
        now = await transaction.now()
    for one in found:
        if one.is_due(now):
            async with place.catalogue.transaction() as transaction:
                done |= await converging.catch_up(transaction, node, one.project, Actor(f"node:{node}"))
    return done


async def activations(place: Place, node: str) -> list[Activation]:
    a = tables.activation
    async with place.catalogue.reading() as transaction:
        rows = await transaction.all(select(a).where(a.c.node_id == node).order_by(a.c.generation))
    return [Activation.of(row) for row in rows]


async def set_columns(place: Place, node: str, **values: Any) -> None:
    a = tables.activation
    async with place.catalogue.transaction() as transaction:
        await transaction.execute(update(a).where(a.c.node_id == node).values(**values))


async def cordon(place: Place, node: str, reason: str) -> None:
    async with place.catalogue.transaction() as transaction:
        await nodes.cordon(transaction, node, reason, "anna")


async def test_one_that_joins_gets_what_is_live(place: Place) -> None:
    await place.node("b")
    assert not await catch_up(place, "b"), "nothing was ever live"
    await roll_out(place, "1.0.0", on=("a", "b"))
    await place.node("c")
    assert await catch_up(place, "c")
    (due,) = await place.due("c")
    (activation,) = await activations(place, "c")
    live = await place.live()
    assert (due.release_id, due.generation, due.deployment_id) == (
        live.live_release_id,
        live.live_generation,
        "",
    )
    assert (activation.version, activation.status) == ("1.0.0", ActivationStatus.PENDING)
    assert not await catch_up(place, "c"), "it is assigned now"
    assert await place.report("c", LIVE)
    assert not await catch_up(place, "c")
    async with place.catalogue.reading() as transaction:
        (entry, *_) = await audit_trail.list_audit(transaction, principal="node:c", limit=5)
    assert (entry.action, entry.version) == ("node.caught_up", "1.0.0")


async def test_one_that_joins_in_a_rollout_gets_what_is_live_first(place: Place) -> None:
    await roll_out(place, "1.0.0")
    deployment_id = await place.queue("1.1.0")
    step = place.step()
    await step.take()
    await place.node("b")
    assert await catch_up(place, "b")
    assert (await activations(place, "b"))[-1].version == "1.0.0"
    # The rollout does not wait for it, and it catches up at its end.
    assert await place.report("a", LIVE)
    await step.take()
    assert (await place.get(deployment_id)).status == "SUCCEEDED"
    assert await catch_up(place, "b")
    assert [(one.version, one.status) for one in await activations(place, "b")] == [
        ("1.0.0", ActivationStatus.SUPERSEDED),
        ("1.1.0", ActivationStatus.PENDING),
    ]


async def test_what_is_live_nowhere_is_taken_off(place: Place) -> None:
    await place.node("b")
    await roll_out(place, "1.0.0", on=("a", "b"))
    await cordon(place, "b", "new disk")
    await place.undeploy()
    step = place.step()
    await step.take()
    assert await place.report("a", REMOVED)
    await step.take()
    await place.node("c")
    assert not await catch_up(place, "c"), "one that never had it has nothing to do"
    assert not await catch_up(place, "b"), "it is cordoned"
    await cordon(place, "b", "")
    assert await catch_up(place, "b")
    (due,) = await place.due("b")
    assert due.release_id is None


async def test_no_rollout_covers_a_cordoned_node(place: Place) -> None:
    await place.node("b")
    await cordon(place, "b", "new disk")
    await roll_out(place, "1.0.0")
    assert await activations(place, "b") == []
    await cordon(place, "a", "all of it")
    waiting = await place.queue("1.1.0")
    assert await place.step().take() is Progress.WAITING
    assert (await place.get(waiting)).status_reason == "no_nodes"


async def test_what_failed_is_tried_again_with_longer_pauses_and_not_for_ever(place: Place) -> None:
    await roll_out(place, "1.0.0")
    await place.node("b")
    await catch_up(place, "b")
    tries = 0
    pause = timedelta(minutes=1)
    while True:
        assert await place.report("b", FAILED, "no room")
        async with place.catalogue.reading() as transaction:
            now = await transaction.now()
        await set_columns(place, "b", end_time=now - pause + timedelta(seconds=30))
        assert not await catch_up(place, "b"), "it is too soon"
        await set_columns(place, "b", end_time=now - pause - timedelta(seconds=30))
        if not await catch_up(place, "b"):
            break
        tries += 1
        pause *= 2
        assert len(await place.due("b")) == 1
    assert tries == lacking.MOST_TRIES
    assert (await activations(place, "b"))[-1].status is FAILED


async def test_who_drives_a_rollout_sees_to_its_nodes(place: Place) -> None:
    await place.node("b")
    await roll_out(place, "1.0.0", on=("a", "b"))
    await place.queue("1.1.0")
    step = place.step()
    await step.take()
    assert await place.report("b", FAILED, "no room")
    await set_columns(place, "b", end_time=None)
    assert not await catch_up(place, "b")


async def test_one_that_was_forgotten_comes_back(place: Place) -> None:
    await place.node("b")
    await roll_out(place, "1.0.0", on=("a", "b"))
    async with place.catalogue.transaction() as transaction:
        assert await nodes.remove(transaction, "b")
    assert not await catch_up(place, "b"), "it is not known"
    await place.node("b")
    assert await catch_up(place, "b")
    (activation,) = await activations(place, "b")
    assert activation.status is ActivationStatus.PENDING
    assert await place.report("b", LIVE)
    async with place.catalogue.reading() as transaction:
        assigned = await assignments.assigned_releases(transaction, PROJECT, ENVIRONMENT)
    live = await place.live()
    assert sorted(assigned) == [("a", live.live_release_id), ("b", live.live_release_id)]


async def select_nodes(place: Place, **labels: str) -> None:
    """Set which nodes the project goes to."""
    request = SettingsRequest(PROJECT, ENVIRONMENT, "", {"node_selector": labels})
    await place.settings.update(request.checked(), ACTOR)


async def newest(place: Place, node: str) -> tuple[str, int]:
    """The version that a node was assigned last, empty for nothing, and the generation."""
    activation = (await activations(place, node))[-1]
    return activation.version, activation.generation


async def test_a_project_comes_to_the_nodes_that_match_and_goes_from_others(place: Place) -> None:
    await place.node("b")
    await place.label("b", {"zone": "eu", "disk": "ssd"})
    await roll_out(place, "1.0.0", on=("a", "b"))
    generation = (await place.live()).generation
    await select_nodes(place, zone="eu")
    assert not await catch_up(place, "b"), "it matches"
    assert await catch_up(place, "a")
    assert await newest(place, "a") == ("", generation + 1)
    assert await place.report("a", REMOVED)
    assert not await catch_up(place, "a"), "it was taken off"
    assert (await place.live()).live_generation == generation, "what is live did not change"

    # A rollout covers who matches; who does not is no further behind than before.
    await roll_out(place, "1.1.0", on=("b",))
    assert not await catch_up(place, "a")
    await place.node("c")
    assert not await catch_up(place, "c"), "one that joins and does not match has nothing to do"
    await place.label("c", {"zone": "eu"})
    assert await catch_up(place, "c")

    # Labels that change have it taken off too, and the selector's end brings it to every node.
    await place.label("b", {"zone": "us"})
    assert await catch_up(place, "b")
    assert (await newest(place, "b"))[0] == ""
    await select_nodes(place)
    for node in ("a", "b"):
        assert await catch_up(place, node)
        assert (await newest(place, node))[0] == "1.1.0"
        assert await place.report(node, LIVE)
        assert not await catch_up(place, node)
    async with place.catalogue.reading() as transaction:
        audit = await audit_trail.list_audit(transaction, limit=500)
    told = [entry.message for entry in audit if entry.action == "node.taken_off"]
    assert told == [f"{node} does not match the project's selector, zone=eu" for node in ("b", "a")]
    chosen = [entry.message for entry in audit if entry.action == "environment.selector_changed"]
    assert chosen == ["node_selector: every node", "node_selector: zone=eu"]


async def test_nodes_that_do_not_match_give_a_rollback_nothing_to_do(place: Place) -> None:
    await place.node("b")
    await place.label("b", {"zone": "eu"})
    await roll_out(place, "1.0.0", on=("a", "b"))
    await select_nodes(place, zone="eu")
    assert await catch_up(place, "a")
    request = RollbackRequest(str(uuid4()), PROJECT, ENVIRONMENT, "1.0.0", "")
    assert await place.rollbacks.roll_back(request, ACTOR) is None
    await place.label("b", {"zone": "us"})
    assert await catch_up(place, "b")
    assert await place.rollbacks.roll_back(request, ACTOR) is not None, "no node has it"


async def test_a_selector_that_returns_after_nothing_else_changed(place: Place) -> None:
    """What is live is given anew with a generation that the node obeys, though it is no newer."""
    await roll_out(place, "1.0.0")
    before = await place.live()
    await select_nodes(place, zone="eu")
    assert await catch_up(place, "a")
    await select_nodes(place)
    assert await catch_up(place, "a")
    assert await newest(place, "a") == ("1.0.0", before.generation + 2)
    assert (await place.live()).live_generation == before.live_generation
    assert await place.report("a", LIVE)
    assert not await catch_up(place, "a")


async def test_who_drives_a_rollout_sees_to_nodes_that_do_not_match(place: Place) -> None:
    await place.node("b")
    await roll_out(place, "1.0.0", on=("a", "b"))
    deployment_id = await place.queue("1.1.0")
    step = place.step()
    await step.take()
    await place.label("b", {"zone": "eu"})
    await select_nodes(place, zone="eu")
    assert not await catch_up(place, "a"), "the rollout covers it"
    for node in ("a", "b"):
        assert await place.report(node, LIVE)
    await step.take()
    assert (await place.get(deployment_id)).status == "SUCCEEDED"
    assert await catch_up(place, "a")
    assert (await newest(place, "a"))[0] == ""
    assert not await catch_up(place, "b")


async def test_a_cordoned_node_keeps_what_no_longer_goes_to_it(place: Place) -> None:
    await roll_out(place, "1.0.0")
    await cordon(place, "a", "new disk")
    await select_nodes(place, zone="eu")
    assert not await catch_up(place, "a")
    await cordon(place, "a", "")
    assert await catch_up(place, "a")


async def test_what_a_failed_deployment_kept_is_left_alone(place: Place) -> None:
    """Converging takes nothing for taken off that a deployment has assigned."""
    await roll_out(place, "1.0.0")
    undeploy = await place.undeploy(failure_policy=FailurePolicy.KEEP)
    step = place.step()
    await step.take()
    assert await place.report("a", REMOVED)
    await place.cancel(undeploy)
    await step.take()
    assert (await place.get(undeploy)).status == "CANCELLED"
    assert not await catch_up(place, "a")


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ({f"key-{number}": "" for number in range(9)}, "at most 8, got 9"),
        ({"Zone": "eu"}, "the key 'Zone' does not match"),
        ({"zone": "e\nu"}, "holds control characters"),
    ],
)
def test_a_selector_is_made_of_labels(labels: dict[str, str], why: str) -> None:
    request = SettingsRequest(PROJECT, ENVIRONMENT, "", {"node_selector": labels})
    with pytest.raises(Refusal, match=why):
        request.checked()

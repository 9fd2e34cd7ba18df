"""Few nodes at a time, never two failure domains, each turn given by who owns the rollout."""

from __future__ import annotations

import pytest

from longshore_server.deploying.environment_settings import SettingsRequest, etag_of
from longshore_server.views import view
from longshore_storage.catalogue import activations
from longshore_storage.catalogue.journal import StatusMoved
from longshore_storage.catalogue.strategy import CanaryStep, Strategy
from tests.server.rollouts import ACTOR, ENVIRONMENT, PROJECT, Place

from .stepping import NODES, A, D, begin, due, report, settle


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
        b = await activations.get_activation(transaction, activations.place_of(await place.assignment("b")))
        assert b is not None
        await activations.mark_told(transaction, [b])
    with pytest.raises(StatusMoved):
        await settle(step)
    assert await due(place) == []


async def test_setting_a_strategy_again_changes_nothing(place: Place) -> None:
    await place.make_live("1.0.0", *NODES)
    strategy = Strategy(canary_steps=(CanaryStep(nodes=1),), max_nodes_at_once=2)
    etag = etag_of(await place.live())
    request = SettingsRequest(PROJECT, ENVIRONMENT, etag, {"strategy": strategy}).checked()
    first = await place.settings.update(request, ACTOR)
    again = await place.settings.update(request, ACTOR)
    assert again.settings_revision == first.settings_revision

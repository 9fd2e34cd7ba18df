"""A paused rollout begins nothing, takes nothing back, and goes on where it was."""

from __future__ import annotations

from typing import Any

import pytest

from longshore_server.deploying.requests import PauseRequest
from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue.rows import Actor
from longshore_storage.catalogue.strategy import Strategy
from tests.server.rollouts import ACTOR, Place

from .stepping import A, D, begin, due, report, settle


async def pause(place: Place, deployment_id: str, by: str = "ann") -> Any:
    return await place.pausing.pause(PauseRequest(deployment_id, "look").checked(), Actor(by))


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

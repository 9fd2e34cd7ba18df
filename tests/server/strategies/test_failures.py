"""Nodes that may fail, and one failure more."""

from __future__ import annotations

from longshore_storage.catalogue.strategy import Strategy
from tests.server.rollouts import Place

from .stepping import NODES, A, D, begin, report


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

"""Whose turn it is, as a property: however nodes end, nothing is changed that may not be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from longshore_server.rollout.turns import canary_standing, in_order, whose_turn
from longshore_storage.catalogue.lifecycle import ActivationStatus
from longshore_storage.catalogue.rows import Activation, Node, RolloutNode
from longshore_storage.catalogue.strategy import CanaryStep, Strategy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
A = ActivationStatus

steps = st.one_of(
    st.builds(CanaryStep, nodes=st.integers(1, 12)), st.builds(CanaryStep, percent=st.integers(1, 100))
)
strategies = st.builds(
    Strategy,
    canary_steps=st.lists(steps, max_size=3).map(tuple),
    max_nodes_at_once=st.integers(0, 4),
    max_percent_at_once=st.sampled_from([0, 1, 25, 100]),
    failure_domain_label=st.sampled_from(["", "zone"]),
)


def node(number: int, zone: str) -> Node:
    return Node(
        id=f"id{number}",
        name=f"n{number:02}",
        environment="default",
        roles=["install"],
        address="",
        server_version="",
        boot_number=1,
        boot_time=NOW,
        free_disk_bytes=0,
        report_time=NOW,
        cordon_reason="",
        cordoned_by="",
        cordon_time=None,
        labels={"zone": zone} if zone else {},
        draining=False,
        upload_count=0,
        rollout_count=0,
    )


def activation(of: RolloutNode, status: ActivationStatus) -> Activation:
    return Activation(
        node_id=of.id,
        environment="default",
        project="p",
        generation=1,
        node_name=of.name,
        deployment_id="",
        release_id=None,
        version="",
        status=status,
        told_status="",
        fetched_bytes=0,
        reused_bytes=0,
        installed_bytes=0,
        total_bytes=0,
        path="",
        message="",
        start_time=None,
        end_time=None,
        report_time=NOW,
    )


zones = st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=10)


@given(zones, strategies, st.data())
def test_nothing_is_changed_that_may_not_be(
    in_zones: list[str], strategy: Strategy, data: st.DataObject
) -> None:
    nodes = in_order([node(number, zone) for number, zone in enumerate(in_zones)], strategy)
    inherited = data.draw(st.sets(st.sampled_from([one.id for one in nodes])), label="at work before")
    nodes = [_inherited(one) if one.id in inherited else one for one in nodes]
    count = len(nodes)
    passed = 0
    back_from = data.draw(st.integers(0, 3 * len(nodes)), label="taken back after so many ends")
    ends = 0
    reverting = False
    while True:
        standing = canary_standing(strategy, count, passed=passed)
        reach = standing.reach if standing else len(nodes)
        turn = whose_turn(nodes, strategy, covered=count, reach=reach, reverting=reverting)
        begun = {one.id for one in nodes if one.is_at_work}
        nodes = [_assigned(one, reverting) if one in turn else one for one in nodes]
        at_work = [one for one in nodes if one.is_at_work]
        if {one.id for one in at_work} - begun:
            assert len(at_work) <= strategy.at_once(count)
            if strategy.failure_domain_label:
                assert len({one.failure_domain for one in at_work}) == 1
        assert all(one.generation == 0 for one in nodes[reach:])
        if at_work:
            ended = data.draw(st.sampled_from(at_work), label="ends")
            status = data.draw(st.sampled_from([A.LIVE, A.FAILED]), label="how")
            nodes = [
                replace(one, activation=activation(one, status)) if one is ended else one for one in nodes
            ]
            ends += 1
            reverting = reverting or ends > back_from
        elif turn:
            raise AssertionError("a turn that nobody is at work after")
        elif standing is not None and not reverting:
            # The step is reached: all of its nodes have ended.
            assert all(one.generation for one in nodes[:reach])
            passed = standing.number
        else:
            break
    if reverting:
        assert all(bool(one.revert_generation) == one.is_touched for one in nodes)
    else:
        assert all(one.generation and not one.revert_generation for one in nodes)


def _inherited(one: RolloutNode) -> RolloutNode:
    return replace(one, inherited_generation=1, activation=activation(one, A.FETCHING))


def _assigned(one: RolloutNode, reverting: bool) -> RolloutNode:
    begun = activation(one, A.PENDING)
    if reverting:
        return replace(one, revert_generation=3, activation=begun)
    return replace(one, generation=2, activation=begun)


def test_a_canary_step_that_needs_no_more_nodes_is_left_out() -> None:
    strategy = Strategy(canary_steps=(CanaryStep(nodes=1), CanaryStep(percent=10), CanaryStep(percent=50)))
    standings = [canary_standing(strategy, 4, passed=passed) for passed in range(4)]
    assert [(one.number, one.reach) if one else None for one in standings] == [(1, 1), (3, 2), (3, 2), None]


def test_percents_are_rounded_towards_fewer_nodes_at_once_and_more_that_try() -> None:
    assert Strategy(max_percent_at_once=25).at_once(7) == 1
    assert Strategy(max_percent_at_once=1).at_once(7) == 1
    assert Strategy().at_once(7) == 7
    assert CanaryStep(percent=1).reach(7) == 1
    assert CanaryStep(percent=30).reach(7) == 3
    assert CanaryStep(nodes=9).reach(7) == 7

"""Every rule catches a made-up bad history, tells of it by the records in it, and passes good ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from .bad import Bad, also, in_place_of, without
from .bad_payloads import BAD_PAYLOADS
from .checker import RULES, violations
from .encoding import decode, encode
from .live_rules import live_in_generation_order, live_is_the_newest_success, one_rollout_at_a_time
from .made_up import (
    A_WENT_BACK,
    D4_BACK,
    D4_KEPT,
    D5_PARTIAL,
    GOOD,
    KEPT,
    PARTIAL,
    TAKEN_BACK,
    answered,
    asked,
    covered,
    ended,
    event,
    intent,
    place,
    release,
    rollout,
    tree,
    turn,
)
from .made_up_payloads import STORED
from .node_rules import (
    a_generation_is_one_release,
    generations_never_fall,
    nodes_bear_every_fault,
    nodes_have_what_they_should,
    nodes_obey_what_they_are_assigned,
    nodes_serve_releases,
    nothing_is_left_behind,
)
from .progress_rules import nodes_tell_the_same, numbers_have_no_gaps, one_terminal_event_is_the_last
from .promise_rules import (
    cancelled_is_not_live,
    ended_stays_ended,
    every_deployment_ends,
    nothing_acknowledged_is_lost,
    versions_are_acknowledged_once,
    versions_are_unique,
)
from .records import (
    LeftBehind,
    NodeEnd,
    Record,
    Refused,
    TroubleSeen,
)
from .rollout_rules import (
    one_failure_domain_at_a_time,
    rollouts_account_for_their_nodes,
    whoever_is_kept_was_named,
)

D1_ENDED = ended("d1", "succeeded", "1.0.0", 1)
TOLD_THE_END = event(3, "succeeded", follower="f3")


def compacted(*, through: int) -> Sequence[Record]:
    """The good history with less of a deployment's events, and somebody who is told what is left."""
    now = replace(D1_ENDED, compacted_through=through)
    return [*(now if record == D1_ENDED else record for record in GOOD), TOLD_THE_END]


D2_ENDED = ended("d2", "succeeded", "1.0.1", 2)
D2_FAILED = ended("d2", "failed", "1.0.1", 2)
CANCEL_ANSWERED = answered("d3", "", "cancelled", call="cancel")

BAD = [
    also(one_rollout_at_a_time, "2 rollouts of web in default at once", place(2, "d2", "1.0.1", "d4", "d5")),
    also(
        live_in_generation_order,
        "the live generation of web in default fell",
        place(1, "d1", "1.0.0"),
        beside=[place(2, "d2", "1.0.1")],
    ),
    also(
        live_in_generation_order,
        "two releases of web in default were live as one generation",
        place(2, "d1", "1.0.0"),
        beside=[place(2, "d2", "1.0.1")],
    ),
    also(
        live_is_the_newest_success,
        "two deployments went live as generation 2",
        ended("d4", "succeeded", "1.0.0", 2),
        beside=[D2_ENDED],
    ),
    also(
        live_is_the_newest_success,
        "what is live at last is not the newest success",
        ended("d4", "partial", "1.0.0", 3),
        beside=[place(2, "d2", "1.0.1")],
    ),
    in_place_of(
        live_is_the_newest_success,
        "what was live was made by a deployment that did not succeed",
        D2_ENDED,
        D2_FAILED,
        place(2, "d2", "1.0.1"),
    ),
    without(
        live_is_the_newest_success,
        "what was live was made by a deployment that is not there",
        D2_ENDED,
        place(2, "d2", "1.0.1"),
    ),
    also(
        versions_are_unique,
        "web 1.0.1 is two releases",
        release("1.0.1", "d4"),
        beside=[release("1.0.1", "d2")],
    ),
    also(
        versions_are_acknowledged_once,
        "one deployment was acknowledged as two versions",
        answered("d1", "1.0.9"),
        beside=[answered("d1", "1.0.0")],
    ),
    also(
        versions_are_acknowledged_once,
        "a deployment was acknowledged that nobody asked for",
        answered("d4", "1.0.9"),
    ),
    also(
        versions_are_acknowledged_once,
        "two contents were acknowledged as 1.0.1",
        asked("d4", "four"),
        answered("d4", "1.0.1"),
        beside=[asked("d2", "two")],
    ),
    without(
        nothing_acknowledged_is_lost,
        "an acknowledged deployment is not there any more",
        D2_ENDED,
        answered("d2", "1.0.1"),
    ),
    in_place_of(
        nothing_acknowledged_is_lost,
        "an acknowledged deployment has another version",
        D2_ENDED,
        ended("d2", "succeeded", "1.0.2", 2),
        answered("d2", "1.0.1"),
    ),
    without(
        nothing_acknowledged_is_lost,
        "an acknowledged release is not there any more",
        release("1.0.1", "d2"),
        answered("d2", "1.0.1"),
    ),
    in_place_of(
        nothing_acknowledged_is_lost,
        "the payload of an acknowledged release cannot be read",
        release("1.0.1", "d2"),
        release("1.0.1", "d2", readable=False),
        answered("d2", "1.0.1"),
    ),
    also(
        cancelled_is_not_live,
        "a deployment succeeded though its cancellation was acknowledged",
        answered("d2", "1.0.1", "rolling_out", call="cancel"),
        beside=[D2_ENDED],
    ),
    also(every_deployment_ends, "deployment d4 never ended", ended("d4", "reverting", "1.0.2", 3)),
    in_place_of(
        ended_stays_ended,
        "it had ended cancelled, and is failed",
        ended("d3", "cancelled", "", 0),
        ended("d3", "failed", "", 0),
        CANCEL_ANSWERED,
    ),
    in_place_of(
        ended_stays_ended,
        "it had ended succeeded, and is superseded",
        ended("d1", "succeeded", "1.0.0", 1),
        ended("d1", "superseded", "1.0.0", 1),
        event(3, "succeeded", node="b"),
    ),
    also(
        numbers_have_no_gaps,
        "f2 was told event 3 in place of 2",
        event(3, "succeeded", follower="f2"),
        beside=[event(1, "queued", follower="f2", node="b")],
    ),
    also(numbers_have_no_gaps, "f3 was told event 2 in place of 1", event(2, follower="f3")),
    Bad(numbers_have_no_gaps, compacted(through=1), (TOLD_THE_END,), "f3 was told event 3 in place of 1"),
    also(
        numbers_have_no_gaps,
        "f1 was told event 3 in place of 4",
        event(3, "succeeded", node="a"),
        beside=[event(3, "succeeded", node="b")],
    ),
    also(
        nodes_tell_the_same,
        "event 2 of d1 is two events",
        replace(event(2, follower="f2", node="b"), text="another"),
        beside=[event(2)],
    ),
    also(
        nodes_tell_the_same,
        "event 2 of d1 is two events",
        event(2, "rolling_out", follower="f2", node="b"),
        beside=[event(2)],
    ),
    also(
        one_terminal_event_is_the_last,
        "a deployment has two terminal events",
        event(4, "failed"),
        beside=[event(3, "succeeded", node="b")],
    ),
    also(
        one_terminal_event_is_the_last,
        "an event comes behind the terminal one",
        event(4),
        beside=[event(3, "succeeded", node="b")],
    ),
    in_place_of(
        one_terminal_event_is_the_last,
        "the terminal event is not the last one on record",
        ended("d1", "succeeded", "1.0.0", 1),
        ended("d1", "succeeded", "1.0.0", 1, events=4),
        event(3, "succeeded", node="b"),
    ),
    without(
        one_terminal_event_is_the_last,
        "events were told of a deployment that is not there",
        ended("d1", "succeeded", "1.0.0", 1),
        event(3, "succeeded", node="b"),
    ),
    Bad(
        one_terminal_event_is_the_last,
        [event(1, "queued"), event(2), ended("d1", "succeeded", "1.0.0", 1, events=2)],
        (event(2), ended("d1", "succeeded", "1.0.0", 1, events=2)),
        "a deployment ended without a terminal event",
    ),
    also(nodes_serve_releases, "a served a version that is no release", tree("1.0.7", "one")),
    also(
        nodes_serve_releases,
        "a served a release whose content nobody sent",
        release("1.0.7", "d7"),
        tree("1.0.7", "one"),
    ),
    also(
        nodes_serve_releases,
        "a served other bytes than were released",
        tree("1.0.1", "half of two"),
        beside=[asked("d2", "two"), release("1.0.1", "d2")],
    ),
    also(
        generations_never_fall,
        "a went back in generations of web",
        intent(1, "1.0.0"),
        beside=[intent(2, "1.0.1")],
    ),
    also(
        a_generation_is_one_release,
        "generation 2 of web is two releases",
        intent(2, "1.0.0", node="c"),
        beside=[intent(2, "1.0.1")],
    ),
    also(
        nodes_obey_what_they_are_assigned,
        "a obeyed another release than it was assigned",
        turn("d2", "a", 2, "1.0.0"),
        beside=[intent(2, "1.0.1")],
    ),
    also(
        nodes_have_what_they_should,
        "60 s later a has 1.0.0 in place of nothing",
        NodeEnd(9, "a", "default", "web", "1.0.0", "", 60.2),
    ),
    without(
        whoever_is_kept_was_named,
        "b was kept by a rollout that is not there",
        D4_KEPT,
        KEPT[-1],
        history=KEPT,
    ),
    in_place_of(
        whoever_is_kept_was_named,
        "b was kept by a rollout that did not name it",
        D4_KEPT,
        replace(D4_KEPT, message="1 of 3 nodes failed; a stay as they are"),
        KEPT[-1],
        history=KEPT,
    ),
    in_place_of(
        whoever_is_kept_was_named,
        "b was kept by a rollout that did not name it",
        D4_KEPT,
        replace(D4_KEPT, keeps=False),
        KEPT[-1],
        history=KEPT,
    ),
    in_place_of(
        rollouts_account_for_their_nodes,
        "b is not on what succeeded",
        turn("d1", "b", 2, "1.0.0", at=(11, 12)),
        turn("d1", "b", 2, "1.0.0", "failed", at=(11, 12)),
        rollout("d1", "succeeded", "1.0.0"),
        covered("d1", "b", 2),
        history=KEPT,
    ),
    in_place_of(
        rollouts_account_for_their_nodes,
        "b is not on what succeeded",
        covered("d1", "b", 2),
        covered("d1", "b", 0),
        rollout("d1", "succeeded", "1.0.0"),
        history=KEPT,
    ),
    in_place_of(
        rollouts_account_for_their_nodes,
        "a failed and was not named",
        D5_PARTIAL,
        replace(D5_PARTIAL, message="live on 1 of 2 nodes; failed: aa, b.a"),
        covered("d5", "a", 7),
        turn("d5", "a", 7, "1.0.5", "failed"),
        history=PARTIAL,
    ),
    in_place_of(
        rollouts_account_for_their_nodes,
        "b was neither taken back nor named",
        D4_KEPT,
        replace(D4_KEPT, message="1 of 3 nodes failed; a stay as they are"),
        covered("d4", "b", 4),
        turn("d4", "b", 4, "1.0.4", at=(21, 22)),
        history=KEPT,
    ),
    in_place_of(
        rollouts_account_for_their_nodes,
        "a was neither taken back nor named",
        covered("d4", "a", 3, 5),
        covered("d4", "a", 3),
        D4_BACK,
        turn("d4", "a", 3, "1.0.4", "failed", at=(20, 21)),
        history=TAKEN_BACK,
    ),
    in_place_of(
        rollouts_account_for_their_nodes,
        "a was taken back to something else than was live",
        A_WENT_BACK,
        replace(A_WENT_BACK, version="0.9.0"),
        D4_BACK,
        covered("d4", "a", 3, 5),
        history=TAKEN_BACK,
    ),
    in_place_of(
        rollouts_account_for_their_nodes,
        "b was not taken back and not named",
        D4_BACK,
        replace(D4_BACK, message="1 of 3 nodes failed"),
        covered("d4", "b", 0, 6, inherited=4),
        turn("d4", "b", 6, "1.0.0", "failed", at=(23, 24)),
        history=TAKEN_BACK,
    ),
    without(
        rollouts_account_for_their_nodes,
        "a was left to a rollout that does not cover it",
        covered("d5", "a", 7),
        rollout("d4", "superseded", "1.0.4", "1.0.0", superseded_by="d5"),
        covered("d4", "a", 3),
        history=PARTIAL,
    ),
    in_place_of(
        one_failure_domain_at_a_time,
        "zone a and zone b were at work at once",
        turn("d4", "b", 4, "1.0.4", at=(21, 22)),
        turn("d4", "b", 4, "1.0.4", at=(20.5, 22)),
        turn("d4", "a", 3, "1.0.4", "failed", at=(20, 21)),
        history=KEPT,
    ),
    *BAD_PAYLOADS,
    also(
        nothing_is_left_behind,
        "lock rollout/default/web was left in etcd",
        LeftBehind(9, "etcd", "lock rollout/default/web"),
    ),
    also(nodes_bear_every_fault, "a: ended with status 1", TroubleSeen(9, "a", "ended with status 1")),
    also(
        nodes_bear_every_fault,
        "a call met a fault of the server's own: look at its log",
        Refused(9, "client1", "cancel", "d3", "INTERNAL", "look at its log", unknown=False),
    ),
]


@pytest.mark.parametrize("history", [(), GOOD, KEPT, TAKEN_BACK, PARTIAL, STORED, compacted(through=2)])
def test_a_good_history_has_no_violation(history: Sequence[Record]) -> None:
    assert violations(history) == []


@pytest.mark.parametrize("bad", BAD, ids=[f"{bad.rule.__name__}: {bad.words}" for bad in BAD])
def test_a_bad_history_is_caught(bad: Bad) -> None:
    found = [violation for violation in bad.rule(bad.records) if violation.words == bad.words]
    assert len(found) >= 1
    assert set(found[0].records) == set(bad.told)
    assert all(str(record) in str(found[0]) for record in bad.told)
    assert found[0] in violations(bad.records)


def test_every_rule_has_a_history_that_it_catches() -> None:
    assert {bad.rule for bad in BAD} == set(RULES)


def test_a_history_is_read_as_it_was_written() -> None:
    written = [*GOOD, *KEPT, *STORED, LeftBehind(9, "etcd", "a lock"), place(2, "d2", "1.0.1", "d4", "d5")]
    assert decode(map(encode, written)) == written

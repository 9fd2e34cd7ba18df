"""Strategies and rollouts that wait: from the messages to the words, whatever a server sends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from longshore.v1 import catalog_service_pb2, progress_pb2
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_client import (
    CanaryStep,
    CanaryStepPassed,
    CanaryStepReached,
    Client,
    DeploymentStatus,
    FailurePolicy,
    RolloutStrategy,
    Terms,
    catalog_conversion,
    conversion,
)
from longshore_client.cli.columns import status_color, status_words
from longshore_client.cli.facts import deployment_facts, outcome_words
from longshore_client.cli.outcome import partly_live, standing_words
from longshore_client.cli.rollout_words import strategy_words, waiting_words, what_comes_words
from longshore_client.cli.wording import clock, countdown, span
from longshore_client.strategy_conversion import policy_number, strategy_message

from .rollouts_told import DUE, ID, TWO_STEPS, deployment, event

GATE: dict[str, Any] = {"waiting_gate_id": "gate"}


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (RolloutStrategy(), "all nodes at once"),
        (RolloutStrategy(max_nodes_at_once=1), "1 node at once"),
        (
            RolloutStrategy(max_percent_at_once=25, failure_domain_label="zone", max_failed_nodes=1),
            "25 % of the nodes at once; one zone at a time; 1 node may fail",
        ),
        (
            TWO_STEPS,
            "canary 1 node until promoted, 50 % for 5 min; then 2 nodes at once",
        ),
        (
            RolloutStrategy(canary_steps=(CanaryStep(percent=10),)),
            "canary 10 % until promoted; then all the rest at once",
        ),
    ],
)
def test_a_strategy_there_and_back_and_in_words(strategy: RolloutStrategy, words: str) -> None:
    told = d.Deployment(strategy=strategy_message(strategy))
    assert conversion.deployment(told).strategy == strategy
    place = catalog_service_pb2.ProjectEnvironment(strategy=strategy_message(strategy))
    assert catalog_conversion.project_environment(place).strategy == strategy
    assert strategy_words(strategy) == words


def test_what_is_unset_is_none() -> None:
    none = conversion.deployment(d.Deployment())
    assert (none.strategy, none.failure_policy, none.canary_due_time) == (None, None, None)
    place = catalog_conversion.project_environment(catalog_service_pb2.ProjectEnvironment())
    assert (place.strategy, place.failure_policy) == (None, None)


def test_failure_policies_there_and_back() -> None:
    for policy in (FailurePolicy.TAKE_BACK, FailurePolicy.KEEP):
        told = d.Deployment(failure_policy=policy_number(policy))
        assert conversion.deployment(told).failure_policy is policy
    assert conversion.deployment(d.Deployment(failure_policy=99)).failure_policy is FailurePolicy.UNKNOWN  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="UNKNOWN"):
        policy_number(FailurePolicy.UNKNOWN)


@pytest.mark.parametrize(
    "request_",
    [
        pb.DeployHeader(),
        pb.DeployReleaseRequest(),
        pb.RollbackRequest(),
        pb.UndeployRequest(),
        pb.RetryDeploymentRequest(),
    ],
    ids=lambda request: request.DESCRIPTOR.name,
)
def test_every_call_that_makes_a_deployment_takes_them(request_: Any) -> None:
    Terms().write(request_)
    assert not request_.HasField("strategy")
    assert request_.failure_policy == d.FAILURE_POLICY_UNSPECIFIED
    Terms(strategy=RolloutStrategy()).write(request_)
    assert request_.HasField("strategy"), "all at once, whatever is set for the place"
    Terms(strategy=TWO_STEPS, failure_policy=FailurePolicy.KEEP).write(request_)
    assert request_.strategy == strategy_message(TWO_STEPS)
    assert request_.failure_policy == d.FAILURE_POLICY_KEEP


@pytest.mark.parametrize(
    "strategy",
    [
        RolloutStrategy(max_nodes_at_once=1, max_percent_at_once=1),
        RolloutStrategy(canary_steps=(CanaryStep(),)),
        RolloutStrategy(canary_steps=(CanaryStep(nodes=1, percent=1),)),
    ],
)
def test_what_says_two_things_or_none_is_no_strategy(strategy: RolloutStrategy) -> None:
    with pytest.raises(ValueError, match="give"):
        Terms(strategy=strategy).write(pb.UndeployRequest())


@pytest.mark.parametrize(
    ("step", "covered", "reach"),
    [
        (CanaryStep(nodes=2), 5, 2),
        (CanaryStep(nodes=9), 5, 5),
        (CanaryStep(percent=1), 5, 1),
        (CanaryStep(percent=50), 5, 3),
        (CanaryStep(percent=100), 5, 5),
    ],
)
def test_how_far_a_step_reaches(step: CanaryStep, covered: int, reach: int) -> None:
    assert step.reach(covered) == reach


def test_events_of_a_canary() -> None:
    reached = progress_pb2.CanaryStepReached(step=1, total_steps=2, node_count=1, gate_id="gate")
    reached.due_time.FromDatetime(DUE)
    assert event(1, "reached", canary_step_reached=reached).detail == CanaryStepReached(1, 2, 1, "gate", DUE)
    passed = progress_pb2.CanaryStepPassed(step=1, total_steps=2, promoted_by="ada")
    assert event(2, "passed", canary_step_passed=passed).detail == CanaryStepPassed(1, 2, "ada")


@pytest.mark.parametrize(
    ("status", "fields", "waits", "listed"),
    [
        ("ROLLING_OUT", {}, False, "rolling out"),
        ("ROLLING_OUT", GATE, True, "rolling out (canary 1/2)"),
        (
            "ROLLING_OUT",
            {**GATE, "due": DUE, "passed_canary_steps": 1},
            False,
            "rolling out (canary 2/2)",
        ),
        ("PAUSED", {"paused_by": "ada"}, True, "paused"),
        ("PAUSED", {}, False, "paused"),
        ("STAGED", GATE, True, "staged"),
        ("PARTIAL", {"live": True}, False, "live (partial)"),
        ("PARTIAL", {}, False, "partial"),
    ],
)
def test_who_is_waited_for(status: str, fields: dict[str, Any], waits: bool, listed: str) -> None:
    told = deployment(status, **fields)
    assert told.waits_for_person is waits
    assert status_words(told) == listed
    assert (status_color(told) == "magenta") is waits


@pytest.mark.parametrize(
    ("status", "fields", "words"),
    [
        ("ROLLING_OUT", {}, ""),
        (
            "ROLLING_OUT",
            GATE,
            "canary step 1 of 2: 1 of 5 nodes; waits for `longshore promote 5f0c31aa`",
        ),
        (
            "ROLLING_OUT",
            {**GATE, "due": DUE, "passed_canary_steps": 1},
            "canary step 2 of 2: 3 of 5 nodes; goes on by itself in 4:32",
        ),
        (
            "PAUSED",
            {**GATE, "paused_by": "ada", "pause_reason": "errors on web-3"},
            "paused by ada (errors on web-3); `longshore resume 5f0c31aa` lets it go on",
        ),
        ("ROLLING_OUT", {"paused_by": "ada"}, "being paused by ada: nodes end what they were told"),
        (
            "QUEUED",
            {"status_reason": "no_nodes", "status_message": "no node is alive"},
            "waiting: no node is alive",
        ),
        ("SUCCEEDED", {"paused_by": "ada"}, ""),
    ],
)
def test_what_is_waited_for(status: str, fields: dict[str, Any], words: str) -> None:
    told = deployment(status, **fields)
    assert waiting_words(told, DUE - timedelta(minutes=4, seconds=32)) == words
    assert waiting_words(told) == words.replace("in 4:32", f"at {clock(DUE)}")


def test_a_server_that_counts_more_steps_than_there_are() -> None:
    odd = deployment(**GATE, passed_canary_steps=7)
    assert waiting_words(odd).startswith("canary step 8 of 2: 5 of 5 nodes; waits")
    assert what_comes_words(odd) == "go live"


def test_what_is_asked_before_a_promotion() -> None:
    assert what_comes_words(deployment(**GATE)) == "go on to 3 of 5 nodes"
    assert what_comes_words(deployment(**GATE, passed_canary_steps=1)) == "go on to all 5 nodes"
    assert what_comes_words(deployment(**GATE, counts={"expected": 1})) == "go live"


def test_a_step_that_adds_no_node_is_left_out() -> None:
    one_more = (CanaryStep(nodes=1), CanaryStep(percent=10), CanaryStep(nodes=3))
    strategy = RolloutStrategy(canary_steps=one_more)
    assert [strategy.canary_step_after(passed, 5) for passed in range(5)] == [1, 3, 3, 0, 0]
    assert strategy.canary_step_after(1, 30) == 2
    told = conversion.deployment(
        d.Deployment(
            status=d.DEPLOYMENT_STATUS_ROLLING_OUT,
            strategy=strategy_message(strategy),
            node_counts=d.NodeCounts(expected=5),
            passed_canary_steps=1,
            **GATE,
        )
    )
    assert waiting_words(told).startswith("canary step 3 of 3: 3 of 5 nodes;")
    assert status_words(told) == "rolling out (canary 3/3)"


@pytest.mark.parametrize(
    ("status", "fields", "words"),
    [
        ("PAUSED", {}, f"web 1.2.0 in production is about to go on; follow it: longshore watch {ID}"),
        ("PAUSED", {"paused_by": "ada"}, f"is paused by ada and waits for a person: longshore resume {ID}"),
        (
            "ROLLING_OUT",
            GATE,
            "web 1.2.0 is rolling out in production (canary step 1 of 2: 1 of 5 nodes) "
            f"and waits for a person: longshore promote {ID}",
        ),
        ("ROLLING_OUT", {**GATE, "due": DUE}, f"follow it: longshore watch {ID}"),
        (
            "PARTIAL",
            {"counts": {"live": 4, "failed": 1}},
            "web 1.2.0 is live in production on 4 of 5 nodes",
        ),
        ("STAGED", GATE, f"web 1.2.0 is staged in production and waits for a person: longshore promote {ID}"),
    ],
)
def test_how_it_stands_when_a_command_ends(status: str, fields: dict[str, Any], words: str) -> None:
    assert standing_words(deployment(status, **fields)).endswith(words)


def test_an_undeploy_that_is_partial() -> None:
    off = deployment("PARTIAL", counts={"removed": 4, "failed": 1}, kind="UNDEPLOY")
    assert outcome_words(off) == "web 1.2.0 is off the nodes of production: 4 of 5 nodes"


@pytest.mark.parametrize(
    ("kind", "counts", "told", "notes"),
    [
        ("UPLOAD", {"live": 5}, "not all of 5 nodes did it at first: it is live on all of them by now", 0),
        ("UNDEPLOY", {"removed": 5}, "not all of 5 nodes did it at first: it is off all of them by now", 0),
        ("UPLOAD", {"live": 4, "pending": 1}, "1 of 5 nodes failed", 1),
    ],
)
async def test_a_partial_one_as_it_stands_when_it_is_looked_at(
    kind: str, counts: dict[str, int], told: str, notes: int
) -> None:
    """Nodes that failed are tried again by themselves, also before somebody who was cut off is back."""
    warning = await partly_live(Client(), deployment("PARTIAL", counts=counts, kind=kind))
    assert warning is not None
    assert (warning.message, len(warning.notes)) == (told, notes)


def test_get_shows_it_in_words() -> None:
    told = deployment(**GATE, counts={"live": 1, "pending": 4}, failure_policy=d.FAILURE_POLICY_KEEP)
    facts = {fact.name: fact.text for fact in deployment_facts(told, None)}
    assert facts["strategy"].startswith("canary 1 node until promoted, 50 % for 5 min;")
    assert facts["on failure"] == "nodes are kept as they are"
    assert facts["nodes"] == "live on 1/5, 4 to come"
    assert "longshore promote 5f0c31aa" in facts["waits"]


def test_spans() -> None:
    spans = [timedelta(seconds=90), timedelta(hours=26), timedelta(days=7), timedelta()]
    assert [span(each) for each in spans] == ["1 min 30 s", "1 day 2 h", "7 days", "0 s"]


def test_a_countdown() -> None:
    assert [countdown(seconds) for seconds in (-3, 0.4, 59.6, 272, 3872)] == [
        *("0:00", "0:00", "1:00", "4:32", "1:04:32")
    ]


@pytest.mark.parametrize("status", list(DeploymentStatus))
def test_success(status: DeploymentStatus) -> None:
    assert status.successful == (status in (DeploymentStatus.SUCCEEDED, DeploymentStatus.PARTIAL))
    assert status.terminal or not status.successful

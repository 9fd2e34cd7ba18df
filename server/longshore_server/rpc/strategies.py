"""Rollout strategies and failure policies from protobuf messages and back."""

from __future__ import annotations

from typing import Any

from longshore.v1 import deployment_pb2 as pb
from longshore_server.deploying.strategies import check_count
from longshore_server.refusal import invalid
from longshore_storage.catalogue.lifecycle import FailurePolicy
from longshore_storage.catalogue.strategy import CanaryStep, Strategy

_POLICIES: dict[int, FailurePolicy | None] = {
    pb.FAILURE_POLICY_UNSPECIFIED: None,
    pb.FAILURE_POLICY_TAKE_BACK: FailurePolicy.TAKE_BACK,
    pb.FAILURE_POLICY_KEEP: FailurePolicy.KEEP,
}


def strategy_in(message: Any, field_name: str) -> Strategy | None:
    """The strategy that a message has, not looked at yet but for what only the message tells; or None."""
    if not message.HasField("strategy"):
        return None
    given: pb.RolloutStrategy = message.strategy
    at_once = given.WhichOneof("most_at_once")
    if at_once is not None and getattr(given, at_once) < 1:
        raise invalid(f"{field_name}.{at_once}", "must be at least 1")
    # Before anything is made of each.
    check_count(len(given.canary_steps), field_name)
    return Strategy(
        canary_steps=tuple(_step_of(step) for step in given.canary_steps),
        max_nodes_at_once=given.max_nodes_at_once,
        max_percent_at_once=given.max_percent_at_once,
        failure_domain_label=given.failure_domain_label,
        max_failed_nodes=given.max_failed_nodes,
    )


def failure_policy_of(number: int, field_name: str) -> FailurePolicy | None:
    """A failure policy by its number; None for unspecified."""
    if number not in _POLICIES:
        raise invalid(field_name, f"{number} is no FailurePolicy")
    return _POLICIES[number]


def strategy_message(strategy: Strategy | None) -> pb.RolloutStrategy | None:
    """A strategy as callers see it."""
    if strategy is None:
        return None
    message = pb.RolloutStrategy(
        canary_steps=map(_step_message, strategy.canary_steps),
        failure_domain_label=strategy.failure_domain_label,
        max_failed_nodes=strategy.max_failed_nodes,
    )
    if strategy.max_nodes_at_once:
        message.max_nodes_at_once = strategy.max_nodes_at_once
    elif strategy.max_percent_at_once:
        message.max_percent_at_once = strategy.max_percent_at_once
    return message


def failure_policy_number(name: str) -> pb.FailurePolicy.ValueType:
    """A failure policy by its name in rows; unspecified for an empty one, and for one of a later version."""
    known = name in FailurePolicy.__members__
    return pb.FailurePolicy.Value(f"FAILURE_POLICY_{name if known else 'UNSPECIFIED'}")


def _step_of(step: pb.CanaryStep) -> CanaryStep:
    wait_s = step.wait_time.seconds + step.wait_time.nanos / 1e9 if step.HasField("wait_time") else None
    return CanaryStep(nodes=step.nodes, percent=step.percent, wait_s=wait_s)


def _step_message(step: CanaryStep) -> pb.CanaryStep:
    message = pb.CanaryStep()
    if step.nodes:
        message.nodes = step.nodes
    else:
        message.percent = step.percent
    if step.wait_s is not None:
        message.wait_time.FromMilliseconds(round(step.wait_s * 1000))
    return message

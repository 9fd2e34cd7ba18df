"""Rollout strategies and failure policies: from protobuf to ``strategies``, and for requests to protobuf."""

from __future__ import annotations

from typing import Final

from longshore.v1 import catalog_service_pb2, deployment_pb2

from .message_fields import duration, enum_table, optional_span, optional_value
from .strategies import CanaryStep, FailurePolicy, RolloutStrategy

_POLICIES: Final = enum_table(FailurePolicy, deployment_pb2.FailurePolicy.DESCRIPTOR, "FAILURE_POLICY_")


def optional_strategy(
    message: deployment_pb2.Deployment | catalog_service_pb2.ProjectEnvironment,
) -> RolloutStrategy | None:
    """The strategy of what has one, None where it is not set."""
    return _strategy(message.strategy) if message.HasField("strategy") else None


def optional_policy(number: int) -> FailurePolicy | None:
    """A failure policy, None for the unspecified one."""
    return _POLICIES.get(number, FailurePolicy.UNKNOWN) if number else None


def strategy_message(strategy: RolloutStrategy) -> deployment_pb2.RolloutStrategy:
    """A strategy for a request; raises ``ValueError`` where it says two things at once, or a step nothing."""
    message = deployment_pb2.RolloutStrategy(
        canary_steps=map(_step_message, strategy.canary_steps),
        failure_domain_label=strategy.failure_domain_label,
        max_failed_nodes=strategy.max_failed_nodes,
    )
    match strategy.max_nodes_at_once, strategy.max_percent_at_once:
        case None, None:
            pass
        case int(nodes), None:
            message.max_nodes_at_once = nodes
        case None, int(percent):
            message.max_percent_at_once = percent
        case _:
            raise ValueError("give max_nodes_at_once or max_percent_at_once, not both")
    return message


def policy_number(policy: FailurePolicy) -> deployment_pb2.FailurePolicy.ValueType:
    """The protobuf number of a failure policy; raises ``ValueError`` for the unknown one."""
    return deployment_pb2.FailurePolicy.Value(f"FAILURE_POLICY_{policy.name}")


def _strategy(message: deployment_pb2.RolloutStrategy) -> RolloutStrategy:
    return RolloutStrategy(
        canary_steps=tuple(map(_step, message.canary_steps)),
        max_nodes_at_once=optional_value(message, "max_nodes_at_once"),
        max_percent_at_once=optional_value(message, "max_percent_at_once"),
        failure_domain_label=message.failure_domain_label,
        max_failed_nodes=message.max_failed_nodes,
    )


def _step(message: deployment_pb2.CanaryStep) -> CanaryStep:
    return CanaryStep(
        nodes=optional_value(message, "nodes"),
        percent=optional_value(message, "percent"),
        wait_time=optional_span(message, "wait_time"),
    )


def _step_message(step: CanaryStep) -> deployment_pb2.CanaryStep:
    message = deployment_pb2.CanaryStep(wait_time=duration(step.wait_time))
    match step.nodes, step.percent:
        case int(nodes), None:
            message.nodes = nodes
        case None, int(percent):
            message.percent = percent
        case _:
            raise ValueError("a canary step is of so many nodes or of so many percent: give one of them")
    return message

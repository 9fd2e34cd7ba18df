"""What a rollout's strategy may say."""

from __future__ import annotations

from typing import Final

from longshore_server.refusal import invalid
from longshore_storage.catalogue.strategy import CanaryStep, Strategy

from .labels import check_label_key

_MOST_STEPS: Final = 20
_MOST_NODES: Final = 1_000_000
_SHORTEST_WAIT_S: Final = 0.001
_LONGEST_WAIT_S: Final = 7 * 86_400


def check_count(steps: int, field_name: str) -> None:
    """Raise ``Refusal`` for more canary steps than a strategy may have."""
    if steps > _MOST_STEPS:
        raise invalid(f"{field_name}.canary_steps", f"at most {_MOST_STEPS}, got {steps}")


def check_strategy(field_name: str, strategy: Strategy) -> None:
    """Raise ``Refusal`` with the field of a strategy that is wrong."""
    steps = strategy.canary_steps
    check_count(len(steps), field_name)
    for number, step in enumerate(steps):
        _check_step(f"{field_name}.canary_steps[{number}]", step)
        before = steps[number - 1] if number else CanaryStep()
        if (before.nodes and step.nodes and step.nodes <= before.nodes) or (
            before.percent and step.percent and step.percent <= before.percent
        ):
            raise invalid(f"{field_name}.canary_steps[{number}]", "needs more nodes than the step before it")
    if not 0 <= strategy.max_nodes_at_once <= _MOST_NODES:
        raise invalid(f"{field_name}.max_nodes_at_once", f"must be 1 to {_MOST_NODES}")
    if not 0 <= strategy.max_percent_at_once <= 100:
        raise invalid(f"{field_name}.max_percent_at_once", "must be 1 to 100")
    if not 0 <= strategy.max_failed_nodes <= _MOST_NODES:
        raise invalid(f"{field_name}.max_failed_nodes", f"must be 0 to {_MOST_NODES}")
    if strategy.failure_domain_label:
        check_label_key(f"{field_name}.failure_domain_label", strategy.failure_domain_label)


def _check_step(field_name: str, step: CanaryStep) -> None:
    if not (step.nodes or step.percent):
        raise invalid(field_name, "needs `nodes`, at least 1, or `percent`, 1 to 100")
    if not 0 <= step.nodes <= _MOST_NODES:
        raise invalid(f"{field_name}.nodes", f"must be 1 to {_MOST_NODES}")
    if not 0 <= step.percent <= 100:
        raise invalid(f"{field_name}.percent", "must be 1 to 100")
    if step.wait_s is not None and not _SHORTEST_WAIT_S <= step.wait_s <= _LONGEST_WAIT_S:
        raise invalid(f"{field_name}.wait_time", "must be 1 ms to 7 days")

"""How a rollout goes over the nodes it covers: all at once, a few at a time, a canary first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID, uuid5


@dataclass(frozen=True, slots=True)
class CanaryStep:
    """So many nodes in all, or so many of 100 covered ones (the other is 0); then a wait.

    ``wait_s`` is how long, in seconds; None waits at a gate for a person.
    """

    nodes: int = 0
    percent: int = 0
    wait_s: float | None = None

    def __str__(self) -> str:
        """In words, for people."""
        size = str(self.nodes) if self.nodes else f"{self.percent} %"
        return f"{size} until promoted" if self.wait_s is None else f"{size} for {self.wait_s:g} s"

    def reach(self, covered: int) -> int:
        """With how many of the covered nodes the step is reached; percents are rounded up."""
        return min(self.nodes or -(-covered * self.percent // 100), covered)


@dataclass(frozen=True, slots=True)
class Strategy:
    """Nodes at once as a number or of 100 covered ones; both 0: all. See ``RolloutStrategy``."""

    canary_steps: tuple[CanaryStep, ...] = ()
    max_nodes_at_once: int = 0
    max_percent_at_once: int = 0
    failure_domain_label: str = ""
    max_failed_nodes: int = 0

    def __str__(self) -> str:
        """In words, for people."""
        words = [f"canary {step}" for step in self.canary_steps]
        if self.max_nodes_at_once or self.max_percent_at_once:
            words.append(f"{self.max_nodes_at_once or f'{self.max_percent_at_once} %'} at once")
        else:
            words.append("all at once")
        if self.failure_domain_label:
            words.append(f"one {self.failure_domain_label} at a time")
        if self.max_failed_nodes:
            words.append(f"at most {self.max_failed_nodes} failed")
        return ", ".join(words)

    def at_once(self, covered: int) -> int:
        """How many of the covered nodes may be changed at the same time: at least one."""
        if self.max_nodes_at_once:
            return self.max_nodes_at_once
        if self.max_percent_at_once:
            return max(covered * self.max_percent_at_once // 100, 1)
        return max(covered, 1)

    def to_row(self) -> dict[str, Any]:
        """As rows keep it."""
        return {**asdict(self), "canary_steps": [asdict(step) for step in self.canary_steps]}

    @classmethod
    def of_row(cls, row: Mapping[str, Any] | None) -> Strategy | None:
        """From what a row keeps; None where it keeps none."""
        if row is None:
            return None
        steps = tuple(CanaryStep(**step) for step in row["canary_steps"])
        return cls(**{**row, "canary_steps": steps})


def canary_gate_id(deployment_id: str, number: int) -> str:
    """The id of the gate behind a canary step, counted from 1: the same whoever drives."""
    return str(uuid5(UUID(deployment_id), f"canary step {number}"))

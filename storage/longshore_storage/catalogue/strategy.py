"""How a rollout goes over the nodes it covers: all at once, a few at a time, a canary first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID, uuid5

from .lifecycle import FailurePolicy


class UnknownTerms(Exception):
    """A later version wrote terms of a rollout that this one does not know: it is not to be driven here."""


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
        """As rows keep it: besides steps only what is set, so that earlier versions know all there is."""
        return {**_set_in(self), "canary_steps": [_set_in(step) for step in self.canary_steps]}

    @classmethod
    def of_row(cls, row: Mapping[str, Any] | None) -> Strategy | None:
        """From what a row keeps, for people; None where it keeps none. What is not known is left out."""
        if row is None:
            return None
        steps = tuple(CanaryStep(**_known_to(CanaryStep, step)) for step in row["canary_steps"])
        return cls(**{**_known_to(cls, row), "canary_steps": steps})

    @classmethod
    def to_drive(cls, row: Mapping[str, Any] | None, failure_policy: str) -> Strategy:
        """From what rows keep, to obey it; all at once where they keep none. Raises ``UnknownTerms``."""
        unknown = list(_unknown(row)) if row is not None else []
        if failure_policy and failure_policy not in FailurePolicy.__members__:
            unknown.append(failure_policy)
        if unknown:
            raise UnknownTerms(f"this version does not know {', '.join(sorted(unknown))}")
        return cls.of_row(row) or cls()


def _set_in(value: Strategy | CanaryStep) -> dict[str, Any]:
    told = ((field, getattr(value, field.name)) for field in fields(value))
    return {field.name: has for field, has in told if has != field.default}


def _known_to(kind: type[Strategy | CanaryStep], row: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in row.items() if name in names}


def _unknown(row: Mapping[str, Any]) -> Iterator[str]:
    yield from row.keys() - _known_to(Strategy, row).keys()
    for step in row["canary_steps"]:
        yield from step.keys() - _known_to(CanaryStep, step).keys()


def canary_gate_id(deployment_id: str, number: int) -> str:
    """The id of the gate behind a canary step, counted from 1: the same whoever drives."""
    return str(uuid5(UUID(deployment_id), f"canary step {number}"))

"""How a rollout goes over the nodes, and what becomes of them when it fails; rules as in ``models``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class FailurePolicy(StrEnum):
    """What becomes of the nodes that were touched when a rollout fails or is cancelled.

    They go back to what is live, or stay as they are for people to look at.
    """

    UNKNOWN = "unknown"
    TAKE_BACK = "take_back"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStep:
    """One step of a canary: so many nodes in all, or ``percent`` of them, rounded up; then a wait.

    It waits for ``wait_time``, at most 7 days; where that is None until ``Client.promote`` passes its gate.
    """

    nodes: int | None = None
    percent: int | None = None
    wait_time: timedelta | None = None

    def reach(self, covered: int) -> int:
        """With how many of the ``covered`` nodes the step is reached."""
        return min(self.nodes or -(-covered * (self.percent or 0) // 100), covered)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStrategy:
    """How a rollout goes over the nodes; as it stands here, without any field, all at once.

    ``canary_steps`` come first, each with more nodes than the one before; the rest follows the last. At most
    ``max_nodes_at_once``, or ``max_percent_at_once`` rounded down but at least one, are changed at the same
    time. Nodes with different values of the label ``failure_domain_label`` never are. With up to
    ``max_failed_nodes`` failed nodes it ends PARTIAL instead of failing.
    """

    canary_steps: tuple[CanaryStep, ...] = ()
    max_nodes_at_once: int | None = None
    max_percent_at_once: int | None = None
    failure_domain_label: str = ""
    max_failed_nodes: int = 0

    def canary_step_after(self, passed: int, covered: int) -> int:
        """The number, from 1, of the step that comes behind ``passed`` ones; 0 when there is none.

        One that needs no more of the ``covered`` nodes than the one before, because there are so few, is left
        out.
        """
        reached = max((step.reach(covered) for step in self.canary_steps[:passed]), default=0)
        for number, step in enumerate(self.canary_steps[passed:], passed + 1):
            if step.reach(covered) > reached:
                return number
        return 0

"""Whose turn it is in a rollout: few nodes at a time, one failure domain at a time, a canary first.

Pure: rows in, nodes out. What is looked at is how nodes stand, never what was decided before, so any driver
comes to the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from longshore_storage.catalogue.rows import Node, RolloutNode
from longshore_storage.catalogue.strategy import CanaryStep, Strategy


class Standing(NamedTuple):
    """Where a canary stands: at ``step`` (from 1) of the strategy's, which needs ``reach`` nodes."""

    number: int
    step: CanaryStep
    reach: int


def in_order(
    nodes: Sequence[Node], strategy: Strategy, touched: Sequence[RolloutNode] = ()
) -> list[RolloutNode]:
    """The nodes in the order in which their turn comes: by failure domain and name.

    ``touched`` are those of the rollout that is superseded which it, or one before it, has touched.
    """
    label = strategy.failure_domain_label
    before = {node.id: node for node in touched}
    covered = []
    for node in nodes:
        inherited = before.get(node.id)
        covered.append(
            RolloutNode(
                node.id,
                node.name,
                node.labels.get(label, "") if label else "",
                activation=inherited.activation if inherited else None,
                inherited_generation=inherited.newest_generation if inherited else 0,
            )
        )
    return sorted(covered, key=lambda node: (node.failure_domain, node.name))


def canary_standing(strategy: Strategy, covered: int, *, passed: int) -> Standing | None:
    """The canary step that is next to be reached or waits; None behind the last.

    One that needs no more nodes than the one before, because there are so few, is left out.
    """
    reached = strategy.canary_steps[passed - 1].reach(covered) if passed else 0
    for number, step in enumerate(strategy.canary_steps[passed:], passed + 1):
        if (reach := step.reach(covered)) > reached:
            return Standing(number, step, reach)
    return None


def whose_turn(
    nodes: Sequence[RolloutNode], strategy: Strategy, *, covered: int, reach: int, reverting: bool
) -> list[RolloutNode]:
    """The nodes to be assigned something now: the release, of the first ``reach``, or what is live again.

    ``covered`` is how many the rollout had when it began. Nodes that are at work on something else, which a
    superseded rollout assigned or which is to be taken back, are being changed already: they may take their
    turn where others would be one too many, and until then they count.
    """
    if reverting:
        waiting = [node for node in nodes if node.is_touched and not node.revert_generation]
    else:
        waiting = [node for node in nodes[:reach] if not node.generation]
    waiting_ids = {node.id for node in waiting}
    busy = [node for node in nodes if node.is_at_work]
    at_work = [node for node in busy if node.id not in waiting_ids and _has_had_turn(node, reverting)]
    limit = strategy.at_once(covered)
    if strategy.failure_domain_label and waiting:
        domain = (at_work or [node for node in waiting if node.is_at_work] or waiting)[0].failure_domain
        waiting = [node for node in waiting if node.failure_domain == domain]
        only_here = all(node.failure_domain == domain for node in busy)
    else:
        only_here = True
    busy_count, turn = len(busy), list[RolloutNode]()
    for node in waiting:
        if len(at_work) + len(turn) >= limit:
            break
        if node.is_at_work:
            turn.append(node)
        elif only_here and busy_count < limit:
            turn.append(node)
            busy_count += 1
    return turn


def _has_had_turn(node: RolloutNode, reverting: bool) -> bool:
    return bool(node.revert_generation if reverting else node.generation)

"""A rollout accounts for every node that it covers, keeps to failure domains, and names whom it leaves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import inf

from .records import SETTLED, CoveredNode, NodeEnd, Record, RolloutEnd, TurnEnd, only
from .violation import Violation, broken

_UNDONE = frozenset({"failed", "cancelled"})
_Turns = dict[tuple[str, str, int], TurnEnd]


def rollouts_account_for_their_nodes(history: Sequence[Record]) -> Iterator[Violation]:
    """When a rollout has ended each of its nodes is on what is live then, or it has named it.

    On the release where it succeeded; on what was live before where it was taken back. Whom its failure
    policy keeps, who failed where some may, and who could not be taken back is named. Whom it touched and
    then left to another rollout, by being superseded, that one covers.
    """
    rollouts = {end.deployment_id: end for end in only(history, RolloutEnd)}
    turns: _Turns = {
        (turn.deployment_id, turn.node, turn.generation): turn for turn in only(history, TurnEnd)
    }
    covered: dict[str, dict[str, CoveredNode]] = defaultdict(dict)
    for node in only(history, CoveredNode):
        covered[node.deployment_id][node.node] = node
    for end in rollouts.values():
        for node in covered[end.deployment_id].values():
            if end.status == "superseded":
                if _is_touched(node) and node.node not in covered[end.superseded_by]:
                    yield broken(f"{node.node} was left to a rollout that does not cover it", end, node)
            elif why := _unaccounted(end, node, turns):
                turn = turns.get((end.deployment_id, node.node, _newest(node)))
                yield broken(f"{node.node} {why}", end, node, *([turn] if turn else []))


def one_failure_domain_at_a_time(history: Sequence[Record]) -> Iterator[Violation]:
    """A rollout that goes by failure domains never has nodes of two of them at work."""
    domains = {(one.deployment_id, one.node): one.domain for one in only(history, CoveredNode)}
    at_work: dict[str, list[TurnEnd]] = defaultdict(list)
    for turn in only(history, TurnEnd):
        # What a node has tried again, its rollout had ended before.
        if turn.began_s and not turn.tries:
            at_work[turn.deployment_id].append(turn)
    for deployment_id, turns in at_work.items():
        for one, other in combinations(turns, 2):
            between = {domains.get((deployment_id, turn.node), "") for turn in (one, other)}
            if len(between) > 1 and "" not in between and _overlap(one, other):
                yield broken(f"{' and '.join(sorted(between))} were at work at once", one, other)


def whoever_is_kept_was_named(history: Sequence[Record]) -> Iterator[Violation]:
    """A node stays on what is not live only where the last rollout that touched it was to, and named it."""
    rollouts = {end.deployment_id: end for end in only(history, RolloutEnd)}
    for kept in only(history, NodeEnd):
        if not kept.kept_by:
            continue
        end = rollouts.get(kept.kept_by)
        if end is None:
            yield broken(f"{kept.node} was kept by a rollout that is not there", kept)
        elif not _keeps(end, kept.node):
            yield broken(f"{kept.node} was kept by a rollout that did not name it", kept, end)


def _unaccounted(end: RolloutEnd, node: CoveredNode, turns: _Turns) -> str:
    """What is wrong with how a rollout has left a node, in words; empty where nothing is."""
    turn = turns.get((end.deployment_id, node.node, _newest(node)))
    has = turn.version if turn is not None and turn.told in SETTLED else None
    named_as_failed = turn is not None and turn.told == "failed" and _names(end, node.node)
    if end.status == "succeeded":
        return "" if has == end.version else "is not on what succeeded"
    if end.status == "partial":
        return "" if has == end.version or named_as_failed else "failed and was not named"
    if end.status not in _UNDONE or not _is_touched(node):
        return ""
    if not node.back_generation:
        return "" if _keeps(end, node.node) else "was neither taken back nor named"
    if turn is None or turn.version != end.before:
        return "was taken back to something else than was live"
    # Who had not begun to switch has it still, and nobody waits for that.
    return "" if end.keeps or has is not None or named_as_failed else "was not taken back and not named"


def _keeps(end: RolloutEnd, node: str) -> bool:
    return end.keeps and end.status in _UNDONE and _names(end, node)


def _names(end: RolloutEnd, node: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(node)}(?![\w-])", end.message) is not None


def _is_touched(node: CoveredNode) -> bool:
    return bool(node.generation or node.inherited_generation)


def _newest(node: CoveredNode) -> int:
    return node.back_generation or node.generation


def _overlap(one: TurnEnd, other: TurnEnd) -> bool:
    return one.began_s < (other.ended_s or inf) and other.began_s < (one.ended_s or inf)

"""Nodes serve releases and nothing else, never go back in generations, and come to what they should have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from .promise_rules import DEPLOY
from .records import (
    Asked,
    IntentSeen,
    LeftBehind,
    NodeEnd,
    Record,
    Refused,
    ReleaseEnd,
    TreeSeen,
    TroubleSeen,
    TurnEnd,
    only,
)
from .violation import Violation, broken

_Turn = tuple[str, str, str, int]

# What no service that is away, and nothing that a caller does, explains.
_OWN_FAULT: Final = "INTERNAL"


def nodes_serve_releases(history: Sequence[Record]) -> Iterator[Violation]:
    """What a node serves is byte for byte what was sent for the release that its link names."""
    sent = {one.deployment_id: one for one in only(history, Asked) if one.call == DEPLOY}
    releases = {(release.project, release.version): release for release in only(history, ReleaseEnd)}
    for tree in only(history, TreeSeen):
        release = releases.get((tree.project, tree.version))
        request = sent.get(release.deployment_id) if release is not None else None
        if release is None:
            yield broken(f"{tree.node} served a version that is no release", tree)
        elif request is None:
            yield broken(f"{tree.node} served a release whose content nobody sent", tree, release)
        elif tree.content != request.content:
            yield broken(f"{tree.node} served other bytes than were released", tree, request, release)


def generations_never_fall(history: Sequence[Record]) -> Iterator[Violation]:
    """A node that has obeyed a generation obeys no lower one."""
    last: dict[tuple[str, str], IntentSeen] = {}
    for seen in only(history, IntentSeen):
        before = last.get((seen.node, seen.project))
        if before is not None and seen.generation < before.generation:
            yield broken(f"{seen.node} went back in generations of {seen.project}", before, seen)
        last[seen.node, seen.project] = seen


def a_generation_is_one_release(history: Sequence[Record]) -> Iterator[Violation]:
    """All nodes of an environment that obey a generation have the same release by it.

    But those that failed at it: they go back to what they had, by the same generation.
    """
    turns = {_key(turn): turn for turn in only(history, TurnEnd)}
    first: dict[tuple[str, str, int], IntentSeen] = {}
    for seen in only(history, IntentSeen):
        turn = turns.get(_key(seen))
        if turn is not None and not turn.went_well:
            continue
        known = first.setdefault((seen.project, seen.environment, seen.generation), seen)
        if known.version != seen.version:
            yield broken(f"generation {seen.generation} of {seen.project} is two releases", known, seen)


def nodes_obey_what_they_are_assigned(history: Sequence[Record]) -> Iterator[Violation]:
    """What a node that got through has by a generation is what it was assigned by it."""
    turns = {_key(turn): turn for turn in only(history, TurnEnd) if turn.went_well}
    for seen in only(history, IntentSeen):
        turn = turns.get(_key(seen))
        if turn is not None and turn.version != seen.version:
            yield broken(f"{seen.node} obeyed another release than it was assigned", turn, seen)


def nodes_have_what_they_should(history: Sequence[Record]) -> Iterator[Violation]:
    """Within its time after the last fault every node has what SQL says."""
    for end in only(history, NodeEnd):
        if end.has != end.should:
            has, should = end.has or "nothing", end.should or "nothing"
            yield broken(f"{end.waited_s:.0f} s later {end.node} has {has} in place of {should}", end)


def nothing_is_left_behind(history: Sequence[Record]) -> Iterator[Violation]:
    """Staging, pins, locks and the bucket hold nothing that nothing needs."""
    for left in only(history, LeftBehind):
        yield broken(f"{left.what} was left in {left.where}", left)


def nodes_bear_every_fault(history: Sequence[Record]) -> Iterator[Violation]:
    """Whatever else breaks, a node goes on, and tells what is away, never of a fault of its own."""
    for trouble in only(history, TroubleSeen):
        yield broken(f"{trouble.node}: {trouble.what}", trouble)
    for refused in only(history, Refused):
        if refused.reason == _OWN_FAULT:
            yield broken(f"a call met a fault of the server's own: {refused.error}", refused)


def _key(one: IntentSeen | TurnEnd) -> _Turn:
    return one.node, one.environment, one.project, one.generation

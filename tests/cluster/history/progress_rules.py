"""Events are numbered without gaps, the same on every node, and end with one terminal event."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from .records import TERMINAL, DeploymentEnd, EventSeen, Record, only
from .violation import Violation, broken


def numbers_have_no_gaps(history: Sequence[Record]) -> Iterator[Violation]:
    """A follower is told 1, 2, 3 and so on, each once, wherever it asks; of old ones those that are left."""
    compacted = {end.deployment_id: end.compacted_through for end in only(history, DeploymentEnd)}
    last: dict[tuple[str, str], EventSeen] = {}
    for event in only(history, EventSeen):
        key = event.follower, event.deployment_id
        before = last.get(key)
        expected = before.sequence + 1 if before is not None else 1
        are_gone = expected < event.sequence <= compacted.get(event.deployment_id, 0) + 1
        if event.sequence != expected and not are_gone:
            told = [before, event] if before is not None else [event]
            yield broken(f"{event.follower} was told event {event.sequence} in place of {expected}", *told)
        last[key] = event


def nodes_tell_the_same(history: Sequence[Record]) -> Iterator[Violation]:
    """A number is one event, whoever tells it."""
    first: dict[tuple[str, int], EventSeen] = {}
    for event in only(history, EventSeen):
        known = first.setdefault((event.deployment_id, event.sequence), event)
        if (known.text, known.to_status) != (event.text, event.to_status):
            yield broken(f"event {event.sequence} of {event.deployment_id} is two events", known, event)


def one_terminal_event_is_the_last(history: Sequence[Record]) -> Iterator[Violation]:
    """Behind the terminal event comes nothing, and a deployment that ended has one."""
    ends = {end.deployment_id: end for end in only(history, DeploymentEnd)}
    terminal: dict[str, EventSeen] = {}
    highest: dict[str, EventSeen] = {}
    followed: dict[str, set[str]] = defaultdict(set)
    for event in only(history, EventSeen):
        followed[event.deployment_id].add(event.follower)
        if event.sequence >= highest.setdefault(event.deployment_id, event).sequence:
            highest[event.deployment_id] = event
        if event.to_status in TERMINAL:
            known = terminal.setdefault(event.deployment_id, event)
            if known.sequence != event.sequence:
                yield broken("a deployment has two terminal events", known, event)
    for deployment_id, last in highest.items():
        end, closing = ends.get(deployment_id), terminal.get(deployment_id)
        if closing is not None and last.sequence > closing.sequence:
            yield broken("an event comes behind the terminal one", closing, last)
        if end is None:
            yield broken("events were told of a deployment that is not there", last)
        elif closing is not None and end.last_sequence != closing.sequence:
            yield broken("the terminal event is not the last one on record", closing, end)
        elif end.status in TERMINAL and closing is None and last.sequence >= end.last_sequence:
            yield broken("a deployment ended without a terminal event", last, end)

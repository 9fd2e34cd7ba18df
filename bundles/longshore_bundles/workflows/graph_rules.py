"""The rules about how tasks follow each other: what is named must exist, and everything must be reached.

A task starts by itself when no other names it; that it names itself does not count. Loops are allowed, as
long as something leads into them.
"""

from __future__ import annotations

from collections.abc import Sequence

from longshore_bundles.documents.findings_about import FindingsAbout
from longshore_bundles.findings import quoted

from .task_places import PlacedTask


def check_graph(tasks: Sequence[PlacedTask], findings: FindingsAbout) -> None:
    """Hold the transitions of all tasks against the rules; takes time linear in tasks and transitions."""
    followers = _followers(tasks, findings)
    followed = {index for each in followers for index in each}
    reached = set(range(len(tasks))) - followed
    if tasks and not reached:
        findings.error(
            "NO_START_TASK",
            "no task starts, because each one follows another: leave out the transition that leads back to "
            "the first, or put a task before it",
            ("tasks",),
        )
        return
    waiting = list(reached)
    while waiting:
        new = followers[waiting.pop()] - reached
        reached |= new
        waiting.extend(new)
    for index, placed in enumerate(tasks):
        if index not in reached:
            message = (
                f"Task {quoted(placed.task.name)} is never reached, because only tasks lead to it that are "
                "not reached themselves: name it in a transition of one that is"
            )
            findings.error("TASK_UNREACHABLE", message, placed.pointer)


def _followers(tasks: Sequence[PlacedTask], findings: FindingsAbout) -> list[set[int]]:
    """By index, the tasks that follow each; what does not exist is told."""
    index_by_name: dict[str, int] = {}
    for index, placed in enumerate(tasks):
        index_by_name.setdefault(placed.task.name, index)
    followers: list[set[int]] = [set() for _ in tasks]
    for index, placed in enumerate(tasks):
        if placed.parent is not None:
            followers[placed.parent].add(index)
        for reference in placed.references:
            follower = index_by_name.get(reference.name) if reference.name else None
            if follower is not None:
                if follower != index:
                    followers[index].add(follower)
                continue
            findings.error(
                "TASK_UNKNOWN",
                f"Task {quoted(placed.task.name)} references non-existent task {quoted(reference.name)}",
                (*placed.pointer, *reference.pointer),
            )
    return followers

"""The tasks of a document, with the places where they and their transitions stand in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from longshore_bundles.documents import JsonValue
from longshore_bundles.documents.fields import Fields, Pointer, text

from .fields import NOTHING
from .model import Task


@dataclass(frozen=True, slots=True)
class WrittenTask:
    """A task as it stands in the document; ``name`` is empty where it has none, ``parent`` an index."""

    name: str
    fields: Fields
    pointer: Pointer
    parent: int | None


@dataclass(frozen=True, slots=True)
class Reference:
    """A task's name in a transition; ``pointer`` is counted from the task that the transition is of."""

    name: str
    pointer: Pointer


@dataclass(frozen=True, slots=True)
class PlacedTask:
    """A task, where it stands, and whom it names; ``parent`` is the index of the task that it is inside.

    ``written_name`` is what it says itself, which in a map may be something else than its key.
    """

    task: Task
    pointer: Pointer
    references: tuple[Reference, ...]
    parent: int | None
    written_name: str


ReadTask = Callable[[WrittenTask, tuple[Task, ...]], tuple[Task, tuple[Reference, ...]]]
"""Makes a task, and tells whom it names, from its fields and the tasks inside it."""


def written_tasks(tasks: JsonValue, pointer: Pointer, *, nested: bool) -> list[WrittenTask]:
    """All tasks of a list or a map by name, each before those inside it, in the order of the document.

    ``nested`` tells whether tasks may have tasks inside. What is no task is left out, except under a name.
    """
    found: list[WrittenTask] = []
    waiting = _directly_in(tasks, pointer, None)[::-1]
    while waiting:
        task = waiting.pop()
        if nested and "tasks" in task.fields:
            inside = _directly_in(task.fields["tasks"], (*task.pointer, "tasks"), len(found))
            waiting.extend(reversed(inside))
        found.append(task)
    return found


def placed_tasks(written: list[WrittenTask], read: ReadTask) -> list[PlacedTask]:
    """Make the tasks, in the same order."""
    placed: list[PlacedTask] = []
    inside: dict[int, list[Task]] = {}
    # From behind, because what is inside a task must be there before it.
    for index in range(len(written) - 1, -1, -1):
        each = written[index]
        task, references = read(each, tuple(reversed(inside.pop(index, []))))
        written_name = text(each.fields, "name")
        placed.append(PlacedTask(task, each.pointer, references, each.parent, written_name))
        if each.parent is not None:
            inside.setdefault(each.parent, []).append(task)
    placed.reverse()
    return placed


def _directly_in(tasks: JsonValue, pointer: Pointer, parent: int | None) -> list[WrittenTask]:
    if isinstance(tasks, list):
        return [
            WrittenTask(text(fields, "name"), fields, (*pointer, index), parent)
            for index, fields in enumerate(tasks)
            if isinstance(fields, dict)
        ]
    if isinstance(tasks, dict):
        return [
            WrittenTask(name, fields if isinstance(fields, dict) else NOTHING, (*pointer, name), parent)
            for name, fields in tasks.items()
        ]
    return []

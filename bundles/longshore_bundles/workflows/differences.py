"""What changed between the workflows of two releases: which came, which went, which are not the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from longshore_bundles.documents import JsonValue

from .model import Task, Workflow
from .parsed_form import parsed_form, parsed_task

_INSIDE = "tasks"


@dataclass(frozen=True, slots=True)
class TaskChange:
    """A task that is in both releases and is not the same; ``fields`` are its keys that differ, in order."""

    name: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkflowChange:
    """A workflow that is in both releases and is not the same.

    ``fields`` are its keys that differ, without ``tasks``, and ``valid`` where only one of them is. Tasks
    are told apart by their names. Where nothing is told, only comments, layout or the order of tasks differ.
    """

    old: Workflow
    new: Workflow
    fields: tuple[str, ...]
    tasks_added: tuple[str, ...]
    tasks_removed: tuple[str, ...]
    tasks_changed: tuple[TaskChange, ...]


@dataclass(frozen=True, slots=True)
class Differences:
    """All differences, each kind in the order of names."""

    added: tuple[Workflow, ...]
    removed: tuple[Workflow, ...]
    changed: tuple[WorkflowChange, ...]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.added or self.removed or self.changed)


def differences(old: Sequence[Workflow], new: Sequence[Workflow]) -> Differences:
    """Compare the workflows of two releases by their names; of two of one name the first counts."""
    before, after = _by_name(old), _by_name(new)
    changed = [
        _change(before[name], after[name])
        for name in before.keys() & after.keys()
        if not _is_same(before[name], after[name])
    ]
    return Differences(
        added=tuple(after[name] for name in sorted(after.keys() - before.keys())),
        removed=tuple(before[name] for name in sorted(before.keys() - after.keys())),
        changed=tuple(sorted(changed, key=lambda change: change.new.name)),
    )


def _by_name(workflows: Iterable[Workflow]) -> dict[str, Workflow]:
    named: dict[str, Workflow] = {}
    for workflow in workflows:
        named.setdefault(workflow.name, workflow)
    return named


def _is_same(old: Workflow, new: Workflow) -> bool:
    """Of one file; of StackStorm's a part stands in the metadata of their actions."""
    is_one_file = old.sha256 == new.sha256 and old.valid is new.valid
    return is_one_file and _is_equal(parsed_form(old), parsed_form(new))


def _change(old: Workflow, new: Workflow) -> WorkflowChange:
    fields = _differing(parsed_form(old), parsed_form(new))
    if old.valid is not new.valid:
        fields = ("valid", *fields)
    before, after = _tasks_by_name(old), _tasks_by_name(new)
    changed = [
        TaskChange(name, differing)
        for name in after
        if name in before and (differing := _task_differing(before[name], after[name]))
    ]
    return WorkflowChange(
        old,
        new,
        fields,
        tasks_added=tuple(name for name in after if name not in before),
        tasks_removed=tuple(name for name in before if name not in after),
        tasks_changed=tuple(changed),
    )


def _tasks_by_name(workflow: Workflow) -> dict[str, Task]:
    named: dict[str, Task] = {}
    for task in workflow.all_tasks():
        named.setdefault(task.name, task)
    return named


def _task_differing(old: Task, new: Task) -> tuple[str, ...]:
    """Keys that differ; of the tasks inside it only which they are, as they are compared themselves."""
    fields = _differing(parsed_task(old), parsed_task(new))
    same_inside = sorted(task.name for task in old.tasks) == sorted(task.name for task in new.tasks)
    return fields if same_inside else (*fields, _INSIDE)


def _differing(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> tuple[str, ...]:
    keys = dict.fromkeys([*new, *old])
    return tuple(key for key in keys if key != _INSIDE and not _is_equal(old.get(key), new.get(key)))


def _is_equal(old: JsonValue, new: JsonValue) -> bool:
    """As JSON, where 1 is not true, and the order of keys means nothing."""
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)

"""What the commands about workflows print that is none of the library's values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeletedWorkflows:
    """How many workflows of a project's releases were unregistered."""

    project: str
    deleted: int


@dataclass(frozen=True, slots=True)
class ChangedTask:
    """A task that is in both releases, and the keys of it that differ."""

    name: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangedWorkflow:
    """A workflow that is in both releases; `fields` are its keys that differ, `tasks` left out.

    Where all is empty the two mean the same: only comments, layout or the order of tasks differ.
    """

    ref: str
    fields: tuple[str, ...]
    tasks_added: tuple[str, ...]
    tasks_removed: tuple[str, ...]
    tasks_changed: tuple[ChangedTask, ...]


@dataclass(frozen=True, slots=True)
class WorkflowDifferences:
    """What differs between the workflows of two releases of a project, by reference."""

    project: str
    old_version: str
    new_version: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[ChangedWorkflow, ...]

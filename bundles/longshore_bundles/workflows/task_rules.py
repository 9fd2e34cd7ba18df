"""The rules about single tasks: their names, their actions, the ways they go on."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from longshore_bundles.documents.fields import Pointer
from longshore_bundles.documents.findings_about import FindingsAbout
from longshore_bundles.findings import printable, quoted

from .inline_values import is_expression
from .model import Task, TaskType, Transition, WorkflowSyntax
from .orquesta_form import ENGINE_COMMANDS
from .task_places import PlacedTask

MAX_TASK_NAME_CHARACTERS = 255
RESERVED_NAMES = frozenset({"parameters", "vars", "task", "system", "kv", "pack", "item", "batch", "index"})
"""What expressions call something else."""

_TASK_NAME = re.compile(r"\w(?:[\w .-]*[\w.-])?")
_ACTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*)+")


def check_tasks(
    tasks: Sequence[PlacedTask],
    syntax: WorkflowSyntax,
    pack_ref: str,
    actions: Collection[str],
    findings: FindingsAbout,
) -> None:
    """Hold each task against the rules; ``actions`` are the names that the pack ``pack_ref`` has."""
    own_prefix = f"{pack_ref}."
    seen: set[str] = set()
    for placed in tasks:
        task, pointer = placed.task, placed.pointer
        if task.name in seen:
            message = f"Duplicate task name: {printable(task.name)}"
            findings.error("TASK_NAME_DUPLICATE", message, pointer)
        elif task.name or isinstance(pointer[-1], str):
            seen.add(task.name)
            _check_name(task.name, syntax, pointer, findings)
        if task.action:
            _check_action(task, own_prefix, actions, (*pointer, "action"), findings)
        if task.tasks and task.type is not TaskType.PARALLEL:
            message = f"Task {quoted(task.name)} has tasks inside and is not parallel: write `type: parallel`"
            findings.error("TASKS_NOT_PARALLEL", message, (*pointer, "tasks"))
        if syntax is WorkflowSyntax.LONGSHORE:
            _check_written_name(placed, findings)
            _check_defaults(task, pointer, findings)


def _check_name(name: str, syntax: WorkflowSyntax, pointer: Pointer, findings: FindingsAbout) -> None:
    if name in RESERVED_NAMES or (syntax is WorkflowSyntax.ORQUESTA and name in ENGINE_COMMANDS):
        message = (
            f"{quoted(name)} means something else in expressions and transitions: call the task otherwise"
        )
        findings.error("TASK_NAME_RESERVED", message, pointer)
    if len(name) > MAX_TASK_NAME_CHARACTERS:
        message = (
            f"the task name {quoted(name)} is longer than {MAX_TASK_NAME_CHARACTERS} characters: shorten it"
        )
        findings.error("TASK_NAME_INVALID", message, pointer)
    elif _TASK_NAME.fullmatch(name) is None:
        message = (
            f"{quoted(name)} is no task name: use letters, digits, '_', '-', '.' and spaces, beginning with "
            "a letter, a digit or '_'"
        )
        findings.error("TASK_NAME_INVALID", message, pointer)


def _check_written_name(placed: PlacedTask, findings: FindingsAbout) -> None:
    name, written = placed.task.name, placed.written_name
    if written and written != name:
        message = f"the task {quoted(name)} calls itself {quoted(written)}: leave `name` out, the key counts"
        findings.error("TASK_NAME_DIFFERS", message, (*placed.pointer, "name"))


def _check_action(
    task: Task, own_prefix: str, actions: Collection[str], pointer: Pointer, findings: FindingsAbout
) -> None:
    action = task.action
    if is_expression(action):
        return
    if action.startswith(own_prefix) and action.removeprefix(own_prefix) not in actions:
        message = f"Task {quoted(task.name)} references undefined action {quoted(action)}"
        findings.error("ACTION_UNDEFINED", message, pointer)
    elif _ACTION.fullmatch(action) is None:
        message = (
            f"Task {quoted(task.name)} has {quoted(action)} for an action, which is none: write `pack.name`, "
            "as in core.http"
        )
        findings.error("ACTION_INVALID", message, pointer)


def _check_defaults(task: Task, pointer: Pointer, findings: FindingsAbout) -> None:
    branches = [each for each in task.transitions if each.outcome is None]
    for key, exclusive in (("next", False), ("decision", True)):
        defaults = sum(1 for each in branches if each.exclusive is exclusive and _is_default(each))
        if defaults > 1:
            message = (
                f"Task {quoted(task.name)} has {defaults} default branches in `{key}`: keep one, and write a "
                "condition (`when`) for the others, or all their tasks in the one"
            )
            findings.error("DEFAULT_NOT_UNIQUE", message, (*pointer, key))


def _is_default(branch: Transition) -> bool:
    return branch.default or not branch.when

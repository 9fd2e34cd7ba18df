"""A workflow as it was read: plain values, the same whichever way its file was written.

Expressions are text and stay as they are: Longshore does not run workflows. Where a number may also be
given as an expression, the field holds either. Mappings are shared with the document: do not change them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from longshore_bundles.documents import JsonValue

Count: TypeAlias = int | str
Seconds: TypeAlias = int | float | str
Publish: TypeAlias = tuple[tuple[str, JsonValue], ...]
"""Names with the expressions of what is kept under them, in their order; a name may come twice."""


class WorkflowSyntax(StrEnum):
    """In whose form a workflow's file is written."""

    LONGSHORE = "longshore"
    ORQUESTA = "orquesta"


class TaskType(StrEnum):
    """What a task does: run an action, run another workflow, or run tasks side by side."""

    ACTION = "action"
    WORKFLOW = "workflow"
    PARALLEL = "parallel"


class Outcome(StrEnum):
    """How a task may end, for what follows it."""

    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"
    COMPLETE = "complete"


class Backoff(StrEnum):
    """How the delay between tries grows."""

    CONSTANT = "constant"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a task that failed is tried again, and when. ``when`` is an expression, or empty."""

    count: Count
    delay_s: Seconds | None = None
    backoff: Backoff = Backoff.CONSTANT
    max_delay_s: Seconds | None = None
    when: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """What follows a task.

    ``outcome`` is set for what was written by how the task ends, and None where ``when`` (or nothing, for
    always) is the condition. ``exclusive`` ones stand in a decision: the first of them that holds is
    taken, and the ``default`` one when none does. ``do`` are names of tasks; ``commands`` are orquesta's
    own (``noop``, ``fail``, ``continue``, ``retry``), which are no tasks.
    """

    do: tuple[str, ...]
    outcome: Outcome | None = None
    when: str = ""
    publish: Publish = ()
    exclusive: bool = False
    default: bool = False
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """One step; ``tasks`` are those of a parallel one. None and empty where nothing is written."""

    name: str
    type: TaskType = TaskType.ACTION
    description: str = ""
    action: str = ""
    input: Mapping[str, JsonValue] | str = field(default_factory=dict)
    when: str = ""
    delay_s: Seconds | None = None
    with_items: list[JsonValue] | str | None = None
    batch_size: Count | None = None
    concurrency: Count | None = None
    timeout_s: Count | None = None
    retry: Retry | None = None
    publish: Publish = ()
    join: Count | None = None
    transitions: tuple[Transition, ...] = ()
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow of a pack, and the file it is from.

    ``ref`` is ``pack.name``; ``parameters`` and ``output`` are JSON Schemas, or None; ``output_map`` are the
    expressions of what it gives. ``sha256`` (64 hexadecimal digits) is that of the bytes of the file at
    ``path``. One that is not ``valid`` has errors among the findings, and may be empty or incomplete.
    """

    name: str
    ref: str
    path: str
    sha256: str
    valid: bool
    syntax: WorkflowSyntax = WorkflowSyntax.LONGSHORE
    label: str = ""
    version: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    enabled: bool = True
    vars: Mapping[str, JsonValue] = field(default_factory=dict)
    parameters: Mapping[str, JsonValue] | None = None
    output: Mapping[str, JsonValue] | None = None
    output_map: Mapping[str, JsonValue] = field(default_factory=dict)
    tasks: tuple[Task, ...] = ()

    def all_tasks(self) -> Iterator[Task]:
        """Its tasks, each before those inside it."""
        waiting = list(reversed(self.tasks))
        while waiting:
            task = waiting.pop()
            yield task
            waiting.extend(reversed(task.tasks))

    @property
    def task_count(self) -> int:
        """How many tasks it has, those inside parallel ones included."""
        return sum(1 for _ in self.all_tasks())

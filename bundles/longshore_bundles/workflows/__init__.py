"""Workflows of packs: read from their files, held against every rule, and compared between releases.

Longshore validates, versions and publishes workflows; it does not execute them. Nothing is raised for what
a file holds: it goes into a ``FindingLog``, all of it, with file and line.
"""

from __future__ import annotations

from .both_forms import read_all_workflows
from .differences import Differences, TaskChange, WorkflowChange, differences
from .model import (
    Backoff,
    Outcome,
    Retry,
    Task,
    TaskType,
    Transition,
    Workflow,
    WorkflowSyntax,
)
from .parsed_form import parsed_form, task_summary
from .reading import read_workflows
from .stackstorm import read_stackstorm_workflows

__all__ = [
    "Backoff",
    "Differences",
    "Outcome",
    "Retry",
    "Task",
    "TaskChange",
    "TaskType",
    "Transition",
    "Workflow",
    "WorkflowChange",
    "WorkflowSyntax",
    "differences",
    "parsed_form",
    "read_all_workflows",
    "read_stackstorm_workflows",
    "read_workflows",
    "task_summary",
]

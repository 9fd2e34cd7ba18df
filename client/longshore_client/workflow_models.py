"""What the calls about workflows give back; rules as in ``models``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .models import Finding


class SyncOutcome(StrEnum):
    """What became of a workflow that was read again."""

    UNKNOWN = "unknown"
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow of a release; ``ref`` is ``PACK.NAME``.

    One that is not ``registered`` is not valid, and kept to be looked at only. ``path`` is its file in the
    bundle, ``sha256`` that file's.
    """

    project: str
    release_version: str
    name: str
    ref: str
    label: str
    version: str
    description: str
    tags: tuple[str, ...]
    enabled: bool
    task_count: int
    path: str
    sha256: str
    registered: bool


@dataclass(frozen=True, slots=True)
class WorkflowDetail:
    """One workflow, its file as written, and its definition as read: None where it is not valid.

    ``definition`` has the keys of a workflow file, its tasks as a list.
    """

    workflow: Workflow
    source: bytes
    definition: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class WorkflowCounts:
    """How many workflows are live: registered ones, those of them that are enabled, and invalid ones."""

    registered: int
    enabled: int
    unregistered: int


@dataclass(frozen=True, slots=True)
class SyncedWorkflow:
    """A workflow that is registered now, what became of it, and what is worth mending in it."""

    ref: str
    release_version: str
    outcome: SyncOutcome
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkflowSync:
    """What reading workflow files again came to.

    ``loaded`` counts the files; ``pruned`` are references of what was registered and is not any more. Each
    sequence has the first of what its total counts.
    """

    loaded: int
    registered: tuple[SyncedWorkflow, ...]
    pruned: tuple[str, ...]
    errors: tuple[Finding, ...]
    total_errors: int
    total_registered: int
    total_pruned: int


@dataclass(frozen=True, slots=True)
class WorkflowFindings:
    """What was found in one workflow's file, the worst first."""

    path: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class WorkflowValidation:
    """What validating workflows told: how many files were read, and what was found, by file."""

    validated: int
    error_count: int
    workflows: tuple[WorkflowFindings, ...]

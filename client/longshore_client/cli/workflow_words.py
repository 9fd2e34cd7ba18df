"""Workflows as people read them: the columns of their tables, and what is known about one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from longshore_client.models import Severity
from longshore_client.workflow_models import (
    SyncedWorkflow,
    SyncOutcome,
    Workflow,
    WorkflowDetail,
    WorkflowSync,
    WorkflowValidation,
)

from .finding_output import print_findings
from .printer import Printer
from .tables import Column, Fact
from .wording import count, safe, words

if TYPE_CHECKING:
    from longshore_bundles.workflows import Task


def state_words(workflow: Workflow) -> str:
    """Whether a workflow may be run, is switched off, or is not valid."""
    if not workflow.registered:
        return "not valid"
    return "enabled" if workflow.enabled else "disabled"


def _state_color(workflow: Workflow) -> str:
    return "red" if not workflow.registered else "green" if workflow.enabled else "yellow"


WORKFLOW_COLUMNS: Final[list[Column[Workflow]]] = [
    Column("WORKFLOW", lambda w: w.ref, flexible=True),
    Column("VERSION", lambda w: w.version or "-", importance=2, flexible=True),
    Column("STATE", state_words, color=_state_color),
    Column("TASKS", lambda w: str(w.task_count), importance=3, right=True),
    Column("RELEASE", lambda w: w.release_version, importance=1),
    Column("LABEL", lambda w: w.label, importance=4, flexible=True),
    Column("TAGS", lambda w: ", ".join(w.tags), importance=5, flexible=True, remark=True),
    Column("FILE", lambda w: w.path, importance=6, flexible=True),
]

_OUTCOME_COLORS: Final = {SyncOutcome.CREATED: "green", SyncOutcome.UPDATED: "yellow"}

SYNC_COLUMNS: Final[list[Column[SyncedWorkflow]]] = [
    Column("WORKFLOW", lambda s: s.ref, flexible=True),
    Column("RELEASE", lambda s: s.release_version, importance=1),
    Column("REGISTERED", lambda s: words(s.outcome), color=lambda s: _OUTCOME_COLORS.get(s.outcome)),
    Column("TO MEND", lambda s: "; ".join(s.warnings), flexible=True, remark=True),
]


def workflow_facts(workflow: Workflow) -> list[Fact]:
    """What there may be to know about a workflow."""
    w = workflow
    return [
        Fact("workflow", w.ref),
        Fact("label", w.label),
        Fact("version", w.version),
        Fact("description", w.description),
        Fact("tags", ", ".join(w.tags)),
        Fact("state", state_words(w), _state_color(w)),
        Fact("release", f"{w.project}@{w.release_version}"),
        Fact("file", f"{w.path}, sha256:{w.sha256}"),
        Fact("tasks", str(w.task_count)),
    ]


def sync_words(sync: WorkflowSync) -> str:
    """What reading workflow files again came to, in one sentence."""
    pruned = f", {sync.total_pruned:,} not registered any more" if sync.total_pruned else ""
    wrong = f", {count(sync.total_errors, 'error')}" if sync.total_errors else ""
    return f"{count(sync.loaded, 'file')} read, {sync.total_registered:,} registered{pruned}{wrong}"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task of a workflow; ``depth`` counts the parallel tasks that it is in."""

    name: str
    depth: int
    runs: str
    followed_by: tuple[str, ...]


TASK_COLUMNS: Final[list[Column[TaskRow]]] = [
    Column("TASK", lambda t: f"{'· ' * t.depth}{t.name}", flexible=True),
    Column("RUNS", lambda t: t.runs, flexible=True),
    Column("THEN", lambda t: ", ".join(t.followed_by), importance=1, flexible=True),
]


def task_rows(tasks: Sequence[Task], depth: int = 0) -> Iterator[TaskRow]:
    """Tasks as rows, each before those inside it."""
    for task in tasks:
        followers = dict.fromkeys(name for transition in task.transitions for name in transition.do)
        yield TaskRow(task.name, depth, task.action or words(task.type), tuple(followers))
        yield from task_rows(task.tasks, depth + 1)


def show_workflow(printer: Printer, found: WorkflowDetail) -> None:
    """Show a workflow to people: what it says of itself, and its tasks."""
    from longshore_bundles.findings import FindingLog
    from longshore_bundles.workflows import read_workflows

    printer.facts(workflow_facts(found.workflow))
    path, pack = found.workflow.path, found.workflow.ref.partition(".")[0]
    # Of our form each has a label: without one, what could be either is the other.
    other = not found.workflow.label
    for read in read_workflows({path: found.source}, pack, (), FindingLog(), is_stackstorm=other):
        if read.tasks:
            click.echo()
            printer.table(TASK_COLUMNS, list(task_rows(read.tasks)))
    if not found.workflow.registered:
        release = f"{safe(found.workflow.project)}@{safe(found.workflow.release_version)}"
        click.echo(f"what is wrong with it: longshore workflows validate {release}", err=True)


def show_validation(printer: Printer, found: WorkflowValidation) -> None:
    """Show what validating workflows told."""
    if printer.for_programs:
        printer.print_object(found)
        return
    if printer.quiet:
        for each in found.workflows:
            click.echo(safe(each.path))
        return
    findings = [finding for each in found.workflows for finding in each.findings]
    print_findings(findings, len(findings), width=printer.width)
    told = sum(finding.severity is Severity.ERROR for finding in findings)
    if more := found.error_count - told:
        click.echo(f"… and {count(more, 'more error')}")
    errors = count(found.error_count, "error") if found.error_count else "no errors"
    click.echo(f"{count(found.validated, 'workflow')} validated, {errors}")


def show_sync(printer: Printer, sync: WorkflowSync) -> None:
    """Show what reading workflow files again came to."""
    if not printer.for_people:
        if printer.for_programs:
            printer.print_object(sync)
        for each in sync.registered if printer.quiet else ():
            click.echo(safe(each.ref))
        return
    if sync.registered:
        printer.table(SYNC_COLUMNS, sync.registered)
        if more := sync.total_registered - len(sync.registered):
            click.echo(f"… and {more:,} more")
        click.echo()
    for ref in sync.pruned:
        click.echo(f"not registered any more: {safe(ref)}")
    if more := sync.total_pruned - len(sync.pruned):
        click.echo(f"not registered any more: {count(more, 'other')}")
    print_findings(sync.errors, sync.total_errors, width=printer.width)
    click.echo(sync_words(sync))

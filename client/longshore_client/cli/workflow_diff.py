"""What differs between the workflows of two releases: read from a server, told in lines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from longshore_bundles.bundle_files import WORKFLOWS_FOLDER
from longshore_bundles.documents import ReadingBudget
from longshore_bundles.findings import FindingLog
from longshore_bundles.workflows import Workflow, WorkflowChange, differences
from longshore_bundles.workflows.definition import blank_workflow, read_definition
from longshore_client.bundle_models import BundleKind
from longshore_client.errors import PayloadReclaimed, PermissionDenied, PreconditionFailed

from .wording import safe, wrapped
from .workflow_results import ChangedTask, ChangedWorkflow, WorkflowDifferences

if TYPE_CHECKING:
    from longshore_client import workflow_models
    from longshore_client.client import Client

_AT_ONCE: Final = 8
_SAME_MEANING: Final = "it means the same: only comments, layout or the order of tasks differ"
_SIGNS: Final = {"+": "green", "-": "red", "~": "yellow"}


class DifferenceLine(NamedTuple):
    """Something that differs, or, without a sign, a remark; ``depth`` is 1 where it is about a workflow."""

    depth: int
    sign: str
    text: str


async def workflow_differences(client: Client, project: str, old: str, new: str) -> WorkflowDifferences:
    """Compare two releases; only files that may not be the same are fetched.

    Raises ``PreconditionFailed`` where the workflows of one were unregistered, and ``LongshoreError``.
    """
    before, after = await asyncio.gather(_listed(client, project, old), _listed(client, project, new))
    empty = dict.fromkeys(version for version, listed in ((old, before), (new, after)) if not listed)
    if gone := [version for version in empty if await _has_files(client, project, version)]:
        error = PreconditionFailed(
            f"the workflows of {project} {' and '.join(gone)} are unregistered: there is nothing to compare"
        )
        error.add_note(f"`longshore workflows sync {project}` brings them back")
        raise error
    same = {
        path
        for path in before.keys() & after.keys()
        if path.startswith(WORKFLOWS_FOLDER)
        and (before[path].sha256, before[path].registered) == (after[path].sha256, after[path].registered)
    }
    found = differences(
        await _read(client, [each for path, each in before.items() if path not in same]),
        await _read(client, [each for path, each in after.items() if path not in same]),
    )
    return WorkflowDifferences(
        project,
        old,
        new,
        added=tuple(each.ref for each in found.added),
        removed=tuple(each.ref for each in found.removed),
        changed=tuple(map(_changed, found.changed)),
    )


async def _listed(client: Client, project: str, version: str) -> Mapping[str, workflow_models.Workflow]:
    found = client.list_workflows(project=project, version=version, include_unregistered=True)
    async with aclosing(found):
        return {each.path: each async for each in found}


async def _has_files(client: Client, project: str, version: str) -> bool:
    """Whether a release has files of workflows, registered or not; False where nobody can tell any more."""
    try:
        if (await client.release(project, version)).bundle.kind is not BundleKind.PACK:
            return False
        return (await client.validate_workflows(project, version)).validated > 0
    except (PayloadReclaimed, PermissionDenied):
        return False


async def _read(client: Client, listed: list[workflow_models.Workflow]) -> list[Workflow]:
    room = asyncio.Semaphore(_AT_ONCE)

    async def read(one: workflow_models.Workflow) -> Workflow:
        async with room:
            detail = await client.get_workflow(one.project, one.name, version=one.release_version)
        pack = one.ref.partition(".")[0]
        blank = blank_workflow(pack, one.name, one.path, detail.source)
        definition = detail.definition or {}
        # Whether it is valid depends on the actions of the pack, and of StackStorm's the rest stands in the
        # action's metadata: both are known to the server.
        # Of our form each has a label: without one, what could be either is the other.
        other = not one.label
        return replace(
            read_definition(
                detail.source, blank, pack, (), FindingLog(), ReadingBudget(), is_stackstorm=other
            ),
            valid=one.registered,
            description=one.description,
            tags=one.tags,
            enabled=one.enabled,
            parameters=definition.get("parameters"),
        )

    return list(await asyncio.gather(*map(read, listed)))


def _changed(change: WorkflowChange) -> ChangedWorkflow:
    return ChangedWorkflow(
        change.new.ref,
        change.fields,
        change.tasks_added,
        change.tasks_removed,
        tuple(ChangedTask(task.name, task.fields) for task in change.tasks_changed),
    )


def difference_lines(found: WorkflowDifferences) -> Iterator[DifferenceLine]:
    """What differs, a line each, as people read it."""
    for ref in found.added:
        yield DifferenceLine(0, "+", ref)
    for ref in found.removed:
        yield DifferenceLine(0, "-", ref)
    for change in found.changed:
        yield DifferenceLine(0, "~", f"{change.ref}{_fields(change.fields)}")
        for name in change.tasks_added:
            yield DifferenceLine(1, "+", f"task {name}")
        for name in change.tasks_removed:
            yield DifferenceLine(1, "-", f"task {name}")
        for task in change.tasks_changed:
            yield DifferenceLine(1, "~", f"task {task.name}{_fields(task.fields)}")
        if not (change.fields or change.tasks_added or change.tasks_removed or change.tasks_changed):
            yield DifferenceLine(1, "", _SAME_MEANING)


def print_difference(line: DifferenceLine, *, width: int | None) -> None:
    """Print a line, in several where it does not fit into ``width``; safe for a terminal."""
    indentation = "  " * line.depth
    sign = f"{click.style(line.sign, fg=_SIGNS[line.sign])} " if line.sign else ""
    rest = "  " if line.sign else ""
    texts = [safe(line.text)] if width is None else wrapped(safe(line.text), width - len(indentation + rest))
    for index, text in enumerate(texts):
        click.echo(f"{indentation}{rest if index else sign}{text}")


def _fields(fields: tuple[str, ...]) -> str:
    return f": {', '.join(fields)}" if fields else ""

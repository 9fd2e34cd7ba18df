"""Reads the workflows of a pack in both forms, Longshore's own and StackStorm's, as one set of names."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from longshore_bundles.documents import ReadingBudget
from longshore_bundles.findings import Finding, FindingLog, Severity, quoted

from .model import Workflow
from .reading import read_workflows
from .stackstorm import read_stackstorm_workflows
from .workflow_files import workflow_files


def read_all_workflows(
    files: Mapping[str, bytes],
    pack_ref: str,
    actions: Collection[str],
    log: FindingLog,
    budget: ReadingBudget | None = None,
    *,
    is_stackstorm: bool = False,
) -> tuple[Workflow, ...]:
    """The workflows of the pack ``pack_ref``: those in ``workflows/``, then those that are actions.

    The arguments are as for ``read_workflows``. Where both forms claim a name, the one in ``workflows/`` has
    it, and the other is an error and left out.
    """
    budget = budget or ReadingBudget()
    names = [file.name for file in workflow_files(files, FindingLog())]
    stackstorm_log = FindingLog()
    stackstorm = read_stackstorm_workflows(files, pack_ref, [*actions, *names], stackstorm_log, budget)
    known = [*actions, *(workflow.name for workflow in stackstorm)]
    workflows = [*read_workflows(files, pack_ref, known, log, budget, is_stackstorm=is_stackstorm)]
    log.add_all(stackstorm_log)
    taken = {workflow.name.casefold(): workflow for workflow in workflows}
    for workflow in stackstorm:
        other = taken.get(workflow.name.casefold())
        if other is None:
            workflows.append(workflow)
        else:
            message = f"{quoted(other.path)} has the same name: keep one of the two"
            log.add(Finding("WORKFLOW_NAME_NOT_UNIQUE", Severity.ERROR, message, workflow.path))
    return tuple(workflows)

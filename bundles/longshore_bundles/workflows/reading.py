"""Reads all workflows of a pack: each is held against the rules, whatever is wrong with the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from longshore_bundles.documents import ReadingBudget
from longshore_bundles.findings import FindingLog

from .definition import blank_workflow, read_definition
from .model import Workflow
from .workflow_files import WorkflowFile, check_name, check_unique, workflow_files


def read_workflows(
    files: Mapping[str, bytes],
    pack_ref: str,
    actions: Collection[str],
    log: FindingLog,
    budget: ReadingBudget | None = None,
    *,
    is_stackstorm: bool = False,
) -> tuple[Workflow, ...]:
    """The workflows of the pack ``pack_ref``, in the order of their paths, the invalid ones too.

    ``files`` are the pack's, by their paths from its root; those outside ``workflows/`` are passed over.
    ``actions`` are the names of the pack's actions; its workflows count as actions by themselves. What is
    wrong goes into ``log``, with file and line. Two files may claim one name: both are invalid then.
    ``budget`` is what is left of the pack's; ``is_stackstorm`` is whether its manifest is in StackStorm's
    spelling.
    """
    budget = budget or ReadingBudget()
    found = workflow_files(files, log)
    by_name: defaultdict[str, list[WorkflowFile]] = defaultdict(list)
    for file in found:
        by_name[file.name.casefold()].append(file)
    known = {*actions, *(file.name for file in found)}
    workflows = []
    for file in found:
        own_log = FindingLog()
        check_name(file, pack_ref, own_log)
        check_unique(file, by_name[file.name.casefold()], own_log)
        data = files[file.path]
        blank = blank_workflow(pack_ref, file.name, file.path, data)
        read = read_definition(data, blank, pack_ref, known, own_log, budget, is_stackstorm=is_stackstorm)
        workflows.append(read)
        log.add_all(own_log)
    return tuple(workflows)

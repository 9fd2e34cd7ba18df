"""Reads the definition of one workflow, in either form, and holds it against all rules."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from hashlib import sha256

from longshore_bundles.bundle_files import ACTIONS_FOLDER
from longshore_bundles.documents import Document, ReadingBudget, read_yaml
from longshore_bundles.documents.fields import Fields
from longshore_bundles.documents.findings_about import FindingsAbout
from longshore_bundles.findings import FindingLog, quoted
from longshore_bundles.schemas import WORKFLOW, check_shape
from longshore_bundles.schemas.json_schemas import check_json_schema
from longshore_bundles.schemas.orquesta import ORQUESTA_WORKFLOW

from .graph_rules import check_graph
from .longshore_form import read_longshore_form
from .model import Workflow
from .orquesta_form import read_orquesta_form
from .task_rules import check_tasks
from .telling_forms import is_orquesta_form


def blank_workflow(pack_ref: str, name: str, path: str, data: bytes) -> Workflow:
    """What is known of a workflow before the ``data`` of its file is read."""
    return Workflow(name, f"{pack_ref}.{name}", path, sha256(data).hexdigest(), valid=False)


def read_definition(
    data: bytes,
    blank: Workflow,
    pack_ref: str,
    actions: Collection[str],
    log: FindingLog,
    budget: ReadingBudget | None = None,
    *,
    is_stackstorm: bool = False,
) -> Workflow:
    """Fill in ``blank`` from its file; ``log`` is this workflow's, and decides whether it is valid.

    ``actions`` are the names of all actions and workflows that the pack has, ``budget`` is what is left
    of the pack's; ``is_stackstorm`` is whether the pack's manifest is in StackStorm's spelling.
    """
    workflow = blank
    document = read_yaml(data, blank.path, log, budget=budget)
    if document is not None:
        is_action = blank.path.startswith(ACTIONS_FOLDER)
        is_orquesta = isinstance(document.value, dict) and is_orquesta_form(
            document.value, is_action=is_action, is_stackstorm=is_stackstorm
        )
        workflow = _filled_in(document, blank, pack_ref, actions, log, is_orquesta=is_orquesta)
    return replace(workflow, valid=not log.has_errors)


def _filled_in(
    document: Document,
    blank: Workflow,
    pack_ref: str,
    actions: Collection[str],
    log: FindingLog,
    *,
    is_orquesta: bool,
) -> Workflow:
    fields = document.value
    findings = FindingsAbout(document, log)
    if not isinstance(fields, dict):
        check_shape(document, WORKFLOW, log)
        return blank
    if is_orquesta:
        check_shape(document, ORQUESTA_WORKFLOW, log)
        workflow, tasks = read_orquesta_form(fields, blank)
        message = "this workflow is in StackStorm's form (orquesta), and is read as such"
        findings.info("ORQUESTA_FORM", message)
    else:
        check_shape(document, WORKFLOW, log)
        workflow, tasks = read_longshore_form(fields, blank)
        _check_head(fields, workflow, findings)
    check_tasks(tasks, workflow.syntax, pack_ref, actions, findings)
    check_graph(tasks, findings)
    return workflow


def _check_head(fields: Fields, workflow: Workflow, findings: FindingsAbout) -> None:
    """The rules about what stands beside the tasks, in Longshore's own form."""
    ref = fields.get("ref")
    if isinstance(ref, str) and ref != workflow.ref:
        message = f"`ref` is {quoted(ref)} and must be {quoted(workflow.ref)}, or not be written at all"
        findings.error("REF_WRONG", message, ("ref",))
    if workflow.parameters is not None:
        check_json_schema(workflow.parameters, ("parameters",), findings)
    if workflow.output is not None:
        check_json_schema(workflow.output, ("output",), findings)

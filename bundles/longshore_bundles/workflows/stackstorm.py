"""Reads the orquesta workflows of a StackStorm pack, which are actions there.

An action's metadata, ``actions/x.yaml``, says that it is one (``runner_type: orquesta``) and where its
definition is (``entry_point: workflows/x.yaml``, counted from ``actions/``). Name, description, parameters
and whether it is enabled come from the metadata, the rest from the definition.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache

from longshore_bundles.documents import Document, JsonValue, ReadingBudget, read_yaml
from longshore_bundles.documents.fields import Fields, mapping, text, texts
from longshore_bundles.documents.findings_about import FindingsAbout
from longshore_bundles.findings import FindingLog, quoted
from longshore_bundles.required_flags import flags_as_lists, required_names
from longshore_bundles.schemas.json_schemas import check_json_schema

from .definition import blank_workflow, read_definition
from .model import Workflow
from .workflow_files import WorkflowFile, check_name, check_unique, is_findable

_METADATA = re.compile(r"actions/[^/]+\.ya?ml")
_RUNNER = "orquesta"


@dataclass(frozen=True, slots=True)
class _Action:
    """An action that is a workflow: its metadata, as a document and as a file with the action's name."""

    document: Document
    fields: Fields
    file: WorkflowFile


def read_stackstorm_workflows(
    files: Mapping[str, bytes],
    pack_ref: str,
    actions: Collection[str],
    log: FindingLog,
    budget: ReadingBudget | None = None,
) -> tuple[Workflow, ...]:
    """The orquesta workflows of the pack ``pack_ref``, in the order of their metadata's paths.

    ``files``, ``actions``, ``log`` and ``budget`` are as for ``read_workflows``. The path and the checksum of
    a workflow are those of its definition. Metadata that is no document is told of by ``packs.read_items``,
    not here, and what it stands for counts there.
    """
    budget = budget or ReadingBudget()
    metadata = ReadingBudget()
    found = [action for path in sorted(files) if (action := _orquesta_action(path, files[path], metadata))]

    @cache
    def nameless(path: str) -> Workflow:
        # Many actions may name one definition.
        return blank_workflow(pack_ref, "", path, files[path])

    by_name: dict[str, list[WorkflowFile]] = {}
    for action in found:
        by_name.setdefault(action.file.name.casefold(), []).append(action.file)
    known = {*actions, *(action.file.name for action in found)}
    workflows = []
    for action in found:
        own_log = FindingLog()
        check_name(action.file, pack_ref, own_log)
        check_unique(action.file, by_name[action.file.name.casefold()], own_log)
        path = _definition_path(action, files, own_log)
        if path:
            name = action.file.name
            named = replace(nameless(path), name=name, ref=f"{pack_ref}.{name}")
            blank = _from_metadata(action, named, own_log)
            workflows.append(read_definition(files[path], blank, pack_ref, known, own_log, budget))
        log.add_all(own_log)
    return tuple(workflows)


def _orquesta_action(path: str, data: bytes, budget: ReadingBudget) -> _Action | None:
    """The action at ``path`` if it is a workflow."""
    if _METADATA.fullmatch(path) is None or _RUNNER.encode() not in data:
        return None
    document = read_yaml(data, path, FindingLog(), budget=budget)
    if document is None or not isinstance(document.value, dict):
        return None
    fields = document.value
    if text(fields, "runner_type") != _RUNNER:
        return None
    stem = path.removeprefix("actions/").rpartition(".")[0]
    return _Action(document, fields, WorkflowFile(path, text(fields, "name") or stem))


def _definition_path(action: _Action, files: Mapping[str, bytes], log: FindingLog) -> str:
    """The path of an action's definition; empty when nobody could find the workflow by it."""
    entry_point = text(action.fields, "entry_point")
    path = posixpath.normpath(f"actions/{entry_point}")
    if path in files:
        return path if is_findable(path, action.file.name, log) else ""
    message = (
        f"the entry point {quoted(entry_point)} is not in the pack: write the path of the workflow's "
        "definition, counted from actions/"
    )
    FindingsAbout(action.document, log).error("ENTRY_POINT_MISSING", message, ("entry_point",))
    return ""


def _from_metadata(action: _Action, blank: Workflow, log: FindingLog) -> Workflow:
    """What an action's metadata says of its workflow."""
    findings = FindingsAbout(action.document, log)
    parameters = mapping(action.fields, "parameters") or {}
    for name, schema in parameters.items():
        if isinstance(schema, dict):
            check_json_schema(flags_as_lists(schema), ("parameters", name), findings)
    return replace(
        blank,
        description=text(action.fields, "description"),
        tags=texts(action.fields.get("tags")),
        enabled=action.fields.get("enabled") is not False,
        parameters=_json_schema(parameters),
    )


def _json_schema(parameters: Fields) -> Fields | None:
    """StackStorm's parameters, where each says itself whether it is required, as one JSON Schema."""
    if not parameters:
        return None
    properties: dict[str, JsonValue] = {
        name: flags_as_lists(schema) for name, schema in parameters.items() if isinstance(schema, dict)
    }
    schema: dict[str, JsonValue] = {"type": "object", "properties": properties}
    required = required_names(parameters)
    return {**schema, "required": required} if required else schema

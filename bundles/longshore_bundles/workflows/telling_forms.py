"""Tells in which of the two forms a workflow is written, by what only one of them has.

Whoever forgets the label of a workflow of ours, or the quotes of its version, must be told so, and not be
held against the rules of another form.
"""

from __future__ import annotations

from longshore_bundles.documents.fields import Fields, text
from longshore_bundles.schemas import WORKFLOW
from longshore_bundles.schemas.orquesta import ORQUESTA_WORKFLOW
from longshore_bundles.schemas.vocabulary import Schema

from .inline_values import inline_action


def _task_keys(schema: Schema) -> frozenset[str]:
    return frozenset(schema["$defs"]["task"]["properties"])


_LISTED = ("input", "vars", "output")
"""Keys under which orquesta has lists. Longshore has mappings there, and no ``input`` at all."""
_OUR_KEYS = WORKFLOW["properties"].keys() - ORQUESTA_WORKFLOW["properties"].keys()
_OUR_TASK_KEYS = _task_keys(WORKFLOW) - _task_keys(ORQUESTA_WORKFLOW)
_ITS_TASK_KEYS = _task_keys(ORQUESTA_WORKFLOW) - _task_keys(WORKFLOW)


def is_orquesta_form(fields: Fields, *, is_action: bool, is_stackstorm: bool) -> bool:
    """Whether a document's outermost mapping is orquesta's.

    The definition of a StackStorm action (``is_action``) is, unless it has a label. Any other file is where
    nothing in it is Longshore's alone and something is orquesta's: lists where Longshore has none, a key of
    a task, or version 1.0 with tasks that go on by ``next`` or have inputs behind their action. In a pack
    in StackStorm's spelling (``is_stackstorm``) the version is enough.
    """
    tasks = fields.get("tasks")
    if "label" in fields or tasks is None:
        return False
    if is_action:
        return True
    if not isinstance(tasks, dict) or not _OUR_KEYS.isdisjoint(fields):
        return False
    if any(isinstance(fields.get(key), list) for key in _LISTED):
        return True
    written = [task for task in tasks.values() if isinstance(task, dict)]
    is_ours = any(isinstance(fields.get(key), dict) for key in _LISTED)
    if is_ours or not all(_OUR_TASK_KEYS.isdisjoint(task) for task in written):
        return False
    if not all(_ITS_TASK_KEYS.isdisjoint(task) for task in written):
        return True
    return _is_its_version(fields) and (is_stackstorm or any(map(_goes_on_as_its_tasks_do, written)))


def _is_its_version(fields: Fields) -> bool:
    version = fields.get("version")
    return isinstance(version, (int, float)) and not isinstance(version, bool) and version == 1


def _goes_on_as_its_tasks_do(task: Fields) -> bool:
    return "next" in task or bool(inline_action(text(task, "action"))[1])

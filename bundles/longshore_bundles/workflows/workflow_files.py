"""Which files of a pack are workflows, and what each is called: the rules about files and names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from longshore_bundles.findings import Finding, FindingLog, Severity, printable, quoted

WORKFLOWS_FOLDER = "workflows/"
MAX_REF_CHARACTERS = 255
MAX_PATH_CHARACTERS = 500

_ENDING = re.compile(r"\.ya?ml")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """A file that is a workflow; ``name`` is the file's without its ending."""

    path: str
    name: str


def workflow_files(paths: Iterable[str], log: FindingLog) -> list[WorkflowFile]:
    """The files directly in ``workflows/`` that end in ``.yaml`` or ``.yml``, in the order of their paths.

    YAML that stands elsewhere below, or ends in capitals, is not read, which ``log`` is told as a warning.
    """
    found = []
    for path in sorted(paths):
        if not path.startswith(WORKFLOWS_FOLDER):
            continue
        inside = path.removeprefix(WORKFLOWS_FOLDER)
        stem, dot, ending = inside.rpartition(".")
        if _ENDING.fullmatch(dot + ending.lower()) is None:
            continue
        if "/" in inside or ending != ending.lower():
            message = (
                "this file is not read: a workflow stands directly in workflows/, as NAME.yaml or NAME.yml"
            )
            log.add(Finding("WORKFLOW_FILE_IGNORED", Severity.WARNING, message, printable(path)))
        elif is_findable(path, "", log):
            found.append(WorkflowFile(path, stem))
    return found


def check_name(file: WorkflowFile, pack_ref: str, log: FindingLog) -> None:
    """Hold a workflow's name against the rules."""

    def error(message: str) -> None:
        log.add(Finding("WORKFLOW_NAME_INVALID", Severity.ERROR, message, file.path))

    name = quoted(file.name)
    if _NAME.fullmatch(file.name) is None:
        error(
            f"{name} is no name for a workflow: use letters, digits, '_', '-' and '.' for the file's name, "
            "beginning with a letter, a digit or '_'"
        )
    if len(pack_ref) + 1 + len(file.name) > MAX_REF_CHARACTERS:
        error(f"the workflow's name is too long: with its pack's it may have {MAX_REF_CHARACTERS} characters")


def is_findable(path: str, name: str, log: FindingLog) -> bool:
    """Whether a workflow's path and name are short enough to be found by; else ``log`` is told."""
    if len(path) <= MAX_PATH_CHARACTERS and len(name) <= MAX_REF_CHARACTERS:
        return True
    message = (
        f"the workflow is not read: its path may have {MAX_PATH_CHARACTERS} characters, its name "
        f"{MAX_REF_CHARACTERS}"
    )
    log.add(Finding("WORKFLOW_NAME_INVALID", Severity.ERROR, message, printable(path)))
    return False


def check_unique(file: WorkflowFile, same_name: list[WorkflowFile], log: FindingLog) -> None:
    """Tell when others of ``same_name``, which holds ``file`` too, have its name but for case and ending."""
    other = next((each for each in same_name if each is not file), None)
    if other is None:
        return
    message = f"{quoted(other.path)} has the same name but for case and ending: keep one of the two"
    log.add(Finding("WORKFLOW_NAME_NOT_UNIQUE", Severity.ERROR, message, file.path))

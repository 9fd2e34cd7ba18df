"""Skills: the front matter of ``SKILL.md``, and the scripts that must stand beside it.

Codes: FRONT_MATTER_MISSING, REQUIRED_FILE_MISSING, EXECUTE_SCRIPT_NOT_EXECUTABLE, INVALID_NAME_FORMAT,
INVALID_VERSION_FORMAT, VERSION_CONFLICT, KEY_MISSING; warnings DESCRIPTION_MISSING, TESTS_NOT_FOUND,
TEST_SCRIPT_NOT_EXECUTABLE; and those of ``documents`` and ``schemas``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .bundle_files import EXECUTE_SH, TEST_SH, BundleFile, BundleFiles
from .component import BundleManifest
from .documents import MAX_DOCUMENT_BYTES, Document, read_yaml
from .documents.fields import text, texts
from .documents.findings_about import FindingsAbout
from .findings import Finding, FindingLog, Severity
from .identity import usable_project, usable_version
from .kinds import SKILL_MD
from .schemas import SKILL_FRONT_MATTER, check_shape
from .schemas.vocabulary import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_LABEL_CHARACTERS,
    MAX_LINE_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_WORDS,
)
from .versions_beside import conflict_beside

_BOM = b"\xef\xbb\xbf"
_ENDS = (b"---", b"...")
_NAME_RULE = SKILL_FRONT_MATTER["properties"]["name"]


@dataclass(frozen=True, slots=True)
class SkillManifest(BundleManifest):
    """What a skill says about itself; empty where it says nothing that can be used."""

    description: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()


def read_skill(files: BundleFiles, log: FindingLog) -> SkillManifest:
    """Read and check a skill's files. What is wrong goes into ``log``."""
    _check_scripts(files, log)
    document = _front_matter(files[SKILL_MD], log)
    if document is None:
        return SkillManifest((SKILL_MD,))
    check_shape(document, SKILL_FRONT_MATTER, log)
    if not isinstance(document.value, dict):
        return SkillManifest((SKILL_MD,))
    fields = document.value
    findings = FindingsAbout(document, log)
    if "description" not in fields:
        message = "'description' is missing: say in a sentence what the skill does, so that it is found"
        findings.warning("DESCRIPTION_MISSING", message)
    name = text(fields, "name")
    is_skill_name = len(name) <= _NAME_RULE["maxLength"] and re.fullmatch(_NAME_RULE["pattern"], name)
    project = usable_project(name) if is_skill_name else ""
    if is_skill_name and not project:
        message = f"the name {name!r} makes no project: name the project with the deployment"
        findings.warning("INVALID_NAME_FORMAT", message, ("name",))
    version = usable_version(text(fields, "version"))
    if conflict := conflict_beside(files, SKILL_MD, version):
        findings.error("VERSION_CONFLICT", conflict, ("version",))
    return SkillManifest(
        (SKILL_MD,),
        name=name[:MAX_NAME_CHARACTERS],
        project=project,
        version=version,
        description=text(fields, "description", MAX_DESCRIPTION_CHARACTERS),
        author=text(fields, "author", MAX_LINE_CHARACTERS),
        tags=texts(fields.get("tags"), MAX_WORDS, MAX_LABEL_CHARACTERS),
    )


def _check_scripts(files: BundleFiles, log: FindingLog) -> None:
    def note(code: str, severity: Severity, message: str, path: str) -> None:
        log.add(Finding(code, severity, message, path))

    mode = "run 'chmod +x' on it, and pack it as a tar (a zip made on Windows has no such modes)"
    execute, test = files.get(EXECUTE_SH), files.get(TEST_SH)
    if execute is None:
        message = f"the skill has no {EXECUTE_SH}: put the script that runs it beside {SKILL_MD}"
        note("REQUIRED_FILE_MISSING", Severity.ERROR, message, EXECUTE_SH)
    elif not execute.executable:
        message = f"{EXECUTE_SH} is not executable: {mode}"
        note("EXECUTE_SCRIPT_NOT_EXECUTABLE", Severity.ERROR, message, EXECUTE_SH)
    if test is None:
        message = f"the skill has no {TEST_SH}: nobody can try it before it goes live"
        note("TESTS_NOT_FOUND", Severity.WARNING, message, TEST_SH)
    elif not test.executable:
        message = f"{TEST_SH} is not executable, so it cannot be run: {mode}"
        note("TEST_SCRIPT_NOT_EXECUTABLE", Severity.WARNING, message, TEST_SH)


def _front_matter(file: BundleFile, log: FindingLog) -> Document | None:
    """The YAML between the first line and the next one of three dashes, its lines counted as in the file."""

    if len(file.content) > MAX_DOCUMENT_BYTES:
        return read_yaml(file.content, SKILL_MD, log)
    first, *lines = file.content.removeprefix(_BOM).splitlines(keepends=True) or [b""]
    if first.rstrip() != b"---":
        _missing("the first line is not '---': begin with front matter between two such lines", log)
        return None
    for number, line in enumerate(lines):
        if line.rstrip() in _ENDS:
            return read_yaml(b"\n" + b"".join(lines[:number]), SKILL_MD, log)
    _missing("the front matter does not end: put a line '---' behind it", log)
    return None


def _missing(message: str, log: FindingLog) -> None:
    log.add(Finding("FRONT_MATTER_MISSING", Severity.ERROR, message, SKILL_MD, 1))

"""``pack.yaml``: its fields, and the rules that a schema cannot hold.

Codes: CONSTRAINT_INVALID, DEPENDENCY_DUPLICATE, DEPENDENCY_CYCLE, JSON_SCHEMA_INVALID; the
warning VERSION_CONFLICT; the note STACKSTORM_SPELLING; and those of ``documents`` and ``schemas``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from longshore_bundles.bundle_files import BundleFiles
from longshore_bundles.component import BundleManifest
from longshore_bundles.dependencies import ANY_VERSION, Dependency
from longshore_bundles.documents import JsonValue, ReadingBudget, read_yaml
from longshore_bundles.documents.fields import Fields, Pointer, items, mapping, text, texts
from longshore_bundles.documents.findings_about import FindingsAbout
from longshore_bundles.findings import FindingLog
from longshore_bundles.identity import usable_project, usable_version
from longshore_bundles.kinds import PACK_YAML
from longshore_bundles.schemas import PACK, check_shape
from longshore_bundles.schemas.vocabulary import (
    MAX_DEPENDENCIES,
    MAX_DESCRIPTION_CHARACTERS,
    MAX_LABEL_CHARACTERS,
    MAX_LINE_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_RUNTIMES,
    MAX_WORDS,
)
from longshore_bundles.versions_beside import conflict_beside

from .configuration import configuration_schema
from .constraint_rule import is_constraint
from .stackstorm import in_our_spelling

_REF = re.compile(PACK["properties"]["ref"]["pattern"])


@dataclass(frozen=True, slots=True)
class PackManifest(BundleManifest):
    """What a pack says about itself; empty where it says nothing that can be used.

    ``name`` is its ref. ``runtime_deps`` has a constraint by the runtime's name; ``conf_schema`` is a JSON
    Schema, or None; ``test_command`` are the words of the command that tests it; ``is_stackstorm`` is
    whether it is in StackStorm's spelling.
    """

    label: str = ""
    description: str = ""
    author: str = ""
    email: str = ""
    license: str = ""
    homepage: str = ""
    repository: str = ""
    keywords: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    meta: Mapping[str, JsonValue] = field(default_factory=dict)
    dependencies: tuple[Dependency, ...] = ()
    runtime_deps: Mapping[str, str] = field(default_factory=dict)
    conf_schema: Mapping[str, JsonValue] | None = None
    test_command: tuple[str, ...] = ()
    is_stackstorm: bool = False


def read_pack_manifest(
    files: BundleFiles, log: FindingLog, budget: ReadingBudget | None = None
) -> PackManifest:
    """Read and check a pack's manifest. What is wrong goes into ``log``; ``budget`` is the pack's."""
    budget = budget or ReadingBudget()
    document = read_yaml(files[PACK_YAML].content, PACK_YAML, log, budget=budget)
    if document is None:
        return PackManifest((PACK_YAML,))
    written, document = document, in_our_spelling(document, log)
    check_shape(document, PACK, log)
    if not isinstance(document.value, dict):
        return PackManifest((PACK_YAML,))
    fields = document.value
    findings = FindingsAbout(document, log)
    ref = text(fields, "ref")
    version = usable_version(text(fields, "version"))
    if conflict := conflict_beside(files, PACK_YAML, version):
        # A package in a pack may have versions of its own.
        findings.warning("VERSION_CONFLICT", conflict, ("version",))
    return PackManifest(
        (PACK_YAML,),
        name=ref[:MAX_NAME_CHARACTERS],
        project=usable_project(ref) if _REF.fullmatch(ref) else "",
        version=version,
        label=text(fields, "label", MAX_LABEL_CHARACTERS),
        description=text(fields, "description", MAX_DESCRIPTION_CHARACTERS),
        author=text(fields, "author", MAX_LINE_CHARACTERS),
        email=text(fields, "email", MAX_LINE_CHARACTERS),
        license=text(fields, "license", MAX_LINE_CHARACTERS),
        homepage=text(fields, "homepage", MAX_LINE_CHARACTERS),
        repository=text(fields, "repository", MAX_LINE_CHARACTERS),
        keywords=texts(fields.get("keywords"), MAX_WORDS, MAX_LABEL_CHARACTERS),
        tags=texts(fields.get("tags"), MAX_WORDS, MAX_LABEL_CHARACTERS),
        meta=mapping(fields, "meta") or {},
        dependencies=_dependencies(fields, ref, findings),
        runtime_deps=_runtime_deps(fields, findings),
        conf_schema=configuration_schema(files, fields, findings, budget),
        test_command=_test_command(text(fields, "tests"), findings),
        is_stackstorm=document is not written,
    )


def _dependencies(fields: Fields, own_ref: str, findings: FindingsAbout) -> tuple[Dependency, ...]:
    found: dict[str, Dependency] = {}
    for index, item in enumerate(items(fields, "dependencies")[:MAX_DEPENDENCIES]):
        pointer: Pointer = ("dependencies", index)
        written = item if isinstance(item, dict) else {"ref": item}
        ref = text(written, "ref")
        if not _REF.fullmatch(ref):
            continue
        constraint = text(written, "version") or ANY_VERSION
        if ref == own_ref:
            findings.error("DEPENDENCY_CYCLE", f"the pack {ref!r} needs itself: take that out", pointer)
        elif ref in found:
            message = f"the pack {ref!r} is needed twice: put both constraints into one, with a comma"
            findings.error("DEPENDENCY_DUPLICATE", message, pointer)
        elif is_constraint(constraint, (*pointer, "version"), findings):
            found[ref] = Dependency(ref, constraint)
    return tuple(found.values())


def _runtime_deps(fields: Fields, findings: FindingsAbout) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, constraint in islice((mapping(fields, "runtime_deps") or {}).items(), MAX_RUNTIMES):
        pointer = ("runtime_deps", name)
        if len(name) > MAX_NAME_CHARACTERS:
            message = f"the name of a runtime is longer than {MAX_NAME_CHARACTERS} characters: shorten it"
            findings.error("VALUE_INVALID", message, pointer)
        elif isinstance(constraint, str) and constraint and is_constraint(constraint, pointer, findings):
            found[name] = constraint
    return found


def _test_command(written: str, findings: FindingsAbout) -> tuple[str, ...]:
    """The command's words, as a shell would tell them apart; none of one that is too long."""
    if not written or len(written) > MAX_LINE_CHARACTERS:
        return ()
    try:
        words = tuple(shlex.split(written))
    except ValueError as error:
        findings.error("VALUE_INVALID", f"'tests' is no command: {error}: mend its quotes", ("tests",))
        return ()
    if not words:
        findings.error("VALUE_INVALID", "'tests' is no command: write one, or leave it out", ("tests",))
    return words

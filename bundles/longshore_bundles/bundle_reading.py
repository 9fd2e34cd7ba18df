"""Reads what a bundle is out of its files: kind, manifest, and what a pack has in it.

Pure and total: whatever the files hold, the result is a ``Bundle``, and what is wrong is in the log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .bundle_files import ACTIONS_FOLDER, MAX_KEPT_BYTES, MAX_KEPT_FILES, SENSORS_FOLDER, BundleFiles
from .component import BundleManifest, read_component_manifest
from .documents import ReadingBudget
from .findings import Finding, FindingLog, Severity, printable, quoted
from .kinds import ROOT_MANIFESTS, BundleKind, detect_kind
from .packs import PackItem, read_items, read_pack_manifest
from .skills import read_skill
from .versions_beside import component_files
from .workflows import Workflow, read_all_workflows

_METADATA = re.compile(rf"{ACTIONS_FOLDER}[^/]+\.ya?ml")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle is.

    ``workflow_files`` has the content of the files of its workflows, by their paths. ``workflow_findings``
    are the first of what was found about workflows, errors first; ``workflow_error_count`` counts all errors
    among it.
    """

    kind: BundleKind = BundleKind.COMPONENT
    manifest: BundleManifest | None = None
    actions: tuple[PackItem, ...] = ()
    sensors: tuple[PackItem, ...] = ()
    workflows: tuple[Workflow, ...] = ()
    workflow_files: Mapping[str, bytes] = field(default_factory=dict)
    workflow_findings: tuple[Finding, ...] = ()
    workflow_error_count: int = 0


def read_bundle(files: BundleFiles, log: FindingLog) -> Bundle:
    """Read and check a bundle. What is wrong goes into ``log``."""
    kind = detect_kind(files.at_root(), log)
    for path in sorted(files.links if kind is not BundleKind.COMPONENT else files.links & {*ROOT_MANIFESTS}):
        message = f"{quoted(path)} is a link, and is not read: put the file itself there"
        log.add(Finding("LINK_NOT_READ", Severity.WARNING, message, printable(path)))
    if kind is BundleKind.COMPONENT:
        return Bundle(kind, read_component_manifest(component_files(files), log))
    if kind is BundleKind.SKILL:
        return Bundle(kind, read_skill(files, log))
    return _read_pack(files, log)


def _read_pack(files: BundleFiles, log: FindingLog) -> Bundle:
    # What is told about workflows is asked for by itself, too, and must not be crowded out by the rest.
    workflow_log = FindingLog()
    if files.first_not_kept:
        message = (
            f"the pack has more than {MAX_KEPT_FILES} files or {MAX_KEPT_BYTES} bytes of YAML in actions/, "
            "sensors/ and workflows/, and the rest, from this file on, is not read: split it"
        )
        workflow_log.add(Finding("PACK_TOO_LARGE", Severity.ERROR, message, files.first_not_kept))
    budget = ReadingBudget()
    manifest_log = FindingLog()
    manifest = read_pack_manifest(files, manifest_log, budget)
    # Without a ref that can be used no workflow can be registered.
    (log if manifest.project else workflow_log).add_all(manifest_log)
    action_log = FindingLog()
    actions = read_items(files, ACTIONS_FOLDER, action_log, budget)
    log.add_all(action_log)
    sensors = read_items(files, SENSORS_FOLDER, log, budget)
    contents = files.contents()
    listed = {action.path for action in actions}
    not_listed = {path for path in contents if _METADATA.fullmatch(path) and path not in listed}
    readable = {path: content for path, content in contents.items() if path not in not_listed}
    names = [action.name for action in actions]
    workflows = read_all_workflows(
        readable, manifest.name, names, workflow_log, budget, is_stackstorm=manifest.is_stackstorm
    )
    if not manifest.project:
        workflows = tuple(replace(workflow, valid=False) for workflow in workflows)
    log.add_all(workflow_log)
    for finding in action_log.findings():
        # In the log already; a workflow may have been lost with it.
        if finding.path in not_listed and b"orquesta" in contents[finding.path]:
            workflow_log.add(finding)
    return Bundle(
        BundleKind.PACK,
        manifest,
        actions,
        sensors,
        workflows,
        {workflow.path: contents[workflow.path] for workflow in workflows},
        workflow_log.findings(),
        workflow_log.error_count,
    )

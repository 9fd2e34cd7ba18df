"""What a payload's bundle says of itself, as it is recorded with the release."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Any, Final, Self

from longshore_bundles import BundleScan
from longshore_bundles.packs import PackManifest
from longshore_bundles.skills import SkillManifest
from longshore_bundles.workflows import Workflow, parsed_form
from longshore_storage.catalogue import Transaction
from longshore_storage.catalogue.bundles import Need, record_bundle
from longshore_storage.catalogue.workflows import WorkflowRow, add_workflows, replace_workflows

# What is shown of a manifest, so that a release fits into a message; the payload has it whole.
_LONGEST_TEXT: Final = 2_000
_LONGEST_NAME: Final = 255
_MOST_NAMES: Final = 500
_MOST_TAGS: Final = 50


@dataclass(frozen=True, slots=True)
class BundleContent:
    """``kind`` is SKILL, PACK or COMPONENT; ``name`` as written, empty without one.

    ``files`` are those of the workflows, by sha256.
    """

    kind: str
    name: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    needs: Sequence[Need] = ()
    workflows: Sequence[WorkflowRow] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)

    async def record(self, transaction: Transaction, release_id: int) -> None:
        """Write it down with a new release."""
        if self.manifest:
            await record_bundle(transaction, release_id, self.manifest, self.needs)
        if self.workflows:
            await add_workflows(transaction, release_id, self.workflows, self.files)

    async def register(self, transaction: Transaction, release_id: int) -> int:
        """Write the workflows down with a release that may have them already; how many were deleted."""
        return await replace_workflows(transaction, release_id, self.workflows, self.files)


@dataclass(frozen=True, slots=True)
class Examined:
    """What looking a payload through brought to light, and what is recorded of it."""

    scan: BundleScan
    bundle: BundleContent

    @classmethod
    def of(cls, scan: BundleScan) -> Self:
        """Beside a scan what is recorded of it: blocking, up to some seconds."""
        return cls(scan, bundle_content_of(scan))


def bundle_content_of(scan: BundleScan) -> BundleContent:
    """What is recorded of a bundle that was looked through."""
    manifest = scan.manifest
    needs: Sequence[Need] = ()
    if isinstance(manifest, PackManifest):
        needs = [Need(each.ref, each.constraint) for each in manifest.dependencies]
    contents: dict[str, bytes] = {}
    workflows = [_row(workflow, scan.workflow_files, contents) for workflow in scan.workflows]
    name = manifest.name if manifest is not None else ""
    return BundleContent(scan.kind.name, name, _facts(scan), needs, workflows, contents)


def _facts(scan: BundleScan) -> Mapping[str, Any]:
    """What is kept of a manifest, for people and for nodes; without what is empty."""
    manifest = scan.manifest
    facts: dict[str, Any] = {"name": manifest.name if manifest is not None else ""}
    if isinstance(manifest, SkillManifest | PackManifest):
        facts |= {
            "description": manifest.description[:_LONGEST_TEXT],
            "author": manifest.author[:_LONGEST_NAME],
            "tags": _names(manifest.tags, _MOST_TAGS),
        }
    if isinstance(manifest, PackManifest):
        facts |= {
            "label": manifest.label[:_LONGEST_NAME],
            "dependencies": {each.ref: each.constraint for each in manifest.dependencies},
            "runtime_dependencies": dict(manifest.runtime_deps),
            "actions": _names(item.name for item in scan.actions),
            "sensors": _names(item.name for item in scan.sensors),
            "tests": list(manifest.test_command),
        }
    return {key: value for key, value in facts.items() if value}


def _names(names: Iterable[str], most: int = _MOST_NAMES) -> list[str]:
    return [name[:_LONGEST_NAME] for name in islice(names, most)]


def _row(workflow: Workflow, files: Mapping[str, bytes], contents: dict[str, bytes]) -> WorkflowRow:
    """A workflow's row; ``contents`` takes up what it names."""
    contents[workflow.sha256] = files[workflow.path]
    definition_sha256 = None
    if workflow.valid:
        definition = json.dumps(parsed_form(workflow), ensure_ascii=False).encode()
        definition_sha256 = sha256(definition).hexdigest()
        contents[definition_sha256] = definition
    return WorkflowRow(
        path=workflow.path,
        name=workflow.name[:_LONGEST_NAME],
        ref=workflow.ref[:_LONGEST_NAME],
        label=workflow.label[:_LONGEST_NAME],
        version=workflow.version[:_LONGEST_NAME],
        description=workflow.description[:_LONGEST_TEXT],
        tags=_names(workflow.tags, _MOST_TAGS),
        enabled=workflow.enabled,
        task_count=workflow.task_count,
        sha256=workflow.sha256,
        definition_sha256=definition_sha256,
        registered=workflow.valid,
    )

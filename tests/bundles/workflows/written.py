"""Writes workflows down and reads them, for the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from longshore_bundles.findings import Finding, FindingLog, Severity
from longshore_bundles.workflows import Workflow, read_stackstorm_workflows, read_workflows

PACK = "netops"
ACTIONS = ("restart", "drain")
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
HEAD = {"label": "Rolling restart", "version": "1.0.0"}


def task(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "action": "core.http", **fields}


def workflow(*tasks: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {**HEAD, "tasks": list(tasks) or [task("only")], **fields}


def written(document: object) -> bytes:
    return yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True).encode()


def read_files(files: Mapping[str, bytes]) -> tuple[tuple[Workflow, ...], tuple[Finding, ...]]:
    log = FindingLog()
    workflows = read_workflows(files, PACK, ACTIONS, log)
    assert log.total == len(log.findings())
    return workflows, log.findings()


def read_pack(files: Mapping[str, bytes]) -> tuple[tuple[Workflow, ...], tuple[Finding, ...]]:
    """As a pack of StackStorm."""
    log = FindingLog()
    workflows = read_stackstorm_workflows(files, PACK, ACTIONS, log)
    return workflows, log.findings()


def read(document: object, path: str = "workflows/deploy.yaml") -> tuple[Workflow, tuple[Finding, ...]]:
    """One workflow, which may be written down already; it is valid as long as there is no error."""
    data = document if isinstance(document, bytes) else written(document)
    workflows, findings = read_files({path: data})
    (only,) = workflows
    assert only.valid is not any(finding.severity is Severity.ERROR for finding in findings)
    assert all(finding.path == path and finding.message for finding in findings)
    return only, findings


def codes(document: object) -> list[str]:
    return [finding.code for finding in read(document)[1]]


def accepted(document: object) -> Workflow:
    found, findings = read(document)
    assert findings == ()
    return found

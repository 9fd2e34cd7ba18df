"""A payload on this machine, held against the rules: what ``longshore validate`` tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from longshore_bundles import BundleError
from longshore_client.bundle_description import described
from longshore_client.bundle_models import Bundle
from longshore_client.contents import findings_of, scanned
from longshore_client.errors import PayloadUnreadable
from longshore_client.models import Finding, Severity


@dataclass(frozen=True, slots=True)
class CheckedPayload:
    """What a payload holds, and what is wrong with it; `findings` are the first of `total_findings`.

    `bundle` is null where it cannot be unpacked safely; `content_sha256` has `sha256:` before its digits, or
    is empty then. `project` and `version` are what its manifest gives a deployment.
    """

    path: str
    valid: bool
    project: str
    version: str
    bundle: Bundle | None
    workflow_count: int
    content_sha256: str
    entries: int
    unpacked_size_bytes: int
    findings: tuple[Finding, ...]
    total_findings: int

    @property
    def has_warnings(self) -> bool:
        """Whether anything is worth mending."""
        return any(finding.severity is Severity.WARNING for finding in self.findings)


def check_payload(path: Path) -> CheckedPayload:
    """Look a directory, an archive or a file through.

    What no archive can be made of is told as a finding. Raises ``PayloadUnreadable``, ``PayloadChanged``.
    """
    try:
        found = scanned(path)
    except PayloadUnreadable as error:
        if not isinstance(error.__cause__, BundleError):
            raise
        cause = error.__cause__
        finding = Finding(cause.reason, Severity.ERROR, cause.message, cause.path, None)
        return CheckedPayload(str(path), False, "", "", None, 0, "", 0, 0, (finding,), 1)
    manifest = found.manifest
    return CheckedPayload(
        path=str(path),
        valid=found.accepted,
        project=manifest.project if manifest else "",
        version=manifest.version if manifest else "",
        bundle=described(found) if found.is_safe else None,
        workflow_count=len(found.workflows),
        content_sha256=f"sha256:{found.content_sha256}" if found.is_safe else "",
        entries=found.entry_count,
        unpacked_size_bytes=found.unpacked_bytes,
        findings=tuple(findings_of(found.findings)),
        total_findings=found.total_findings,
    )

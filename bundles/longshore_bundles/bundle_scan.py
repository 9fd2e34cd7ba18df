"""What looking a payload through brings to light, the same whether it was unpacked or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .component import BundleManifest
from .examination import Examination
from .findings import Finding, FindingLog
from .formats import PayloadFormat
from .kinds import BundleKind
from .packs import PackItem
from .workflows import Workflow


@dataclass(frozen=True, slots=True)
class BundleScan:
    """What a payload holds.

    ``content_sha256`` is empty when it cannot be unpacked safely. ``findings`` are the first of them, errors
    first; ``total_findings`` counts all. ``entry_count`` counts the archive's entries, ``unpacked_bytes``
    the content of its files. ``stripped_directory`` is the top-level directory that is left out, or empty.
    ``manifest`` is a ``SkillManifest`` or ``PackManifest`` where ``kind`` says so. ``workflow_files`` has
    the content of the files of ``workflows``, by their paths. ``workflow_findings`` are those that are about
    workflows, bounded for themselves and errors first; ``workflow_error_count`` counts all errors among them.
    """

    payload_format: PayloadFormat
    content_sha256: str
    entry_count: int
    unpacked_bytes: int
    stripped_directory: str = ""
    manifest: BundleManifest | None = None
    findings: tuple[Finding, ...] = ()
    total_findings: int = 0
    has_errors: bool = False
    kind: BundleKind = BundleKind.COMPONENT
    actions: tuple[PackItem, ...] = ()
    sensors: tuple[PackItem, ...] = ()
    workflows: tuple[Workflow, ...] = ()
    workflow_files: Mapping[str, bytes] = field(default_factory=dict)
    workflow_findings: tuple[Finding, ...] = ()
    workflow_error_count: int = 0

    @property
    def is_safe(self) -> bool:
        """Whether it can be unpacked; errors that are left are in what its own files say."""
        return bool(self.content_sha256)

    @property
    def accepted(self) -> bool:
        """Whether nothing was found that stops a deployment."""
        return self.is_safe and not self.has_errors

    def gives_back(self, payload_sha256: str) -> bool:
        """Whether the unpacked tree alone suffices to make exactly the payload's bytes again.

        So it is with a single file and with a tar that is canonical to the byte.
        """
        return self.is_safe and self.content_sha256 == payload_sha256


def scan_of(examination: Examination, payload_format: PayloadFormat, content_sha256: str) -> BundleScan:
    """The result of a pass; ``content_sha256`` may have been found in another way."""
    bundle = examination.bundle
    log = FindingLog()
    log.add_all(examination.log)
    log.add_all(examination.content_log)
    return BundleScan(
        payload_format,
        "" if examination.log.has_errors else content_sha256,
        examination.entry_count,
        examination.unpacked_bytes,
        examination.stripped_directory,
        bundle.manifest,
        log.findings(),
        log.total,
        log.has_errors,
        bundle.kind,
        bundle.actions,
        bundle.sensors,
        bundle.workflows,
        bundle.workflow_files,
        bundle.workflow_findings,
        bundle.workflow_error_count,
    )

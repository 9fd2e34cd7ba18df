"""What looking a payload through brings to light, the same whether it was unpacked or not."""

from __future__ import annotations

from dataclasses import dataclass

from .component import BundleManifest
from .examination import Examination
from .findings import Finding
from .formats import PayloadFormat


@dataclass(frozen=True, slots=True)
class BundleScan:
    """What a payload holds.

    ``content_sha256`` is empty when ``findings`` hold an error. ``findings`` are the first of them, errors
    first; ``total_findings`` counts all. ``entry_count`` counts the archive's entries, ``unpacked_bytes``
    the content of its files. ``stripped_directory`` is the top-level directory that is left out, or empty.
    """

    payload_format: PayloadFormat
    content_sha256: str
    entry_count: int
    unpacked_bytes: int
    stripped_directory: str = ""
    manifest: BundleManifest | None = None
    findings: tuple[Finding, ...] = ()
    total_findings: int = 0

    @property
    def accepted(self) -> bool:
        """Whether nothing was found that stops a deployment."""
        return bool(self.content_sha256)

    def gives_back(self, payload_sha256: str) -> bool:
        """Whether the unpacked tree alone suffices to make exactly the payload's bytes again.

        So it is with a single file and with a tar that is canonical to the byte.
        """
        return self.accepted and self.content_sha256 == payload_sha256


def scan_of(examination: Examination, payload_format: PayloadFormat, content_sha256: str) -> BundleScan:
    """The result of a pass; ``content_sha256`` may have been found in another way."""
    return BundleScan(
        payload_format,
        "" if examination.log.has_errors else content_sha256,
        examination.entry_count,
        examination.unpacked_bytes,
        examination.stripped_directory,
        examination.manifest,
        examination.log.findings(),
        examination.log.total,
    )

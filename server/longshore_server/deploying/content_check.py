"""What the look into a payload means for its deployment: refused, or what is told and recorded of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from longshore_bundles import BundleScan, PayloadFormat
from longshore_server.findings import told
from longshore_server.refusal import MOST_FINDINGS_TOLD, Reason, Refusal
from longshore_storage.payloads import StoredPayload

from .recording import Content
from .requests import Header


def check_content(scan: BundleScan, header: Header) -> None:
    """Raise ``Refusal`` for content that is unsafe or is not what the header says."""
    if not scan.accepted:
        findings = [told(finding) for finding in scan.findings[:MOST_FINDINGS_TOLD]]
        raise Refusal(
            Reason.ARCHIVE_INVALID,
            f"the payload is refused: {findings[0].message}"
            + (f" (and {scan.total_findings - 1} more findings)" if scan.total_findings > 1 else ""),
            findings=findings,
            total_findings=scan.total_findings,
        )
    if scan.payload_format is PayloadFormat.FILE and not header.file_name:
        raise Refusal(
            Reason.VALIDATION_FAILED,
            "the payload is no archive, so it is installed as one file: say under which name",
            violations={"header.file_name": "is required for a payload that is no archive"},
        )
    manifest = scan.manifest
    if manifest is not None and manifest.project not in ("", header.project):
        raise Refusal(
            Reason.VALIDATION_FAILED,
            f"{', '.join(manifest.file_names)} names {manifest.name!r}, "
            f"which is project {manifest.project!r}, the header says {header.project!r}: make them agree",
            violations={"header.project": f"the manifest says {manifest.project!r}"},
        )


def content_of(scan: BundleScan, stored: StoredPayload, header: Header) -> Content:
    """What is recorded."""
    return Content(
        payload_sha256=stored.sha256,
        payload_size_bytes=stored.size_bytes,
        payload_format=scan.payload_format.name,
        file_name=header.file_name if scan.payload_format is PayloadFormat.FILE else "",
        content_sha256=scan.content_sha256,
        entries=scan.entry_count,
        unpacked_size_bytes=scan.unpacked_bytes,
        manifest_version=scan.manifest.version if scan.manifest is not None else "",
    )


def examined_body(scan: BundleScan) -> dict[str, Any]:
    """The body of the event ``content_examined``."""
    return {
        "content_sha256": scan.content_sha256,
        "entries": scan.entry_count,
        "unpacked_size_bytes": scan.unpacked_bytes,
        "findings": [asdict(told(finding)) for finding in scan.findings[:MOST_FINDINGS_TOLD]],
        "total_findings": scan.total_findings,
    }

"""What the look into a payload means for its deployment: refused, or what is told and recorded of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from longshore_bundles import BundleScan, PayloadFormat
from longshore_server.findings import told
from longshore_server.refusal import MOST_FINDINGS_TOLD, FindingTold, Reason, Refusal
from longshore_storage.payloads import StoredPayload

from .bundle_content import Examined
from .recording import Content
from .requests import Header


def check_content(scan: BundleScan, header: Header) -> None:
    """Raise ``Refusal`` for content that is unsafe, wrong in itself, or not what the header says."""
    if not scan.is_safe:
        raise content_refused(Reason.ARCHIVE_INVALID, scan)
    if not scan.accepted and not header.skip_validation:
        raise content_refused(Reason.VALIDATION_FAILED, scan)
    if header.bundle_kind not in ("", scan.kind.name):
        raise Refusal(
            Reason.VALIDATION_FAILED,
            f"the payload is a {scan.kind}, the header says {header.bundle_kind.lower()}: make them agree, "
            "or leave the header's out",
            violations={"header.bundle_kind": f"the payload is a {scan.kind}"},
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


def content_refused(reason: Reason, scan: BundleScan) -> Refusal:
    """The refusal of a payload for what was found in it; its message has the first finding."""
    findings = [told(finding) for finding in scan.findings[:MOST_FINDINGS_TOLD]]
    first = findings[0]
    where = f"{first.path}:{first.line}: " if first.path and first.line else ""
    left = scan.total_findings - 1
    more = f" (and {left} more {'finding' if left == 1 else 'findings'})" if left > 0 else ""
    return Refusal(
        reason,
        f"the payload is refused: {where}{first.message}{more}",
        findings=findings,
        total_findings=scan.total_findings,
    )


def content_of(examined: Examined, stored: StoredPayload, header: Header) -> Content:
    """What is recorded."""
    scan = examined.scan
    return Content(
        payload_sha256=stored.sha256,
        payload_size_bytes=stored.size_bytes,
        payload_format=scan.payload_format.name,
        file_name=header.file_name if scan.payload_format is PayloadFormat.FILE else "",
        content_sha256=scan.content_sha256,
        entries=scan.entry_count,
        unpacked_size_bytes=scan.unpacked_bytes,
        manifest_version=scan.manifest.version if scan.manifest is not None else "",
        bundle=examined.bundle,
        validation_skipped=not scan.accepted,
    )


def examined_body(scan: BundleScan, found: Sequence[FindingTold], total: int) -> dict[str, Any]:
    """The body of the event ``content_examined``: the first of the ``total`` that were ``found``."""
    return {
        "content_sha256": scan.content_sha256,
        "entries": scan.entry_count,
        "unpacked_size_bytes": scan.unpacked_bytes,
        "findings": [asdict(finding) for finding in found[:MOST_FINDINGS_TOLD]],
        "total_findings": total,
    }

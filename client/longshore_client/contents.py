"""What a file or directory on this machine holds: its content checksum and the project its manifest names.

The same code that the server examines payloads with; it blocks and belongs into a thread.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from longshore_bundles import DETECT_BYTES, BundleScan, detect_format, directory_checksum, scan
from longshore_bundles.component import MANIFEST_NAMES, MAX_MANIFEST_BYTES, read_component_manifest
from longshore_bundles.findings import FindingLog

from .errors import PayloadRefused, ProjectUnknown
from .models import Finding, PayloadFormat, Severity
from .payloads import readable, unreadable


@dataclass(frozen=True, slots=True)
class Content:
    """A file or directory, by its content; ``payload_format`` is None for a directory."""

    path: Path
    content_sha256: str
    payload_format: PayloadFormat | None


def content_of(path: Path) -> Content:
    """The content checksum of a directory, an archive or a file.

    Raises ``PayloadUnreadable``, ``PayloadChanged``, and ``PayloadRefused`` with what is wrong in an archive.
    """
    if path.is_dir():
        with readable(path):
            return Content(path, directory_checksum(path), None)
    found = _scanned(path)
    if not found.accepted:
        findings = [
            Finding(each.code, Severity(each.severity.value), each.message, each.path, each.line)
            for each in found.findings
        ]
        raise PayloadRefused(
            f"{path} has no content checksum: it would be refused",
            findings=findings,
            total_findings=found.total_findings,
        )
    return Content(path, found.content_sha256, PayloadFormat(found.payload_format.value))


def project_named_in(path: Path) -> str:
    """The project that the manifest in a directory or an archive names. Raises ``ProjectUnknown``."""
    if path.is_dir():
        return _project_of_directory(path)
    manifest = _scanned(path).manifest
    if manifest is not None and manifest.project:
        return manifest.project
    return _unknown(f"no manifest in {path} names one")


def _scanned(path: Path) -> BundleScan:
    with readable(path), path.open("rb") as file, tempfile.TemporaryDirectory(prefix="longshore-") as scratch:
        head = file.read(DETECT_BYTES)
        file.seek(0)
        return scan(file, detect_format(head, path.name), scratch=Path(scratch))


def _project_of_directory(directory: Path) -> str:
    files: dict[str, bytes] = {}
    for name in MANIFEST_NAMES:
        try:
            with (directory / name).open("rb") as file:
                files[name] = file.read(MAX_MANIFEST_BYTES + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise unreadable(directory / name, error) from error
    log = FindingLog()
    manifest = read_component_manifest(files, log)
    if manifest is not None and manifest.project:
        return manifest.project
    findings = log.findings()
    if findings:
        return _unknown(findings[0].message)
    if manifest is not None:
        return _unknown(f"{' and '.join(manifest.file_names)} in {directory} names none")
    return _unknown(f"{directory} has neither {' nor '.join(MANIFEST_NAMES)}")


def _unknown(why: str) -> NoReturn:
    raise ProjectUnknown(f"no project was given, and {why}")

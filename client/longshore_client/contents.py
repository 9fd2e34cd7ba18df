"""What a file or directory on this machine holds: its content checksum and the project its manifest names.

The same code that the server examines payloads with; it blocks and belongs into a thread.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import longshore_bundles
from longshore_bundles import (
    DEFAULT_LIMITS,
    DETECT_BYTES,
    BundleError,
    BundleScan,
    UnpackLimits,
    detect_format,
    scan,
    walk_tree,
)
from longshore_bundles.bundle_files import BundleFile, BundleFiles
from longshore_bundles.bundle_reading import read_bundle
from longshore_bundles.content_checksum import file_checksum
from longshore_bundles.documents import MAX_DOCUMENT_BYTES
from longshore_bundles.findings import FindingLog
from longshore_bundles.kinds import ROOT_MANIFESTS
from longshore_bundles.packs import PackManifest
from longshore_bundles.regular_files import NotRegular, open_regular

from .directory_stream import DirectoryStream
from .errors import PayloadRefused, ProjectUnknown
from .file_opening import open_file
from .models import Finding, PayloadFormat, Severity
from .payloads import readable, unreadable
from .watched_stream import Check, WatchedStream

_FETCHED_BYTES = 16 << 30
FETCHED_LIMITS = UnpackLimits(max_total_bytes=_FETCHED_BYTES, max_file_bytes=_FETCHED_BYTES)
"""For what others serve: it is unpacked on this machine to be looked through."""


@dataclass(frozen=True, slots=True)
class Content:
    """A file or directory, by its content; ``payload_format`` is None for a directory."""

    path: Path
    content_sha256: str
    payload_format: PayloadFormat | None


@dataclass(frozen=True, slots=True)
class PackContents:
    """The workflow files of a pack by their paths in it, its name, the names of its actions, its spelling.

    As ``Client.validate_workflow_files`` takes them.
    """

    files: Mapping[str, bytes]
    pack: str
    actions: tuple[str, ...]
    is_stackstorm: bool


def _go_on() -> None:
    pass


def content_of(path: Path, limits: UnpackLimits = DEFAULT_LIMITS, check: Check = _go_on) -> Content:
    """The content checksum of a directory, an archive or a file; ``check`` is called while it is read.

    Raises ``PayloadUnreadable``, ``PayloadChanged``, what ``check`` raises, and ``PayloadRefused`` with what
    is wrong in an archive.
    """
    if path.is_dir():
        with readable(path):
            tar = cast("BinaryIO", WatchedStream(DirectoryStream(path), check))
            return Content(path, file_checksum(tar), None)
    found = scanned(path, limits, check)
    if not found.is_safe:
        raise PayloadRefused(
            f"{path} has no content checksum: it would be refused",
            findings=findings_of(found.findings),
            total_findings=found.total_findings,
        )
    return Content(path, found.content_sha256, PayloadFormat(found.payload_format.value))


def pack_contents(path: Path) -> PackContents:
    """What the workflows of the pack at ``path``, a directory or an archive, are validated with.

    Raises ``PayloadUnreadable``, ``PayloadChanged``, and ``PayloadRefused`` for what is no pack with a name.
    """
    found = scanned(path)
    if not isinstance(found.manifest, PackManifest) or not found.manifest.name:
        raise PayloadRefused(
            f"{path} is no pack that names itself",
            findings=findings_of(found.findings),
            total_findings=found.total_findings,
        )
    actions = tuple(action.name for action in found.actions)
    return PackContents(found.workflow_files, found.manifest.name, actions, found.manifest.is_stackstorm)


def findings_of(found: Iterable[longshore_bundles.Finding]) -> list[Finding]:
    """Findings as this library tells them."""
    return [
        Finding(each.code, Severity(each.severity.value), each.message, each.path, each.line)
        for each in found
    ]


def project_named_in(path: Path, limits: UnpackLimits = DEFAULT_LIMITS) -> str:
    """The project that the manifest in a directory or an archive names. Raises ``ProjectUnknown``."""
    if path.is_dir():
        return _project_of_directory(path)
    found = scanned(path, limits)
    if found.manifest is not None and found.manifest.project:
        return found.manifest.project
    if not found.is_safe:
        return _unknown(f"{path} cannot be looked through: {found.findings[0].message}")
    return _unknown(f"no manifest in {path} names one")


def scanned(path: Path, limits: UnpackLimits = DEFAULT_LIMITS, check: Check = _go_on) -> BundleScan:
    """Look through a directory, an archive or a file; what is wrong with it is in the result.

    ``check`` is called while it is read. Raises ``PayloadUnreadable``, ``PayloadChanged``, and what ``check``
    raises.
    """
    with readable(path), tempfile.TemporaryDirectory(prefix="longshore-") as scratch:
        if path.is_dir():
            tar = cast("BinaryIO", WatchedStream(DirectoryStream(path), check))
            return scan(tar, longshore_bundles.PayloadFormat.TAR, scratch=Path(scratch))
        with open_file(path) as file:
            head = file.read(DETECT_BYTES)
            file.seek(0)
            watched = cast("BinaryIO", WatchedStream(file, check))
            return scan(watched, detect_format(head, path.name), limits, scratch=Path(scratch))


def root_of(directory: Path) -> Path:
    """Where the tree of a directory begins: there, or in its only directory where that has the manifest."""
    try:
        first = next(walk_tree(directory, honour_ignore_file=True), None)
    except BundleError:
        first = None
    return Path(first.location.removesuffix(f"/{first.path}")) if first else directory


def _project_of_directory(directory: Path) -> str:
    files, directory = BundleFiles(), root_of(directory)
    not_read = ""
    for name in ROOT_MANIFESTS:
        try:
            with open_regular(directory / name) as file:
                files.add(name, BundleFile(file.read(MAX_DOCUMENT_BYTES + 1)))
        except FileNotFoundError:
            continue
        except NotRegular as error:
            # What is deployed would not go by it either.
            not_read = not_read or f"{directory / name} is not read: {error.strerror}"
        except OSError as error:
            raise unreadable(directory / name, error) from error
    log = FindingLog()
    manifest = read_bundle(files, log).manifest
    if manifest is None:
        names = f"{', '.join(ROOT_MANIFESTS[:-1])} or {ROOT_MANIFESTS[-1]}"
        return _unknown(not_read or f"{directory} has no {names}")
    if manifest.project:
        return manifest.project
    for finding in log.findings():
        if finding.path in manifest.file_names:
            return _unknown(f"{directory / finding.path}: {finding.message}")
    return _unknown(f"{' and '.join(manifest.file_names)} in {directory} names none")


def _unknown(why: str) -> NoReturn:
    raise ProjectUnknown(f"no project was given, and {why}")

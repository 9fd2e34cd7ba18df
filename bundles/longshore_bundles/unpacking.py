"""Unpacks a payload into a new directory: whole and safe, or not at all.

``examination`` holds the rules and ``tree_writer`` keeps every write inside; here is what surrounds them:
the directory is new, it is gone again after any failure, and a sole top-level directory with a manifest is
stripped. Blocking; call it in a thread.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from .archives import open_archive
from .bundle_scan import BundleScan, scan_of
from .content_checksum import directory_checksum
from .errors import ContentRefused
from .examination import Examination
from .file_digests import FileDigests
from .formats import PayloadFormat
from .limits import DEFAULT_LIMITS, UnpackLimits
from .names import check_file_name
from .tree_writer import TreeWriter

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class UnpackResult:
    """What was unpacked, and the digests of its files."""

    scan: BundleScan
    file_digests: FileDigests


def unpack(
    source: BinaryIO,
    destination: Path,
    payload_format: PayloadFormat,
    limits: UnpackLimits = DEFAULT_LIMITS,
    *,
    file_name: str = "",
    reads_bundle: bool = True,
    keeps_digests: bool = True,
) -> UnpackResult:
    """Unpack the payload from the source's position on into ``destination``, which must not exist.

    Files get mode 0644 or 0755, whatever the archive says besides. A FILE is written as ``file_name``,
    0644. Only a zip needs a source that can seek. Nothing is synced to the disk. With ``reads_bundle`` turned
    off the scan does not say what the payload is: its manifest and workflows are not read. What they say
    wrongly refuses nothing here; it is among the findings. With ``keeps_digests`` turned off there are none.

    Raises ``ContentRefused`` with the findings, ``InvalidName`` for the file's name, what the source
    raises, and ``OSError`` of the destination; then nothing is left of it.
    """
    if payload_format is PayloadFormat.FILE:
        check_file_name(file_name)
    writer = TreeWriter(destination)
    digests = FileDigests()
    try:
        try:
            if payload_format is PayloadFormat.FILE:
                return _write_single_file(source, writer, file_name)
            archive = open_archive(source, payload_format, limits)
            kept = digests if keeps_digests else None
            examination = Examination(archive, writer, kept, reads_bundle=reads_bundle)
            examination.run()
        finally:
            writer.close()
        if examination.log.has_errors:
            raise ContentRefused(examination.log.findings(), examination.log.total)
        _strip(destination, examination.stripped_directory)
        content_sha256 = examination.content_sha256
        if content_sha256 is None:
            content_sha256 = directory_checksum(destination, honour_ignore_file=False)
        return UnpackResult(scan_of(examination, payload_format, content_sha256), digests)
    except BaseException:
        shutil.rmtree(destination, ignore_errors=True)
        raise


def _write_single_file(source: BinaryIO, writer: TreeWriter, file_name: str) -> UnpackResult:
    content, record = sha256(), blake3()
    size = 0

    def blocks() -> Iterator[bytes]:
        nonlocal size
        while data := source.read(_READ_BYTES):
            size += len(data)
            content.update(data)
            record.update(data)
            yield data

    writer.write_file(file_name, blocks(), executable=False)
    digests = FileDigests()
    digests.add(file_name, record.digest())
    scan = BundleScan(PayloadFormat.FILE, content.hexdigest(), entry_count=1, unpacked_bytes=size)
    return UnpackResult(scan, digests)


def _strip(destination: Path, directory: str) -> None:
    if directory:
        beside = destination.with_name(f"{destination.name}.stripped")
        (destination / directory).rename(beside)
        destination.rmdir()
        beside.rename(destination)

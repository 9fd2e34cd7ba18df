"""Looks a payload through without installing it: is it safe, what is in it, what is its checksum.

Nothing is written, except where an archive's entries come in an order that leaves no other way to its
checksum: then it is unpacked into a scratch folder for a moment. Blocking; call it in a thread.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from .archive_source import ArchiveSource
from .archives import open_archive
from .bundle_scan import BundleScan, scan_of
from .content_checksum import file_checksum
from .errors import ContentRefused
from .examination import Examination
from .formats import PayloadFormat
from .limits import DEFAULT_LIMITS, UnpackLimits
from .unpacking import unpack


class SecondReadingNeeded(io.UnsupportedOperation):
    """The archive's checksum needs it to be unpacked; it was found safe, and has so many entries and bytes.

    Copies that its hard links stand for are not among the bytes.
    """

    def __init__(self, entry_count: int, unpacked_bytes: int) -> None:
        super().__init__("the archive has to be read a second time, and its source cannot seek")
        self.entry_count = entry_count
        self.unpacked_bytes = unpacked_bytes


def scan(
    source: BinaryIO,
    payload_format: PayloadFormat,
    limits: UnpackLimits = DEFAULT_LIMITS,
    *,
    scratch: Path,
) -> BundleScan:
    """Look a payload through, from the source's position on.

    ``source`` must be able to seek for a zip, and for an archive whose entries are not in canonical order:
    such a one is read a second time, unpacked below ``scratch`` and removed again. What is wrong with the
    payload is in the result. Raises ``SecondReadingNeeded`` for such a one whose source cannot seek
    (``scan_by_unpacking`` is the second reading), ``io.UnsupportedOperation`` for such a zip, what the
    source raises, and ``OSError`` of the scratch folder.
    """
    if payload_format is PayloadFormat.FILE:
        counted = ArchiveSource(source)
        content_sha256 = file_checksum(cast("BinaryIO", counted))
        return BundleScan(payload_format, content_sha256, entry_count=1, unpacked_bytes=counted.read_bytes)
    start = source.tell() if source.seekable() else 0
    examination = Examination(open_archive(source, payload_format, limits))
    examination.run()
    if examination.content_sha256 is not None or examination.log.has_errors:
        return scan_of(examination, payload_format, examination.content_sha256 or "")
    if not source.seekable():
        raise SecondReadingNeeded(examination.entry_count, examination.unpacked_bytes)
    source.seek(start)
    return scan_by_unpacking(source, payload_format, limits, scratch=scratch)


def scan_by_unpacking(
    source: BinaryIO, payload_format: PayloadFormat, limits: UnpackLimits, *, scratch: Path
) -> BundleScan:
    """Look an archive through by unpacking it below ``scratch``; gives and raises what ``scan`` does."""
    with tempfile.TemporaryDirectory(prefix="scan-", dir=scratch) as folder:
        try:
            return unpack(source, Path(folder, "tree"), payload_format, limits, keeps_digests=False).scan
        except ContentRefused as refused:
            return BundleScan(
                payload_format,
                "",
                0,
                0,
                findings=refused.findings,
                total_findings=refused.total_findings,
                has_errors=True,
            )

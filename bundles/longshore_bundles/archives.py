"""Archives of every accepted format as one thing: entries that come one after another.

``open_archive`` chooses the reader. Nothing is judged here but whether the archive, or an entry of it,
can be read at all; what an entry may be is for ``entry_rules``. Memory is bounded by a few MiB, and for
zip by its list of entries.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from .archive_entry import ArchiveEntry
from .archive_source import ArchiveSource, unpacked_stream
from .formats import PayloadFormat
from .limits import Meter, UnpackLimits
from .tar_reader import read_tar
from .zip_reader import read_zip


class Archive:
    """An open archive: its entries, once, and the meter that counts them and their bytes.

    The entries of a zip come in canonical order, those of a tar in their own.
    """

    def __init__(self, source: BinaryIO, payload_format: PayloadFormat, limits: UnpackLimits) -> None:
        if payload_format is PayloadFormat.FILE:
            raise ValueError("a FILE is no archive: it has no entries")
        counted = ArchiveSource(source)
        if payload_format is PayloadFormat.ZIP:
            if not source.seekable():
                raise io.UnsupportedOperation("a zip is read from its end: lay it down as a file first")
            self.meter = Meter(limits, counted.size_bytes)
            self._entries = read_zip(counted, self.meter)
        else:
            self.meter = Meter(limits, lambda: counted.read_bytes)
            self._entries = read_tar(unpacked_stream(counted, payload_format, self.meter), self.meter)

    def entries(self) -> Iterator[ArchiveEntry]:
        """The entries; each one's content is to be read before the next is asked for.

        Raises ``ArchiveUnreadable``, ``LimitExceeded``, and whatever the source raises.
        """
        for entry in self._entries:
            self.meter.count_entry()
            yield entry


def open_archive(source: BinaryIO, payload_format: PayloadFormat, limits: UnpackLimits) -> Archive:
    """Open an archive at the source's present position.

    A tar of any kind is read as a stream; a zip begins at the start of a source that can seek, otherwise
    it is ``io.UnsupportedOperation``.
    """
    return Archive(source, payload_format, limits)

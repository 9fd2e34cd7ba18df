"""Reads a zip by the standard library, its entries in canonical order.

Bounds what the library does not: the list of entries is counted before objects are made of it, only stored
and deflated content is read, because other methods allocate what the archive says, and no byte of the zip is
content of two entries, nor read for next to nothing. A name counts as the bytes it is, which must be UTF-8;
the code page that zip names as a default is what nobody means.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from .archive_entry import ArchiveEntry
from .archive_source import BLOCK_BYTES, ArchiveSource
from .entry_rules import MAX_LINK_BYTES, EntryKind
from .errors import ArchiveUnreadable, EntryRefused, LimitExceeded
from .findings import quoted
from .limits import Meter

_ENCRYPTED = 0x1
_UTF8 = 0x800
_DIRECTORY_RECORD = b"PK\x01\x02"
_DIRECTORY_RECORD_BYTES = 46
_MEAN_RECORD_BYTES = 256
_LOCAL_HEADER_BYTES = 30
# What stands before an entry's content, of more than the library looks at: it may reach into the next one.
_MOST_HEADER_BYTES = 4096
_UNIX = 3


def read_zip(source: ArchiveSource, meter: Meter) -> Iterator[ArchiveEntry]:
    """The entries of the zip in ``source``, which must be able to seek.

    Raises ``ArchiveUnreadable``, ``LimitExceeded``.
    """
    with _damage_translated(source):
        archive = zipfile.ZipFile(cast("IO[bytes]", _DirectoryGuard(source, meter.limits.max_entries)))
    with archive:
        _refuse_overlaps(archive)
        source.expect_content()
        # In place, and each name made anew: half a million of both is much.
        entries = archive.infolist()
        entries.sort(key=_order)
        archive.NameToInfo.clear()
        for info in entries:
            yield _entry(_name(info), info, _Content(archive, info, source, meter))


def _refuse_overlaps(archive: zipfile.ZipFile) -> None:
    """Raises ``ArchiveUnreadable`` where an entry reaches into the next one, or into the list of entries."""
    # The library looks for this only since Python 3.11.8, and only at what is opened.
    end = archive.start_dir
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset, reverse=True):
        name_bytes = len(info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437"))
        if info.header_offset + _LOCAL_HEADER_BYTES + name_bytes + info.compress_size > end:
            raise ArchiveUnreadable(
                "ARCHIVE_CORRUPT",
                f"{quoted(info.orig_filename)} overlaps what stands behind it in the zip: make it anew",
                path=info.orig_filename,
            )
        end = info.header_offset


def _order(info: zipfile.ZipInfo) -> bytes:
    return _name(info).encode("utf-8", "surrogateescape")


def _name(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename
    if not info.flag_bits & _UTF8:
        name = name.encode("cp437").decode("utf-8", "surrogateescape")
    # Some writers give directories their mode but not their slash, on which the order depends.
    if stat.S_ISDIR(info.external_attr >> 16) and not name.endswith("/"):
        name += "/"
    return name


def _entry(name: str, info: zipfile.ZipInfo, content: _Content) -> ArchiveEntry:
    mode = info.external_attr >> 16
    shown = quoted(name)
    problem = None
    if info.flag_bits & _ENCRYPTED:
        problem = EntryRefused("ENTRY_UNSUPPORTED", f"{shown} is encrypted: make the zip without", path=name)
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problem = EntryRefused(
            "ENTRY_UNSUPPORTED",
            f"{shown} is compressed by method {info.compress_type}: make the zip with deflate or without "
            "compression",
            path=name,
        )
    elif "\\" in name:
        problem = EntryRefused(
            "PATH_INVALID", f"{shown} has backslashes: make the zip with '/' between directories", path=name
        )
    elif name.endswith("/") and info.file_size:
        problem = EntryRefused("PATH_INVALID", f"{shown} is a directory and yet has content", path=name)
    elif stat.S_ISLNK(mode) and info.file_size > MAX_LINK_BYTES:
        problem = EntryRefused("LINK_INVALID", f"the target of the link {shown} is too long", path=name)
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        problem = EntryRefused(
            "SPECIAL_FILE", f"{shown} is a device, pipe or socket: leave it out", path=name
        )
    if problem is not None:
        return ArchiveEntry(name, EntryKind.SPECIAL, problem=problem)
    if name.endswith("/"):
        return ArchiveEntry(name, EntryKind.DIRECTORY)
    if stat.S_ISLNK(mode):
        target = b"".join(content.blocks()).decode("utf-8", "surrogateescape")
        return ArchiveEntry(name, EntryKind.LINK, target=target)
    executable = info.create_system == _UNIX and bool(mode & stat.S_IXUSR)
    return ArchiveEntry(name, EntryKind.FILE, info.file_size, executable, blocks=content.blocks)


class _Content:
    """An entry's content, counted; its CRC is checked by the library."""

    def __init__(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: ArchiveSource, meter: Meter
    ) -> None:
        self._archive = archive
        self._info = info
        self._source = source
        self._meter = meter

    def blocks(self) -> Iterator[bytes]:
        """All of the content."""
        left = self._info.file_size
        before = self._source.read_bytes
        with _damage_translated(self._source, self._info.orig_filename):
            file = self._archive.open(self._info)
        self._source.disregard(min(self._source.read_bytes - before, _MOST_HEADER_BYTES))
        with file:
            while True:
                with _damage_translated(self._source, self._info.orig_filename):
                    data = file.read(BLOCK_BYTES)
                if not data:
                    break
                left -= len(data)
                self._meter.count_bytes(len(data))
                self._source.count_content(len(data))
                yield data
        if left:
            shown = quoted(self._info.orig_filename)
            raise ArchiveUnreadable(
                "ARCHIVE_CORRUPT",
                f"{shown} has another size than the zip says: make or send it again",
                path=self._info.orig_filename,
            )


class _DirectoryGuard:
    """The file as the library sees it, which reads a zip's whole list of entries by one call.

    That call is where their number can be checked before objects are made of them.
    """

    def __init__(self, source: ArchiveSource, max_entries: int) -> None:
        self._source = source
        self._max_entries = max_entries
        self.seek = source.seek
        self.tell = source.tell
        self.seekable = source.seekable

    def read(self, size: int = -1) -> bytes:
        """Read from the source; a list of too many entries is ``LimitExceeded``."""
        if size > max(BLOCK_BYTES, self._max_entries * _MEAN_RECORD_BYTES):
            raise self._too_many()
        data = self._source.read(size) or b""
        if data.startswith(_DIRECTORY_RECORD) and len(data) > _DIRECTORY_RECORD_BYTES * self._max_entries:
            self._count(data)
        return data

    def _count(self, data: bytes) -> None:
        count = position = 0
        while data.startswith(_DIRECTORY_RECORD, position) and position + _DIRECTORY_RECORD_BYTES <= len(
            data
        ):
            count += 1
            if count > self._max_entries:
                raise self._too_many()
            position += _DIRECTORY_RECORD_BYTES + sum(struct.unpack_from("<3H", data, position + 28))

    def _too_many(self) -> LimitExceeded:
        return LimitExceeded(
            "TOO_MANY_ENTRIES",
            f"the zip has more than {self._max_entries} entries: split it, or put what belongs together into "
            "an archive of its own inside",
        )


@contextmanager
def _damage_translated(source: ArchiveSource, name: str = "") -> Iterator[None]:
    """The library's many complaints about a damaged zip become one; the source's failures stay."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
        OverflowError,
        OSError,
        struct.error,
        zlib.error,
    ) as error:
        if source.failure is not None:
            raise source.failure from None
        about = f"{quoted(name)} in the zip" if name else "the zip"
        raise ArchiveUnreadable(
            "ARCHIVE_CORRUPT", f"{about} is damaged ({error}): make or send it again", path=name
        ) from error

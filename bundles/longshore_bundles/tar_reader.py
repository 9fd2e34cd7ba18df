"""Reads a tar strictly, as a stream: ustar, pax, GNU and the old format before them.

Each block is taken apart by the standard library, what stands between them is read here: ``tarfile``
takes damage in the middle for the end, reads headers of any size into memory, recurses once a header that
precedes another, and goes on silently where other programs see other entries. Here whatever is ambiguous
is refused: sizes where there is no content, a lone zero block, content behind the end, overrides for the
whole archive. Sparse files are refused because their size is not what is in the archive.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from .archive_entry import ArchiveEntry
from .entry_rules import EntryKind
from .errors import ArchiveUnreadable, EntryRefused, LimitExceeded
from .findings import quoted
from .limits import Meter
from .tar_header import BLOCK_BYTES, padding

_READ_BYTES = 1 << 20
_MAX_EXTENDED_HEADER_BYTES = 1 << 20
_MAX_NUMBER_DIGITS = 20

_FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_PAX_TYPES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_VOLUME_LABEL = b"V"
_KINDS = {
    **dict.fromkeys(_FILE_TYPES, EntryKind.FILE),
    tarfile.DIRTYPE: EntryKind.DIRECTORY,
    tarfile.SYMTYPE: EntryKind.LINK,
    tarfile.LNKTYPE: EntryKind.HARD_LINK,
}


@dataclass(slots=True)
class _Overrides:
    """What headers before an entry say about it."""

    pax: dict[str, bytes] = field(default_factory=dict)
    gnu_name: bytes | None = None
    gnu_target: bytes | None = None

    def __bool__(self) -> bool:
        return bool(self.pax) or self.gnu_name is not None or self.gnu_target is not None


def read_tar(stream: BinaryIO, meter: Meter) -> Iterator[ArchiveEntry]:
    """The entries of the tar in ``stream``, which is read to its end; ``meter`` counts what is no entry.

    Raises ``ArchiveUnreadable``, ``LimitExceeded``.
    """
    overrides = _Overrides()
    while (block := _read_header(stream)) is not None:
        header = _parse_header(block)
        if header.type not in _KINDS:
            meter.count_header()
        if header.type in (*_PAX_TYPES, tarfile.XGLTYPE):
            records = _pax_records(_extended_header(stream, header), meter)
            if header.type == tarfile.XGLTYPE:
                _check_global(records)
            else:
                overrides.pax.update(records)
        elif header.type == tarfile.GNUTYPE_LONGNAME:
            overrides.gnu_name = _extended_header(stream, header).partition(b"\0")[0]
        elif header.type == tarfile.GNUTYPE_LONGLINK:
            overrides.gnu_target = _extended_header(stream, header).partition(b"\0")[0]
        elif header.type == _VOLUME_LABEL:
            _skip(stream, header.size + len(padding(header.size)))
        else:
            content = _Content(stream, _apply(header, overrides))
            yield _entry(header, content)
            content.finish()
            overrides = _Overrides()
    if overrides:
        raise _corrupt("it ends behind a header that announces an entry")
    _check_nothing_follows(stream)


def _read_header(stream: BinaryIO) -> bytes | None:
    """The next header; None at the end of the archive, which is two zero blocks, or one and the end."""
    block = stream.read(BLOCK_BYTES)
    if len(block) < BLOCK_BYTES:
        raise _truncated()
    if any(block):
        return block
    following = stream.read(BLOCK_BYTES)
    if any(following):
        raise _corrupt("a zero block stands between its entries")
    return None


def _parse_header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise _corrupt(f"a header is damaged ({error})") from error
    # Python's int() takes signs and underscores for numbers, other programs do not.
    size_field = block[124:136].strip(b" \0")
    if header.size < 0 or not (size_field.isdigit() or not size_field or block[124] & 0x80):
        raise _corrupt("a header has no valid size")
    return header


def _extended_header(stream: BinaryIO, header: tarfile.TarInfo) -> bytes:
    """The content of a header that says something about other entries."""
    if header.size > _MAX_EXTENDED_HEADER_BYTES:
        raise LimitExceeded(
            "HEADER_TOO_LARGE",
            f"a header of the archive takes more than {_MAX_EXTENDED_HEADER_BYTES} bytes: make it without "
            "extended attributes",
        )
    data = stream.read(header.size + len(padding(header.size)))
    if len(data) < header.size:
        raise _truncated()
    return data[: header.size]


def _pax_records(data: bytes, meter: Meter) -> dict[str, bytes]:
    """The records ``LENGTH KEY=VALUE\\n`` of a pax header, whose lengths must fit exactly."""
    records: dict[str, bytes] = {}
    position = 0
    while position < len(data):
        meter.count_header()
        length_end = data.find(b" ", position, position + _MAX_NUMBER_DIGITS)
        digits = data[position:length_end] if length_end != -1 else b""
        end = position + _number(digits)
        key, equals, value = data[length_end + 1 : end - 1].partition(b"=")
        if end > len(data) or not key or not equals or data[end - 1 : end] != b"\n":
            raise _corrupt("a pax header is damaged")
        records[key.decode("utf-8", "replace")] = value
        position = end
    return records


def _check_global(records: dict[str, bytes]) -> None:
    if {"path", "linkpath", "size"} & records.keys():
        raise ArchiveUnreadable(
            "ARCHIVE_UNSUPPORTED",
            "a global pax header sets the path or size of all entries, which programs read in different "
            "ways: make the archive anew",
        )


def _apply(header: tarfile.TarInfo, overrides: _Overrides) -> tarfile.TarInfo:
    """Put what the headers before said into the entry's own; pax wins over GNU, as POSIX has it."""
    name = overrides.pax.get("path", overrides.gnu_name)
    target = overrides.pax.get("linkpath", overrides.gnu_target)
    if name is not None:
        header.name = name.decode("utf-8", "surrogateescape")
        if header.type == tarfile.DIRTYPE:
            header.name = header.name.rstrip("/")
    if target is not None:
        header.linkname = target.decode("utf-8", "surrogateescape")
    if "size" in overrides.pax:
        header.size = _number(overrides.pax["size"])
    if header.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse.") for key in overrides.pax):
        raise ArchiveUnreadable(
            "ARCHIVE_UNSUPPORTED",
            f"{quoted(header.name)} is stored as a sparse file: make the archive without --sparse",
            path=header.name,
        )
    if header.type in _KINDS and header.type not in _FILE_TYPES and header.size:
        raise _corrupt(f"{quoted(header.name)} is no file and yet has a size")
    return header


def _entry(header: tarfile.TarInfo, content: _Content) -> ArchiveEntry:
    kind = _KINDS.get(header.type, EntryKind.SPECIAL)
    problem = None
    if kind is EntryKind.SPECIAL:
        problem = EntryRefused(
            "SPECIAL_FILE",
            f"{quoted(header.name)} is a device, pipe or something else that is no file (type "
            f"{header.type!r}): leave it out",
            path=header.name,
        )
    elif kind is EntryKind.FILE and header.name.endswith("/"):
        problem = EntryRefused(
            "PATH_INVALID",
            f"{quoted(header.name)} is a file with the name of a directory: make the archive anew",
            path=header.name,
        )
    return ArchiveEntry(
        name=header.name,
        kind=kind,
        size_bytes=header.size if kind is EntryKind.FILE else 0,
        executable=bool(header.mode & 0o100),
        target=header.linkname,
        blocks=content.blocks,
        problem=problem,
    )


class _Content:
    """An entry's content in the stream; what nobody reads is skipped."""

    def __init__(self, stream: BinaryIO, header: tarfile.TarInfo) -> None:
        self._stream = stream
        self._left = header.size
        self._padding = len(padding(header.size))

    def blocks(self) -> Iterator[bytes]:
        """What is left of the content."""
        while self._left:
            data = self._stream.read(min(self._left, _READ_BYTES))
            if not data:
                raise _truncated()
            self._left -= len(data)
            yield data

    def finish(self) -> None:
        """Go to where the next header begins."""
        _skip(self._stream, self._left + self._padding)
        self._left = self._padding = 0


def _skip(stream: BinaryIO, size_bytes: int) -> None:
    left = size_bytes
    while left:
        data = stream.read(min(left, _READ_BYTES))
        if not data:
            raise _truncated()
        left -= len(data)


def _check_nothing_follows(stream: BinaryIO) -> None:
    """Behind the end there may be zeros only: some readers would find entries there, others would not."""
    while data := stream.read(_READ_BYTES):
        if data.count(0) != len(data):
            raise ArchiveUnreadable(
                "ARCHIVE_TRAILING_DATA",
                "something follows the end of the archive: if several were joined, make one of their content",
            )


def _number(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > _MAX_NUMBER_DIGITS:
        raise _corrupt("a pax header is damaged")
    return int(digits)


def _corrupt(detail: str) -> ArchiveUnreadable:
    return ArchiveUnreadable("ARCHIVE_CORRUPT", f"the archive is damaged: {detail}; make or send it again")


def _truncated() -> ArchiveUnreadable:
    return ArchiveUnreadable("ARCHIVE_TRUNCATED", "the archive ends in the middle: make or send it again")

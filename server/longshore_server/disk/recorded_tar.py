"""The bytes of an installed tree's payload, from any entry on, by what the tree's record says of it.

The record has everything that a canonical tar's headers are made of, in the tar's order, so that neither the
tree has to be walked nor an index of it be kept: where a line begins in the record is where an entry begins
in the tar. Nothing here is verified; whoever reads knows the digest of what it wants.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from longshore_bundles.tar_header import (
    END_OF_ARCHIVE,
    directory_header,
    file_header,
    link_header,
    padding,
)

from .chunk_list import Layout
from .tree_record import RecordDamaged, RecordLine


class FileChanged(Exception):
    """A file of the tree is not what its record says."""


@dataclass(frozen=True, slots=True)
class TarPart:
    """An entry as it stands in the tar: a header, a file's content, and zeros up to a whole block.

    ``position`` is where its line begins in the record. What is not a file has an empty ``path``.
    """

    position: int
    header: bytes
    path: str = ""
    size_bytes: int = 0

    @property
    def length(self) -> int:
        """How many bytes it has in the tar. Alone, without a header, a file is not filled up."""
        filled = len(padding(self.size_bytes)) if self.header else 0
        return len(self.header) + self.size_bytes + filled

    def read(self, root: Path, begin: int, most_bytes: int) -> bytes:
        """At most so many of its bytes, from ``begin`` on. Raises ``FileChanged`` and ``OSError``."""
        found = self.header[begin : begin + most_bytes]
        begin = max(begin - len(self.header), 0)
        wanted = min(most_bytes - len(found), self.size_bytes - begin)
        if wanted > 0:
            found += _content(root / self.path, begin, wanted)
            begin += wanted
        if self.header and len(found) < most_bytes:
            filled = len(padding(self.size_bytes)) - max(begin - self.size_bytes, 0)
            found += bytes(max(min(filled, most_bytes - len(found)), 0))
        return found


def tar_parts(lines: Iterable[tuple[int, RecordLine]], layout: Layout) -> Iterator[TarPart]:
    """What the lines of a record stand for, up to its end. Raises ``RecordDamaged`` and what ``lines`` do."""
    try:
        if layout is Layout.SINGLE_FILE:
            yield from _single_file(lines)
        else:
            yield from _canonical_tar(lines)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordDamaged("a line is not an entry's") from error


def _single_file(lines: Iterable[tuple[int, RecordLine]]) -> Iterator[TarPart]:
    for position, line in lines:
        if "file" in line:
            yield TarPart(position, b"", line["file"], line["size_bytes"])


def _canonical_tar(lines: Iterable[tuple[int, RecordLine]]) -> Iterator[TarPart]:
    # Of directories the tar has only those that hold nothing, which the next line shows.
    directory = ""
    begun_at = 0
    for position, line in lines:
        path = line.get("file") or line.get("link") or line.get("directory") or ""
        if directory and not path.startswith(f"{directory}/"):
            yield TarPart(begun_at, directory_header(directory))
        directory = ""
        if "file" in line:
            size_bytes = line["size_bytes"]
            executable = bool(int(line["mode"], 8) & stat.S_IXUSR)
            yield TarPart(position, file_header(path, size_bytes, executable=executable), path, size_bytes)
        elif "link" in line:
            yield TarPart(position, link_header(path, line["target"]))
        elif "directory" in line:
            directory, begun_at = path, position
        else:
            yield TarPart(position, END_OF_ARCHIVE)


def _content(location: Path, offset: int, length: int) -> bytes:
    # Whatever took the file's place is neither followed nor waited for.
    descriptor = os.open(location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileChanged
        content = os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)
    if len(content) != length:
        raise FileChanged
    return content

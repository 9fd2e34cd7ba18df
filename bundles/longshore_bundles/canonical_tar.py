"""The canonical tar of a directory, as a stream: no copy on disk, bounded memory.

The same tree gives the same bytes on any machine at any time: entries in bytewise order of their paths,
mode 0644 or 0755 (links 0777), no owner, no times, two zero blocks at the end (``tar_header`` has the
bytes of an entry, ``tree_walk`` the order and what is left out).

Refuses what has no canonical form (``EntryRefused``) and a file that changes while it is read
(``TreeChanged``): rather no archive than one of a tree that never was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .entry_rules import EntryKind
from .errors import TreeChanged
from .findings import printable
from .tar_header import END_OF_ARCHIVE, directory_header, file_header, link_header, padding
from .tree_walk import IGNORE_FILE, TreeEntry, reading, walk_tree

BLOCK_BYTES = 1 << 20
"""How large the blocks of the stream are, except the last."""


@dataclass(frozen=True, slots=True)
class FileSpan:
    """Where a file's content stands in the tar: ``size_bytes`` from ``offset``."""

    path: str
    offset: int
    size_bytes: int


class CanonicalTar:
    """The canonical tar of ``directory``; iterating reads the directory anew each time.

    ``honour_ignore_file`` is for the tree a person works in: ``.longshoreignore`` and ``.git`` count. What
    was unpacked from an archive is taken as it is.
    """

    def __init__(self, directory: Path, *, honour_ignore_file: bool = True) -> None:
        self.directory = directory
        self.honour_ignore_file = honour_ignore_file

    def __iter__(self) -> Iterator[bytes]:
        return self.blocks()

    def size_bytes(self) -> int:
        """How long the tar is, by one pass over names and sizes that reads no file."""
        total = len(END_OF_ARCHIVE)
        for entry in self._walk():
            size = _content_size(entry)
            total += len(header_of(entry)) + size + len(padding(size))
        return total

    def blocks(self, on_file: Callable[[FileSpan], None] | None = None) -> Iterator[bytes]:
        """The bytes, in blocks of ``BLOCK_BYTES``; only the last may be shorter.

        ``on_file`` is told of every file that has content before the first block with a byte of it comes.
        Raises ``EntryRefused``, ``TreeUnreadable``, ``TreeChanged``.
        """
        buffer = bytearray()
        for piece in self._pieces(on_file):
            buffer += piece
            while len(buffer) >= BLOCK_BYTES:
                yield bytes(buffer[:BLOCK_BYTES])
                del buffer[:BLOCK_BYTES]
        if buffer:
            yield bytes(buffer)

    def _pieces(self, on_file: Callable[[FileSpan], None] | None) -> Iterator[bytes]:
        offset = 0
        for entry in self._walk():
            header = header_of(entry)
            offset += len(header)
            size = _content_size(entry)
            if size and on_file is not None:
                on_file(FileSpan(entry.path, offset, size))
            yield header
            if size:
                yield from _content(entry)
                yield padding(size)
                offset += size + len(padding(size))
        yield END_OF_ARCHIVE

    def _walk(self) -> Iterator[TreeEntry]:
        return walk_tree(self.directory, honour_ignore_file=self.honour_ignore_file)


def header_of(entry: TreeEntry) -> bytes:
    """The header of a tree's entry in the canonical tar."""
    if entry.kind is EntryKind.DIRECTORY:
        return directory_header(entry.path)
    if entry.kind is EntryKind.LINK:
        return link_header(entry.path, entry.target)
    return file_header(entry.path, entry.stat.st_size, executable=entry.executable)


def _content_size(entry: TreeEntry) -> int:
    return entry.stat.st_size if entry.kind is EntryKind.FILE else 0


def _content(entry: TreeEntry) -> Iterator[bytes]:
    """A file's bytes: exactly as many as its header says, and from one state of the file."""
    left = entry.stat.st_size
    with reading(entry.path):
        # Not following a link and not waiting for a pipe: either may have taken the file's place.
        descriptor = os.open(entry.location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check_unchanged(entry, descriptor)
        while left:
            with reading(entry.path):
                data = os.read(descriptor, min(left, BLOCK_BYTES))
            if not data:
                raise _changed(entry)
            left -= len(data)
            yield data
        _check_unchanged(entry, descriptor)
    finally:
        os.close(descriptor)


def _check_unchanged(entry: TreeEntry, descriptor: int) -> None:
    if _state(entry.stat) != _state(os.fstat(descriptor)):
        raise _changed(entry)


def _state(status: os.stat_result) -> tuple[int, ...]:
    """What no writing leaves as it was: the last is the system's own time, which nobody sets back."""
    return status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _changed(entry: TreeEntry) -> TreeChanged:
    return TreeChanged(
        "PATH_CHANGED",
        f"{printable(entry.path)!r} changed while it was read: try again when nothing writes to it, or name "
        f"it in {IGNORE_FILE}",
        path=entry.path,
    )

"""The list of a payload's chunks that stands beside its installed tree, so that the tree can be a seed.

Owns the file ``…~chunks`` (docs/formats.md shows it): which chunks the payload was cut into, in order, and
how the tree gives back the payload's bytes. It only helps: nobody believes a chunk because it is listed, so
the file is neither synced nor digested, and a reader takes as many entries as it finds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Final, NamedTuple, Self

from longshore_chunks import ChunkDigest, PlacedChunk

_MAGIC: Final = b"LSSEED"
_VERSION: Final = 1
_HEADER: Final = struct.Struct("<6sHB")
_ENTRY: Final = struct.Struct("<32sI")
_ENTRIES_READ: Final = 1024


class Layout(IntEnum):
    """How a tree gives back its payload's bytes."""

    CANONICAL_TAR = 0
    SINGLE_FILE = 1


class ListedChunk(NamedTuple):
    """One chunk: the BLAKE3 digest of its raw bytes, and how many these are."""

    digest: ChunkDigest
    length: int


class ChunkListWriter:
    """Writes the list at ``path`` while the payload is read, maybe with repetitions. Blocking.

    Raises ``OSError``. To be left as a context, also where it is not finished.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self._end = 0
        self._is_broken = False
        self._file = path.open("xb")
        self._file.write(_HEADER.pack(_MAGIC, _VERSION, layout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        # What could not be written is not wanted either.
        with suppress(OSError):
            self._file.close()

    def add(self, offset: int, chunks: Sequence[PlacedChunk]) -> None:
        """The payload's chunks from byte ``offset`` on; those that were added before are passed over."""
        for chunk in chunks:
            if offset == self._end:
                self._file.write(_ENTRY.pack(chunk.digest, chunk.raw_length))
                self._end += chunk.raw_length
            elif offset + chunk.raw_length > self._end:
                # Since the payload was repaired it is cut in other places.
                self._is_broken = True
            offset += chunk.raw_length

    def finish(self, size_bytes: int) -> bool:
        """Whether the list, now written, is that of a whole payload of ``size_bytes``. Raises ``OSError``."""
        self._file.close()
        return not self._is_broken and self._end == size_bytes


def count_chunks(path: Path) -> int:
    """How many chunks are listed. Raises ``OSError``."""
    return max(path.stat().st_size - _HEADER.size, 0) // _ENTRY.size


def read_layout(path: Path) -> Layout | None:
    """The tree's layout; None for a list that this program does not know. Raises ``OSError``."""
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
    for layout in Layout:
        if header == _HEADER.pack(_MAGIC, _VERSION, layout):
            return layout
    return None


def read_chunks(path: Path) -> Iterator[ListedChunk]:
    """The listed chunks, as far as the file goes. Raises ``OSError``."""
    with path.open("rb") as file:
        file.seek(_HEADER.size)
        while data := file.read(_ENTRIES_READ * _ENTRY.size):
            whole = len(data) - len(data) % _ENTRY.size
            yield from map(ListedChunk._make, _ENTRY.iter_unpack(data[:whole]))

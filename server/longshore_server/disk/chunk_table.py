"""Where chunks lie, by digest, on the disk: memory stays flat however large the trees are.

A hash table of slots of 40 bytes in a file without a name, with linear probing, at most half full. BLAKE3
digests are spread evenly, so a chunk's slot is told by its first bytes. 1.3 MB a GiB of payload.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

from longshore_chunks import ChunkDigest

_SLOT: Final = struct.Struct("<16sQQII")
_KEY_BYTES: Final = 16
# Chunks whose digests were made to meet in one place are given up, and fetched.
_PROBES: Final = 64


class ChunkPlace(NamedTuple):
    """A chunk's ``length`` bytes from ``skip`` on in the tar, counted from the entry at ``position``.

    The position is the entry's line in the record of the tree that has the number ``tree``.
    """

    position: int
    skip: int
    length: int
    tree: int


class ChunkTable:
    """A table for up to ``chunk_count`` chunks, in ``folder`` until it is closed. Raises ``OSError``."""

    def __init__(self, folder: Path, chunk_count: int) -> None:
        self._slots = max(2 * chunk_count, _PROBES)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by ``close``)
        self._file.truncate(self._slots * _SLOT.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove it."""
        self._file.close()

    def add(self, digest: ChunkDigest, place: ChunkPlace) -> None:
        """Note where a chunk lies; the first place of several stays."""
        key = digest[:_KEY_BYTES]
        for at, found, found_place in self._probed(digest):
            if found == key:
                return
            if not found_place.length:
                os.pwrite(self._file.fileno(), _SLOT.pack(key, *place), at)
                return

    def find(self, digest: ChunkDigest) -> ChunkPlace | None:
        """Where a chunk may lie: of the digest only the first half was looked at."""
        for _, found, place in self._probed(digest):
            if found == digest[:_KEY_BYTES]:
                return place
            if not place.length:
                break
        return None

    def _probed(self, digest: ChunkDigest) -> Iterator[tuple[int, bytes, ChunkPlace]]:
        first = int.from_bytes(digest[:8], "little")
        for step in range(_PROBES):
            at = (first + step) % self._slots * _SLOT.size
            key, *place = _SLOT.unpack(os.pread(self._file.fileno(), _SLOT.size, at))
            yield at, key, ChunkPlace(*place)

"""What an upload may refer to where its project may not be read: the chunks that it has sent itself.

What the project has is then neither told nor used before the same bytes have come; that a chunk is there,
or is not, looks the same. A digest costs some 130 bytes of memory, for such uploads only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from longshore_chunks import ChunkDigest

from .entries import ChunkEntry
from .errors import ChunkMissing


class OwnChunks:
    """The chunks of one upload, its stored part's included."""

    def __init__(self) -> None:
        self._digests: set[ChunkDigest] = set()

    def __contains__(self, digest: ChunkDigest) -> bool:
        return digest in self._digests

    def add(self, digests: Iterable[ChunkDigest]) -> None:
        """Note chunks of the stored part."""
        self._digests.update(digests)

    def take(self, entries: Sequence[ChunkEntry]) -> None:
        """Note what is sent. Raises ``ChunkMissing`` for references to anything else.

        A chunk counts before its bytes are verified: when they turn out wrong the upload ends anyway.
        """
        missing: dict[ChunkDigest, None] = {}
        for entry in entries:
            if entry.raw is not None or entry.zstd_frame is not None:
                self._digests.add(entry.digest)
            elif entry.digest not in self._digests:
                missing[entry.digest] = None
        if missing:
            raise ChunkMissing(list(missing))

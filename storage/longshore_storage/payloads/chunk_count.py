"""How many chunks an upload has, and how many it may have."""

from __future__ import annotations

from .errors import ChunkLimitExceeded


class ChunkCount:
    """Counts one upload's chunks, both ways and its stored part's included."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0

    def add(self, count: int) -> None:
        """Count further chunks. Raises ``ChunkLimitExceeded``."""
        self._count += count
        if self._count > self._limit:
            raise ChunkLimitExceeded(self._limit)

"""How many bytes an activation has moved, counted where they move and read by who reports."""

from __future__ import annotations

import io
from dataclasses import dataclass

from longshore_storage.payloads import BlockingReader, PayloadReader

_BUFFER_BYTES = 1 << 20


@dataclass(slots=True)
class Moved:
    """Bytes moved for one activation so far; read while another thread counts.

    What ``reader`` fetches and takes from seeds counts as it does so.
    """

    total_bytes: int
    reused_bytes: int = 0
    installed_bytes: int = 0
    reader: PayloadReader | None = None

    def columns(self) -> dict[str, int]:
        """As the activation's row keeps them."""
        fetched_bytes, reused_bytes = 0, self.reused_bytes
        if self.reader is not None:
            fetched_bytes = self.reader.fetched_bytes
            reused_bytes += self.reader.reused_bytes
        return {
            "fetched_bytes": fetched_bytes,
            "reused_bytes": reused_bytes,
            "installed_bytes": self.installed_bytes,
        }


class CountingReader(io.BufferedReader):
    """Counts what unpacking has read of a payload."""

    def __init__(self, source: BlockingReader, moved: Moved) -> None:
        super().__init__(source, _BUFFER_BYTES)
        self._moved = moved

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on, and count."""
        data = super().read(size)
        self._moved.installed_bytes += len(data)
        return data

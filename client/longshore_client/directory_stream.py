"""A directory as a stream of its canonical tar, for what reads archives."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from longshore_bundles import CanonicalTar

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class DirectoryStream(io.RawIOBase):
    """Reads the canonical tar of a directory, once and in order; nothing of it is kept.

    Reading raises ``EntryRefused`` and ``TreeUnreadable``, as the tar itself does.
    """

    def __init__(self, directory: Path) -> None:
        self._blocks = iter(CanonicalTar(directory))
        self._block = memoryview(b"")

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill ``buffer`` as far as the block at hand goes; 0 at the end."""
        while not self._block:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._block = memoryview(block)
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._block))
        target[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

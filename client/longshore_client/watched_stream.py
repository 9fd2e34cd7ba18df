"""A stream that somebody else can end between two reads: by raising an error."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Check = Callable[[], object]
"""Called before more is read; what it raises ends the reading."""


class WatchedStream(io.RawIOBase):
    """Reads another stream, which stays its owner's to close."""

    def __init__(self, inner: IO[bytes] | io.RawIOBase, check: Check) -> None:
        self._inner = inner
        self._check = check

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """Whether the other one is."""
        return self._inner.seekable()

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read from the other one. Raises what the check raises."""
        self._check()
        view = memoryview(buffer).cast("B")
        data = self._inner.read(len(view)) or b""
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek in the other one."""
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        """Where the other one stands."""
        return self._inner.tell()

"""What the streams of an xz, or the members of a gzip, give one after another, in bounded memory.

Of either format there may be several in a file, and zeros behind each. ``lzma.LZMAFile`` has no bound for its
memory, and ``gzip.GzipFile`` reads a header byte by byte and cannot be asked how many members there were.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from .formats import XZ_MEMORY_BYTES
from .limits import Meter

if TYPE_CHECKING:
    from .archive_source import ArchiveSource

# What stands behind a stream's end is copied at its end: of many short ones in a large block, its square.
_READ_BYTES = 32 * 1024
_GZIP_WINDOW_BITS = 31


class _Decompressor(Protocol):
    """One stream."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class JoinedStreams:
    """Read-only, and not seekable; ``meter`` counts the streams."""

    def __init__(self, source: ArchiveSource, meter: Meter, begin: Callable[[], _Decompressor]) -> None:
        self._source = source
        self._meter = meter
        self._begin = begin
        self._decompressor = begin()

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes (1 at least), empty at the end.

        Raises ``EOFError`` for an end in the middle of a stream, ``LimitExceeded``, and what the decompressor
        and the source raise.
        """
        while True:
            pending = b""
            if self._decompressor.eof:
                pending = self._next_stream()
                if not pending:
                    return b""
                self._meter.count_header()
                self._decompressor = self._begin()
            elif self._decompressor.needs_input:
                pending = self._source.read(_READ_BYTES) or b""
                if not pending:
                    raise EOFError
            if data := self._decompressor.decompress(pending, size):
                return data

    def _next_stream(self) -> bytes:
        rest = self._decompressor.unused_data
        while True:
            length = len(rest)
            rest = rest.lstrip(b"\0")
            self._source.disregard(length - len(rest))
            if rest:
                return rest
            rest = self._source.read(_READ_BYTES) or b""
            if not rest:
                return b""


class _Inflater:
    """A member of a gzip, with the face of ``lzma.LZMADecompressor``."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP_WINDOW_BITS)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(data or self._inner.unconsumed_tail, max_length)


def gzip_members(source: ArchiveSource, meter: Meter) -> JoinedStreams:
    """What a gzip of one or more members holds."""
    return JoinedStreams(source, meter, _Inflater)


def xz_streams(source: ArchiveSource, meter: Meter) -> JoinedStreams:
    """What an xz of one or more streams holds."""
    return JoinedStreams(
        source, meter, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)
    )

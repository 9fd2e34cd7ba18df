"""The bytes under an archive: the caller's file, and what decompressing it gives.

Owns the line between the archive's faults and the source's: damage is ``ArchiveUnreadable``, while a
failure of the source (a store that is away, say) reaches the caller as it is. Every unpacked byte passes
the meter, headers and padding included, and no more of what is packed is read than its unpacked bytes are
worth: what gives nothing takes time all the same. Memory: a buffer, and the decompressor's window, which is
bounded.
"""

from __future__ import annotations

import io
import lzma
import os
import sys
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from .errors import ArchiveUnreadable
from .formats import ZSTD_WINDOW_BYTES, PayloadFormat
from .joined_streams import gzip_members, xz_streams
from .limits import Meter

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES = 1 << 20
# Content that cannot be compressed takes hardly more packed than unpacked.
_PACKED_BY_UNPACKED = 2
# What is read ahead, and seek tables and the like.
_FRUITLESS_BYTES = 4 << 20


class ArchiveSource(io.RawIOBase):
    """The caller's file: what was read of it is counted and bounded, its own failure is remembered."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self._most_bytes = sys.maxsize
        self.read_bytes = 0
        self.failure: Exception | None = None

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def seekable(self) -> bool:
        """Whether the caller's file is."""
        return self._source.seekable()

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read from the caller's file. Raises ``ArchiveUnreadable`` past what ``expect_content`` allows."""
        if self.read_bytes > self._most_bytes:
            raise ArchiveUnreadable(
                "ARCHIVE_CORRUPT",
                f"{self.read_bytes} bytes of the archive unpack to next to nothing, as no program packs: "
                "make it anew",
            )
        view = memoryview(buffer)
        try:
            data = self._source.read(len(view))
        except Exception as error:
            self.failure = error
            raise
        view[: len(data)] = data
        self.read_bytes += len(data)
        return len(data)

    def expect_content(self) -> None:
        """From now on no more may be read than an honest archive takes for what comes out of it."""
        self._most_bytes = self.read_bytes + _FRUITLESS_BYTES

    def count_content(self, unpacked_bytes: int) -> None:
        """So many bytes came out of what was read."""
        self._most_bytes += _PACKED_BY_UNPACKED * unpacked_bytes

    def disregard(self, count: int) -> None:
        """So many of the bytes that were read need not give any, and take next to no time."""
        self._most_bytes += count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek in the caller's file."""
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        """Where the caller's file stands."""
        return self._source.tell()

    def size_bytes(self) -> int:
        """How long the caller's file is; only for one that can seek."""
        here = self.tell()
        size = self.seek(0, os.SEEK_END)
        self.seek(here)
        return size


def unpacked_stream(source: ArchiveSource, payload_format: PayloadFormat, meter: Meter) -> BinaryIO:
    """What a tar of any kind holds, decompressed as it is read."""
    inner: BinaryIO
    match payload_format:
        case PayloadFormat.TAR_GZ:
            inner = cast("BinaryIO", gzip_members(source, meter))
        case PayloadFormat.TAR_XZ:
            inner = cast("BinaryIO", xz_streams(source, meter))
        case PayloadFormat.TAR_ZST:
            decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
            inner = decompressor.stream_reader(
                cast("BinaryIO", source), read_across_frames=True, closefd=False
            )
        case _:
            inner = cast("BinaryIO", source)
    return io.BufferedReader(_MeteredStream(inner, source, meter), BLOCK_BYTES)


class _MeteredStream(io.RawIOBase):
    """Decompressed bytes, counted; a decompressor's complaint becomes ``ArchiveUnreadable``."""

    def __init__(self, inner: BinaryIO, source: ArchiveSource, meter: Meter) -> None:
        super().__init__()
        self._inner = inner
        self._source = source
        self._meter = meter
        source.expect_content()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        try:
            data = self._inner.read(len(view))
        except (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
            if self._source.failure is not None:
                raise
            if isinstance(error, EOFError):
                raise ArchiveUnreadable(
                    "ARCHIVE_TRUNCATED", "the archive ends in the middle: make or send it again"
                ) from error
            raise ArchiveUnreadable(
                "ARCHIVE_CORRUPT", f"the archive cannot be decompressed ({error}): make or send it again"
            ) from error
        self._meter.count_bytes(len(data))
        self._source.count_content(len(data))
        view[: len(data)] = data
        return len(data)

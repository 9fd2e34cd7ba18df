"""The bytes under an archive: the caller's file, and what decompressing it gives.

Owns the line between the archive's faults and the source's: damage is ``ArchiveUnreadable``, while a
failure of the source (a store that is away, say) reaches the caller as it is. Every unpacked byte passes
the meter, headers and padding included. Memory: a buffer, and the decompressor's window, which is bounded.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from .errors import ArchiveUnreadable
from .formats import XZ_MEMORY_BYTES, ZSTD_WINDOW_BYTES, PayloadFormat
from .limits import Meter

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

BLOCK_BYTES = 1 << 20


class ArchiveSource(io.RawIOBase):
    """The caller's file: what was read of it is counted, and its own failure is remembered."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self.read_bytes = 0
        self.failure: Exception | None = None

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def seekable(self) -> bool:
        """Whether the caller's file is."""
        return self._source.seekable()

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read from the caller's file."""
        view = memoryview(buffer)
        try:
            data = self._source.read(len(view))
        except Exception as error:
            self.failure = error
            raise
        view[: len(data)] = data
        self.read_bytes += len(data)
        return len(data)

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
            inner = cast("BinaryIO", gzip.GzipFile(fileobj=source))
        case PayloadFormat.TAR_XZ:
            inner = cast("BinaryIO", _XzStream(source))
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

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        try:
            data = self._inner.read(len(view))
        except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
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
        view[: len(data)] = data
        return len(data)


class _XzStream(io.RawIOBase):
    """xz with bounded memory, which ``lzma.LZMAFile`` does not offer; several streams and padding too."""

    def __init__(self, source: ArchiveSource) -> None:
        super().__init__()
        self._source = source
        self._decompressor = self._new_decompressor()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        while True:
            pending: ReadableBuffer = b""
            if self._decompressor.eof:
                pending = self._next_stream()
                if not pending:
                    return 0
                self._decompressor = self._new_decompressor()
            elif self._decompressor.needs_input:
                pending = self._source.read(BLOCK_BYTES) or b""
                if not pending:
                    raise EOFError
            data = self._decompressor.decompress(pending, len(view))
            if data:
                view[: len(data)] = data
                return len(data)

    def _next_stream(self) -> bytes:
        rest = self._decompressor.unused_data
        while True:
            rest = rest.lstrip(b"\0")
            if rest:
                return rest
            rest = self._source.read(BLOCK_BYTES) or b""
            if not rest:
                return b""

    @staticmethod
    def _new_decompressor() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)

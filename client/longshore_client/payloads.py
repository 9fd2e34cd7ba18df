"""What can be deployed: a directory, a file, or bytes from an async iterator.

A ``StoredPayload`` is read from disk, as often as needed; a ``StreamedPayload`` comes from elsewhere once
and is kept in an unnamed temporary file as it comes, so that a broken upload can go on. Neither is ever
whole in memory.
"""

from __future__ import annotations

import hashlib
import tempfile
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple

from longshore_bundles import BundleError, CanonicalTar, FileSpan, TreeChanged

from .errors import PayloadChanged, PayloadUnreadable
from .reading_thread import ReadingThread

BLOCK_BYTES: Final = 1024 * 1024
_BORDERED_FILE_BYTES: Final = 16 * 1024
"""Files from this size on have chunks of their own: what is the same file is the same chunks. Smaller ones
share chunks of at least this size that begin and end with a file, so that an edit costs little more."""
_TAR_BLOCK_BYTES: Final = 512


class Block(NamedTuple):
    """The next bytes of a payload; ``ends_part`` puts a border of chunks behind them."""

    data: bytes | memoryview
    ends_part: bool = False


class StoredPayload(ABC):
    """A payload on this machine's disk, and how long it is."""

    path: Path
    size_bytes: int

    @abstractmethod
    def blocks(self) -> Generator[Block, None, None]:
        """Read it from its beginning. Raises ``PayloadUnreadable`` and ``PayloadChanged``."""

    def sha256(self) -> str:
        """The sha256 of all of it, in hexadecimal, by reading it. Raises as ``blocks`` does."""
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block.data)
        return digest.hexdigest()


class DirectoryPayload(StoredPayload):
    """A directory as its canonical tar, made while it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tar = CanonicalTar(path)
        with readable(path):
            self.size_bytes = self._tar.size_bytes()

    def blocks(self) -> Generator[Block, None, None]:
        """The tar's bytes, with borders around larger files and between groups of smaller ones."""
        borders: deque[int] = deque()
        last = 0

        def note_borders(span: FileSpan) -> None:
            nonlocal last
            end = span.offset + span.size_bytes
            entry_end = end + -end % _TAR_BLOCK_BYTES
            if span.size_bytes >= _BORDERED_FILE_BYTES:
                borders.extend((span.offset, end))
                last = end
            elif entry_end - last >= _BORDERED_FILE_BYTES:
                borders.append(entry_end)
                last = entry_end

        offset = 0
        with readable(self.path):
            for block in self._tar.blocks(note_borders):
                rest = memoryview(block)
                while borders and borders[0] <= offset + len(rest):
                    part, rest = rest[: borders[0] - offset], rest[borders[0] - offset :]
                    offset = borders.popleft()
                    yield Block(part, ends_part=True)
                offset += len(rest)
                if rest:
                    yield Block(rest)


class FilePayload(StoredPayload):
    """A file, as it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with readable(path):
            self.size_bytes = path.stat().st_size

    def blocks(self) -> Generator[Block, None, None]:
        """The file's bytes; exactly as many as it had when the upload was prepared."""
        left = self.size_bytes
        with readable(self.path), self.path.open("rb", buffering=0) as file:
            while piece := file.read(BLOCK_BYTES):
                left -= len(piece)
                yield Block(piece)
        if left:
            raise PayloadChanged(f"{self.path} changed its size while it was read")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Read ``path`` inside the block; what goes wrong is an error of ours."""
    try:
        yield
    except TreeChanged as error:
        raise PayloadChanged(error.message) from error
    except BundleError as error:
        raise PayloadUnreadable(error.message) from error
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> PayloadUnreadable:
    """The error for a path that the system refuses to read."""
    return PayloadUnreadable(f"cannot read {path}: {error.strerror or error}")


class StreamedPayload:
    """Bytes from an async iterator, in pieces of any size."""

    def __init__(self, pieces: AsyncIterable[bytes], *, size_bytes: int | None) -> None:
        self.size_bytes = size_bytes
        self._pieces = aiter(pieces)
        self._spool: IO[bytes] | None = None

    async def blocks(self, thread: ReadingThread) -> AsyncGenerator[Block, None]:
        """What came before, then what comes; file work is done in ``thread``."""
        spool = await thread.run(self._opened)
        await thread.run(spool.seek, 0)
        while piece := await thread.run(spool.read, BLOCK_BYTES):
            yield Block(piece)
        async for piece in self._pieces:
            if piece:
                await thread.run(_keep, spool, piece)
                yield Block(piece)

    def _opened(self) -> IO[bytes]:
        # Noted here, in the thread: whoever waits for it may be cancelled before it is there.
        if self._spool is None:
            with _keeping():
                self._spool = tempfile.TemporaryFile(prefix="longshore-")  # noqa: SIM115 (closed by ``close``)
        return self._spool

    async def close(self) -> None:
        """Give the temporary file back, and end the iterator where it can be ended."""
        if self._spool is not None:
            self._spool.close()
        if isinstance(self._pieces, AsyncGenerator):
            await self._pieces.aclose()


def _keep(spool: IO[bytes], piece: bytes) -> None:
    with _keeping():
        spool.write(piece)


@contextmanager
def _keeping() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PayloadUnreadable(
            f"cannot keep what is read in a temporary file: {error.strerror or error}: "
            "set TMPDIR to a folder with room for it"
        ) from error


Payload = StoredPayload | StreamedPayload

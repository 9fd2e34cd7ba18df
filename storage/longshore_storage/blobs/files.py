"""``FileBlobStore``: blobs as files in a folder, for the embedded default.

Owns everything below its folder; a key is the path below it. Invariants: a file appears under its name
whole or not at all (written beside in ``.tmp``, synced, renamed, folder synced); several processes may
share the folder; what a crash left in ``.tmp`` goes when a store is opened. Refuses to make its folder
again after it vanished under it: a disk that is not mounted must not look like an empty store.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import itertools
import os
import stat
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import google_crc32c

from longshore_storage.errors import (
    BlobNotFound,
    BlobStoreFull,
    BlobStoreUnavailable,
    CorruptBlob,
    Misconfigured,
)
from longshore_storage.ports import BlobStat

from .keys import check_key, check_prefix

T = TypeVar("T")

_PAGE: Final = 1000
_THREADS: Final = 4
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WRONG: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
)


class FileBlobStore:
    """A ``BlobStore`` over a folder. Made by ``open``; see the port for what its methods promise."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary = folder / ".tmp"
        self._synced_folders = {folder}
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="file-blobs")

    def __repr__(self) -> str:
        return f"FileBlobStore({str(self._folder)!r})"

    @classmethod
    async def open(cls, folder: Path) -> FileBlobStore:
        """Make the folder where it is missing, remove what a crash left, and open the store.

        Raises ``Misconfigured`` when the folder cannot be made or written.
        """
        store = cls(folder)
        try:
            await store._run(store._prepare)
        except BaseException:
            await store.close()
            raise
        return store

    async def put(self, key: str, parts: Sequence[bytes | memoryview], *, crc32c: int) -> None:
        """Store an object; see the port. Raises ``CorruptBlob`` when ``parts`` do not have ``crc32c``."""
        check_key(key)
        await self._run(lambda: self._put(key, parts, crc32c))

    async def get(
        self, key: str, offset: int = 0, length: int | None = None, *, first_hand: bool = False
    ) -> bytes:
        """Read an object or a range of it; see the port."""
        check_key(key)
        if offset < 0 or (length is not None and length < 0):
            raise ValueError(f"offset {offset} and length {length} must not be negative")
        return await self._run(lambda: self._get(key, offset, length), reads=key)

    async def stat(self, key: str) -> BlobStat:
        """Describe an object; see the port."""
        check_key(key)
        return await self._run(lambda: _stat(key, self._folder / key), reads=key)

    async def delete(self, key: str) -> None:
        """Remove an object; see the port."""
        check_key(key)
        await self._run(lambda: self._delete(key))

    async def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        """The objects under a prefix in key order; see the port."""
        check_prefix(prefix)
        found = self._list(prefix)
        while page := await self._run(lambda: tuple(itertools.islice(found, _PAGE))):
            for blob in page:
                yield blob

    async def check(self) -> None:
        """Return when a file can be made in the folder; see the port."""
        await self._run(self._probe)

    async def close(self) -> None:
        """Wait for what is being written or read, then end the threads."""
        await asyncio.to_thread(self._executor.shutdown)

    async def _run(self, work: Callable[[], T], *, reads: str = "") -> T:
        def translated() -> T:
            with self._translated(reads):
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._executor, translated)

    @contextmanager
    def _translated(self, reads: str) -> Iterator[None]:
        """Translate the system's errors; ``reads`` is the key that is read, if any."""
        try:
            yield
        except OSError as error:
            gone = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError)
            if gone and reads and self._temporary.is_dir():
                raise BlobNotFound(reads) from error
            detail = f"blob folder {str(self._folder)!r}: {error.strerror or error}"
            if error.errno in _FULL:
                raise BlobStoreFull(f"{detail}: make room or use a larger disk") from error
            if error.errno in _WRONG:
                raise Misconfigured(
                    f"{detail}: blobs.url must name a folder that this process's user may write"
                ) from error
            if gone and not self._temporary.is_dir():
                raise Misconfigured(f"{detail}: the folder is gone, is its disk mounted?") from error
            # A folder below may have been removed by hand: the next put makes it again.
            self._synced_folders = {self._folder}
            raise BlobStoreUnavailable(detail) from error

    def _prepare(self) -> None:
        # Blobs may be private: whoever may read them is decided by Longshore, not by an account on the host.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._temporary.mkdir(mode=0o700, exist_ok=True)
        self._probe()
        for leftover in self._temporary.iterdir():
            self._remove_abandoned(leftover)

    def _probe(self) -> None:
        descriptor, path = self._new_temporary()
        path.unlink(missing_ok=True)
        os.close(descriptor)

    def _remove_abandoned(self, leftover: Path) -> None:
        """Remove a temporary file unless its writer, maybe another process, is alive and has it locked."""
        with suppress(FileNotFoundError):
            descriptor = os.open(leftover, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink(missing_ok=True)
            except BlockingIOError:
                return
            finally:
                os.close(descriptor)

    def _new_temporary(self) -> tuple[int, Path]:
        while True:
            path = self._temporary / uuid.uuid4().hex
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Between the two lines above another process that opens the store may have removed the file.
            if os.fstat(descriptor).st_nlink:
                return descriptor, path
            os.close(descriptor)

    def _put(self, key: str, parts: Sequence[bytes | memoryview], crc32c: int) -> None:
        target = self._folder / key
        descriptor, temporary = self._new_temporary()
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                found = 0
                for part in parts:
                    file.write(part)
                    found = google_crc32c.extend(found, bytes(part))
                if found != crc32c:
                    raise CorruptBlob(key, f"the body has CRC32C {found:08x}, {crc32c:08x} was announced")
                file.flush()
                os.fsync(file.fileno())
                self._make_folder(target.parent)
                temporary.replace(target)
            _sync_folder(target.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and its parents durable, also where another thread has only just made them."""
        if folder in self._synced_folders:
            return
        self._make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)
        self._synced_folders.add(folder)

    def _get(self, key: str, offset: int, length: int | None) -> bytes:
        with (self._folder / key).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            end = size if length is None else offset + length
            if offset > size or end > size:
                raise CorruptBlob(key, f"it has {size} bytes, {offset} to {end} were asked for")
            file.seek(offset)
            body = file.read(end - offset)
        if len(body) != end - offset:
            raise CorruptBlob(key, f"it ended after {offset + len(body)} of {size} bytes")
        return body

    def _delete(self, key: str) -> None:
        self._require_folder()
        with suppress(IsADirectoryError, NotADirectoryError):
            (self._folder / key).unlink(missing_ok=True)

    def _list(self, prefix: str) -> Iterator[BlobStat]:
        self._require_folder()
        yield from self._walk(prefix.rpartition("/")[0], prefix)

    def _walk(self, below: str, prefix: str) -> Iterator[BlobStat]:
        try:
            with os.scandir(self._folder / below) as entries:
                # With its slash a folder sorts as its keys do: "a-b" before "a/b" before "a0".
                names = sorted(
                    entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name
                    for entry in entries
                    if not entry.name.startswith(".")
                )
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            key = f"{below}/{name}" if below else name
            if key.endswith("/"):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._walk(key.rstrip("/"), prefix)
            elif key.startswith(prefix):
                with suppress(FileNotFoundError):
                    yield _stat(key, self._folder / key)

    def _require_folder(self) -> None:
        if not self._temporary.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _stat(key: str, path: Path) -> BlobStat:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "not a file", str(path))
    return BlobStat(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

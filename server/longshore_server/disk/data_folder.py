"""A node's data folder: who owns it, the node's identity, and the folders in it.

Owns ``node.json``, the lock and the making and sweeping of ``staging/``; what stands in ``installed/``,
``intents/`` and ``live/`` belongs to ``InstalledTrees`` and ``LiveLinks``. Invariants: one process at a time
has the folder; all of it is on one file system, because everything goes live by renaming; nothing in
``staging/`` outlives a start. Refuses a folder that it cannot write or whose ``node.json`` it cannot read:
a node that silently took a new identity would leave its old one's work behind.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pwd
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from .durability import sync_folder, write_durably
from .errors import DataFolderInUse, DataFolderUnusable
from .tree_removal import remove_tree

_FORMAT: Final = 1
_LOOKED_AT_FOR_S: Final = 0.05
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NOT_OURS: Final = frozenset({errno.EACCES, errno.EPERM})
_NO_FOLDER: Final = frozenset({errno.ENOTDIR, errno.EEXIST})


class DataFolder:
    """An open data folder. Made by ``open``; every path in it is absolute."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._node_id = ""
        self._last_boot: int | None = None

    def __repr__(self) -> str:
        return f"DataFolder({str(self._path)!r})"

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Hold the data folder at ``path`` for as long as the block runs.

        Makes it where it is missing, gives the node its id at the first start, and removes what a crash left
        in ``staging/``. Raises ``DataFolderInUse`` and ``DataFolderUnusable``.
        """
        given = path.absolute()
        with _explained(given):
            given.mkdir(parents=True, exist_ok=True)
            folder = cls(given.resolve())
            lock = folder._take_lock()
        try:
            with _explained(given):
                folder._prepare()
            yield folder
        finally:
            os.close(lock)

    @property
    def path(self) -> Path:
        """The folder itself, absolute and without links."""
        return self._path

    @property
    def node_id(self) -> str:
        """The node's UUID, made at the first start and kept in ``node.json``."""
        return self._node_id

    @property
    def last_boot(self) -> int | None:
        """The boot number that the node wrote down here last; None before its first start."""
        return self._last_boot

    def write_boot(self, boot_number: int) -> None:
        """Write down durably what boot number the node is about to take. Raises ``DataFolderUnusable``."""
        with _explained(self._path):
            self._write_identity(self._node_id, boot_number)
        self._last_boot = boot_number

    @property
    def staging(self) -> Path:
        """Where trees are unpacked; emptied at every start."""
        return self._path / "staging"

    @property
    def intents(self) -> Path:
        """Where it is written down what is about to be live."""
        return self._path / "intents"

    @property
    def installed(self) -> Path:
        """Where finished, read-only trees stand with their records."""
        return self._path / "installed"

    @property
    def live(self) -> Path:
        """Where a link per project points at what is live."""
        return self._path / "live"

    def unused_staging_path(self, name: str) -> Path:
        """A path in ``staging/`` that nobody else has; ``name`` is for people who look."""
        return self.staging / f"{name}~{uuid.uuid4().hex}"

    def make_staging(self, path: Path) -> None:
        """Make the empty folder ``path``, an unused one in ``staging/``. Raises ``OSError``."""
        path.mkdir(mode=0o700)

    def discard_staging(self, path: Path) -> None:
        """Remove what stands at ``path`` in ``staging/``, read-only or not. Raises ``OSError``."""
        if self.staging not in path.parents:
            raise ValueError(f"{str(path)!r} is not in {str(self.staging)!r}")
        remove_tree(path)

    def free_bytes(self) -> int:
        """How much this process's user may still write."""
        return shutil.disk_usage(self._path).free

    def _take_lock(self) -> int:
        """A descriptor that holds the lock until it is closed, by us or by the system when we die."""
        descriptor = os.open(
            self._path / "node.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            # Whoever may read a file may hold its lock.
            os.fchmod(descriptor, 0o600)
            try:
                _lock(descriptor)
            except BlockingIOError:
                holder = os.pread(descriptor, 32, 0).strip()
                raise DataFolderInUse(self._path, int(holder) if holder.isdigit() else None) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _prepare(self) -> None:
        file_system = self._path.stat().st_dev
        for folder, mode in (
            (self.staging, 0o700),
            (self.intents, 0o755),
            (self.installed, 0o755),
            (self.live, 0o755),
        ):
            folder.mkdir(mode=mode, exist_ok=True)
            if folder.stat().st_dev != file_system:
                raise DataFolderUnusable(
                    self._path,
                    f"{folder.name!r} in it is on another file system, but releases go live by renaming: "
                    "keep all of the folder on one",
                )
            with tempfile.TemporaryFile(dir=folder):
                pass
        sync_folder(self._path)
        for leftover in self.staging.iterdir():
            remove_tree(leftover)
        if not self._read_identity():
            self._node_id = str(uuid.uuid4())
            self._write_identity(self._node_id, None)

    def _read_identity(self) -> bool:
        path = self._path / "node.json"
        try:
            content = json.loads(path.read_bytes())
            if content["format"] != _FORMAT:
                raise DataFolderUnusable(
                    self._path,
                    f"its node.json has format {content['format']!r}, this program knows {_FORMAT}: use the "
                    "version of Longshore that wrote it, or a newer one",
                )
            self._node_id = str(uuid.UUID(content["node_id"]))
            self._last_boot = int(content["boot_number"]) if "boot_number" in content else None
        except FileNotFoundError:
            return False
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataFolderUnusable(
                self._path,
                "its node.json is damaged: restore it, or remove it so that the node starts as a new one",
            ) from error
        return True

    def _write_identity(self, node_id: str, boot_number: int | None) -> None:
        content: dict[str, int | str] = {"format": _FORMAT, "node_id": node_id}
        if boot_number is not None:
            content["boot_number"] = boot_number
        write_durably(self._path / "node.json", (json.dumps(content, indent=2) + "\n").encode())


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Say of an error of the system what it means for the data folder."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        where = f" at {error.filename!r}" if error.filename and error.filename != str(folder) else ""
        if error.errno in _NO_FOLDER:
            what = f"{error.filename!r}, or what is above it, is no folder: name another one, or move it away"
        elif error.errno in _NOT_OURS:
            what = f"user {_user()} may not write it ({reason}{where}): give it to that user, or name another"
        elif error.errno == errno.EROFS:
            what = f"its file system is read-only{where}: mount it writable, or name another folder"
        elif error.errno in _NO_ROOM:
            what = f"its disk is full ({reason}{where}): make room, or name a folder on another disk"
        else:
            what = f"{reason}{where}: see to its disk, or name another folder"
        raise DataFolderUnusable(folder, what) from error


def _lock(descriptor: int) -> None:
    """Take the lock of a data folder. Raises ``BlockingIOError`` where a node has it.

    Whoever looks whether one has it (``longshore doctor``) has it for an instant, too.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_LOOKED_AT_FOR_S)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())

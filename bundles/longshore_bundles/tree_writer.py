"""Writes a tree below one directory and nowhere else.

Every directory on the way is opened relative to the one above it without following links, and every file
is made new: so nothing that an archive, or anybody beside, puts there can lead a write outside, even if a
check before it had failed. Files get mode 0644 or 0755 whatever the umask is, directories 0755.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class TreeWriter:
    """Makes ``directory``, which must not exist, and writes into it. Close it when done.

    Paths are relative, checked and without ``..``. Everything raises ``OSError``.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o755)
        self._root = os.open(directory, _DIRECTORY)
        os.fchmod(self._root, 0o755)
        # Most entries stand beside the one before them.
        self._parent_path = ""
        self._parent = self._root

    def close(self) -> None:
        """Let go of the open directories."""
        self._leave_parent()
        os.close(self._root)

    def make_directory(self, path: str) -> None:
        """Make a directory, and those above it; one that is there is fine."""
        self._enter(path)

    def write_file(self, path: str, blocks: Iterable[bytes], *, executable: bool) -> None:
        """Write a new file."""
        parent, name = self._locate(path)
        descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
        try:
            for block in blocks:
                _write_all(descriptor, block)
            os.fchmod(descriptor, 0o755 if executable else 0o644)
        finally:
            os.close(descriptor)

    def make_link(self, path: str, target: str) -> None:
        """Make a symbolic link; its target is checked by others."""
        parent, name = self._locate(path)
        os.symlink(target, name, dir_fd=parent)

    def open_file(self, path: str) -> int:
        """A descriptor of a file that was written before."""
        parent, name = self._locate(path)
        return os.open(name, _OLD_FILE, dir_fd=parent)

    def _locate(self, path: str) -> tuple[int, str]:
        parent_path, _, name = path.rpartition("/")
        return self._enter(parent_path), name

    def _enter(self, path: str) -> int:
        """A descriptor of the directory at ``path``, which is made where it is missing."""
        if path == self._parent_path:
            return self._parent
        self._leave_parent()
        current = self._root
        for name in path.split("/") if path else ():
            following = _enter_child(current, name)
            if current != self._root:
                os.close(current)
            current = following
        self._parent, self._parent_path = current, path
        return current

    def _leave_parent(self) -> None:
        if self._parent != self._root:
            os.close(self._parent)
        self._parent, self._parent_path = self._root, ""


def _enter_child(parent: int, name: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        os.mkdir(name, 0o755, dir_fd=parent)
    child = os.open(name, _DIRECTORY, dir_fd=parent)
    os.fchmod(child, 0o755)
    return child


def _write_all(descriptor: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]

"""A small disk for a node: a real file system, in a mount namespace of its own, gone with who asked for it.

Nobody else sees it mounted, so nothing is left of it, however a test ends; tests look into it through the
process that holds the namespace. Where one is not root, a user namespace serves, if the machine allows one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.child import Child, Command, StartError

_HOLD = 'mount -t tmpfs -o "size=$2,nr_inodes=$3,mode=0755" tmpfs "$1" && echo mounted && exec sleep infinity'
_PIECE = bytes(64 << 10)


class MountsForbiddenError(Exception):
    """This machine lets nobody here mount anything, a container without the right to, say."""


class SmallDisk:
    """``path`` is where a node in the namespace finds it, ``seen`` where the test does."""

    def __init__(self, path: Path, holder: int, options: list[str]) -> None:
        self.path = path
        self.seen = Path(f"/proc/{holder}/root{path}")
        self._enter = ["/usr/bin/env", "nsenter", "-t", str(holder), *options, "-m", "--"]

    @property
    def program(self) -> list[str]:
        """How a node is started that has the disk."""
        return [*self._enter, str(Path(sys.executable).with_name("longshore"))]

    @property
    def free_bytes(self) -> int:
        status = os.statvfs(self.seen)
        return status.f_bavail * status.f_frsize

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is free while the block runs: somebody else has written a large file."""
        hog = self.seen / "hog"
        try:
            with hog.open("wb", buffering=0) as file:
                try:
                    while file.write(_PIECE):
                        pass
                except OSError:
                    assert self.free_bytes == 0
            yield
        finally:
            hog.unlink()

    @contextmanager
    def read_only(self, folder: str) -> Iterator[None]:
        """A folder on it can be read and no more while the block runs, whoever asks."""
        path = str(self.path / folder)
        self._run("mount", "--bind", path, path)
        try:
            self._run("mount", "-o", "remount,bind,ro", path)
            yield
        finally:
            self._run("umount", path)

    def _run(self, *command: str) -> None:
        subprocess.run([*self._enter, *command], check=True, timeout=20)


@contextmanager
def small_disk(folder: Path, *, size_mib: int, inodes: int = 10_000) -> Iterator[SmallDisk]:
    """Mount one below ``folder`` for as long as the block runs. Raises ``MountsForbiddenError``."""
    path = folder / "disk"
    path.mkdir()
    root = os.geteuid() == 0
    command = Command(
        name="disk",
        argv=[
            *("/usr/bin/env", "unshare", "-m" if root else "-Urm", "--propagation", "private"),
            *("sh", "-c", _HOLD, "disk", str(path), f"{size_mib}m", str(inodes)),
        ],
        folder=folder,
    )
    holder = Child(command)
    try:
        try:
            holder.wait_until_ready(lambda: holder.stdout() == "mounted\n")
        except StartError as error:
            raise MountsForbiddenError(str(error)) from error
        yield SmallDisk(path, holder.pid, [] if root else ["-U", "--preserve-credentials"])
    finally:
        holder.end_all()

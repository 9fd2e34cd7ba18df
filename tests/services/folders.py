"""One folder per test session for data, logs and certificates, reachable by other users.

PostgreSQL does not run as root and is started as another user then, so the folder must not lie under a
home that is closed to others. A session holds a lock on its folder; what a killed session has left behind
is recognised by its free lock and removed by the next one.

Of what services store for tests nothing has to outlive a machine: where the system has memory to spare, the
folder may be there, and nobody waits for a disk that all the others write to as well.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK_NAME = "session.lock"
_MEMORY = Path("/dev/shm")
# A session's services store 2 GB at the very most, and there may be two; a container may have 64 MB there.
_SPARE_BYTES = 4 << 30


@contextmanager
def session_folder(*, in_memory: bool = False) -> Iterator[Path]:
    """A fresh folder with mode 0711, removed at the end; folders of dead sessions are removed first.

    With ``in_memory`` it is on no disk, if this machine can spare the memory.
    """
    # Also where this one does not go: what the dead hold of the memory is no room for anybody.
    for place in (_MEMORY, *_disks()):
        if _is_ours(_root(place)):
            with _door(_root(place)):
                _sweep(_root(place))
    root = _root(_place(in_memory=in_memory))
    root.mkdir(mode=0o711, exist_ok=True)
    if not _is_ours(root):
        raise RuntimeError(f"{root} belongs to somebody else: remove it, or set TMPDIR")
    with _door(root):
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
        lock = (folder / _LOCK_NAME).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    folder.chmod(0o711)
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _disks() -> Iterator[Path]:
    yield from map(Path, dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")))


def _place(*, in_memory: bool) -> Path:
    memory = [_MEMORY] if in_memory and _is_roomy(_MEMORY) else []
    for place in (*memory, *_disks()):
        if _open_to_others(place.resolve()):
            break
    return place


def _root(place: Path) -> Path:
    return place / f"longshore-services-{os.getuid()}"


def _is_ours(root: Path) -> bool:
    try:
        found = root.lstat()
    except OSError:
        return False
    return found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode)


@contextmanager
def _door(root: Path) -> Iterator[None]:
    """One session at a time makes its folder there, or removes those of others."""
    with (root / "lock").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        yield


def _is_roomy(folder: Path) -> bool:
    """Whether a session's services have room there, and may start what they put there."""
    try:
        there = os.statvfs(folder)
    except OSError:
        return False
    return there.f_bavail * there.f_frsize >= _SPARE_BYTES and not there.f_flag & os.ST_NOEXEC


def _open_to_others(folder: Path) -> bool:
    return all(step.is_dir() and step.stat().st_mode & stat.S_IXOTH for step in (folder, *folder.parents))


def _sweep(root: Path) -> None:
    for folder in root.glob("*/"):
        try:
            with (folder / _LOCK_NAME).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except FileNotFoundError:
            pass
        shutil.rmtree(folder, ignore_errors=True)

"""One folder per test session for data, logs and certificates, reachable by other users.

PostgreSQL does not run as root and is started as another user then, so the folder must not lie under a
home that is closed to others. A session holds a lock on its folder; what a killed session has left behind
is recognised by its free lock and removed by the next one.
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


@contextmanager
def session_folder() -> Iterator[Path]:
    """A fresh folder with mode 0711, removed at the end; folders of dead sessions are removed first."""
    root = _root()
    with (root / "lock").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        _sweep(root)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
        lock = (folder / _LOCK_NAME).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    folder.chmod(0o711)
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _root() -> Path:
    for place in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):
        if _open_to_others(Path(place).resolve()):
            break
    root = Path(place) / f"longshore-services-{os.getuid()}"
    root.mkdir(mode=0o711, exist_ok=True)
    found = root.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise RuntimeError(f"{root} belongs to somebody else: remove it, or set TMPDIR")
    return root


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

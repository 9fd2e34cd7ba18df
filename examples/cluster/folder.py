"""Where a cluster keeps what it has: one folder, temporary or given, that one cluster at a time has.

What lies in ``run`` begins anew with every start; the payloads, the database and the nodes' own folders
beside it are what a later start goes on with.
"""

from __future__ import annotations

import fcntl
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.folders import session_folder

_LOCK = "cluster.lock"
# Other users may pass through: PostgreSQL, which does not run as root, is one where root starts it.
_MODE = 0o711


class ClusterError(Exception):
    """The cluster cannot start; one line for whoever started it."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder's parts. ``kept`` is whether it is there for a later start."""

    path: Path
    kept: bool

    @property
    def run(self) -> Path:
        """What no later start needs: etcd's data, which is never the truth, and the services' logs."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        """The nodes' logs, those of earlier starts included."""
        return self.path / "logs"

    @property
    def hold(self) -> Path:
        """While this file is there, no node switches a link."""
        return self.path / "hold"

    def config(self, node: str) -> Path:
        """A node's settings."""
        return self.path / f"{node}.yaml"

    def part(self, name: str) -> Path:
        """The folder of a service or a node, made where it is missing."""
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path

    def secret(self) -> str:
        """The password of everything in this folder; nobody but its owner may read it."""
        path = self.path / "secret"
        if not path.exists():
            write_secret(path, secrets.token_hex(16))
        return path.read_text()


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read, also in the moment before it is written."""
    path.touch(mode=0o600)
    path.write_text(text)


@contextmanager
def cluster_folder(given: Path | None) -> Iterator[Folder]:
    """The folder ``given``, or a temporary one, which is gone afterwards. Raises ``ClusterError``."""
    if given is None:
        with session_folder() as path:
            yield _tidied(Folder(path, kept=False))
        return
    path = given.expanduser().resolve()
    try:
        lock_path = path / _LOCK
        if path.exists() and not lock_path.exists() and any(path.iterdir()):
            raise ClusterError(f"{path} holds something else: name a new folder, or an empty one")
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(_MODE)
        lock = lock_path.open("w")
    except OSError as error:
        raise ClusterError(f"{path} cannot be used: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterError(f"another cluster runs in {path}: end it, or name another folder") from None
        yield _tidied(Folder(path, kept=True))


def _tidied(folder: Folder) -> Folder:
    shutil.rmtree(folder.run, ignore_errors=True)
    folder.hold.unlink(missing_ok=True)
    for part in (folder.run, folder.logs):
        part.mkdir(exist_ok=True)
        part.chmod(_MODE)
    return folder


def closed_to_others(path: Path) -> Path | None:
    """The first folder on the way to ``path`` that other users may not pass."""
    way = (*reversed(path.parents), path)
    return next((step for step in way if not step.stat().st_mode & stat.S_IXOTH), None)

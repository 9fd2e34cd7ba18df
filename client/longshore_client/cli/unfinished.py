"""Uploads that this machine has begun and not finished, so that the same command run again goes on with them.

One file an upload in ``$XDG_STATE_HOME/longshore/uploads``, named by a digest of what is deployed where, for
its owner only. Invariants: a file is there whole or not at all; whoever works on an upload holds its file
locked, and the lock goes with the process; what cannot be read counts as nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from longshore_bundles import walk_tree
from longshore_client.payloads import readable

FORGOTTEN_AFTER_S: Final = 24 * 3600
"""As long as a server lets a broken-off upload be resumed, unless it is told otherwise."""

_FORMAT: Final = 1
_MOST_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """An upload that was begun, and what its source looked like then."""

    deployment_id: str
    fingerprint: str


class UnfinishedFile:
    """The file of one upload, locked until the ``with`` block is left.

    ``found`` is what an earlier process left in it. ``upload`` tells the file which one it is about, by
    names and plain values; two uploads with the same are the same.
    """

    def __init__(self, folder: Path, upload: Mapping[str, object]) -> None:
        """Lock the file. Raises ``BlockingIOError`` when another process has it, ``OSError``."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _drop_old(folder)
        self._upload = upload
        key = hashlib.sha256(json.dumps(upload, sort_keys=True).encode()).hexdigest()
        self._path = folder / f"{key[:32]}.json"
        self._descriptor = _locked(self._path)
        self.found = _parsed(os.pread(self._descriptor, _MOST_BYTES, 0))
        self._is_worthless = self.found is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_worthless:
            self.forget()
        os.close(self._descriptor)

    def remember(self, unfinished: UnfinishedUpload) -> None:
        """Keep this upload for whoever comes after us. Raises ``OSError``."""
        text = json.dumps(
            {
                "format": _FORMAT,
                "deployment_id": unfinished.deployment_id,
                "fingerprint": unfinished.fingerprint,
                "upload": dict(self._upload),
            },
            indent=1,
        )
        beside = self._path.with_suffix(f".{uuid.uuid4().hex}.tmp")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Locked before it gets the name, so that there is no moment for another process.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
            beside.replace(self._path)
        except OSError:
            os.close(descriptor)
            beside.unlink(missing_ok=True)
            raise
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._is_worthless = False

    def forget(self) -> None:
        """Leave nothing to go on with; from then on the upload is another process's to remember."""
        self._is_worthless = False
        # What cannot be removed now is dropped when it is old.
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def state_folder() -> Path:
    """Where unfinished uploads are kept: below ``$XDG_STATE_HOME``, which counts only when absolute.

    Raises ``RuntimeError`` where there is no home either.
    """
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    state = named if named.is_absolute() else Path.home() / ".local" / "state"
    return state / "longshore" / "uploads"


def source_fingerprint(source: Path) -> str:
    """A digest over paths, sizes, times, modes and inodes of what would be deployed, without reading it.

    Of a directory that is what belongs to its canonical tar. Raises ``PayloadUnreadable``,
    ``PayloadChanged``.
    """
    digest = hashlib.sha256()

    def note(path: str, status: os.stat_result, target: str) -> None:
        facts = (path, target, status.st_size, status.st_mtime_ns, status.st_mode, status.st_ino)
        digest.update(repr(facts).encode())

    with readable(source):
        if source.is_dir():
            for entry in walk_tree(source, honour_ignore_file=True):
                note(entry.path, entry.stat, entry.target)
        else:
            note("", source.stat(), "")
    return digest.hexdigest()


def _locked(path: Path) -> int:
    """A descriptor of the file that is at ``path``, made where there is none, locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        # Its holder replaced or removed it between our opening and our locking.
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _drop_old(folder: Path) -> None:
    """Remove what no server would go on with any more, unless a process still works on it."""
    now_s = time.time()
    for path in folder.iterdir():
        with suppress(OSError):
            if now_s - path.stat().st_mtime > FORGOTTEN_AFTER_S:
                descriptor = _locked(path)
                try:
                    path.unlink()
                finally:
                    os.close(descriptor)


def _parsed(text: bytes) -> UnfinishedUpload | None:
    try:
        fields = json.loads(text)
        if fields["format"] != _FORMAT:
            return None
        return UnfinishedUpload(str(uuid.UUID(fields["deployment_id"])), str(fields["fingerprint"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None

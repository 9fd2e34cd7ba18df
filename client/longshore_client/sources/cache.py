"""Verified downloads kept below the user's cache folder, each under the checksum that it must have.

Nothing in it is believed: what is taken is verified like what comes from elsewhere, and goes when it is not
what its name says. A file appears whole or not at all; what cannot be kept is not kept, and fails nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from .checksums import Checksum, Digests

_PIECE_BYTES: Final = 1024 * 1024
_LEFT_BEHIND_S: Final = 24 * 3600


class Cache:
    """The folder, and how many bytes may be in it; without a folder nothing is found or kept."""

    def __init__(self, folder: Path | None, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def take(self, checksum: Checksum, destination: Path) -> Digests | None:
        """Copy what is kept under this checksum to ``destination``; its digests, or None when nothing is.

        What was copied is still to be verified, and to be dropped here when it is something else. Raises
        ``OSError`` where ``destination`` cannot be written.
        """
        path = self._path(checksum)
        try:
            source = path.open("rb") if path else None
        except OSError:
            return None
        if path is None or source is None:
            return None
        digests = Digests(checksum)
        with source, destination.open("xb") as copy:
            while piece := _read(source):
                digests.update(piece)
                copy.write(piece)
        with suppress(OSError):
            os.utime(path)
        return digests

    def drop(self, checksum: Checksum) -> None:
        """Forget what is kept under this checksum."""
        path = self._path(checksum)
        if path is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def keep(self, checksum: Checksum, path: Path) -> None:
        """Keep a copy of a file that was found to have this checksum."""
        kept = self._path(checksum)
        if kept is None or self._folder is None:
            return
        with suppress(OSError):
            if path.stat().st_size > self._most_bytes:
                return
            kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, beside = tempfile.mkstemp(prefix=".", dir=kept.parent)
            try:
                with os.fdopen(descriptor, "wb") as copy, path.open("rb") as source:
                    shutil.copyfileobj(source, copy, _PIECE_BYTES)
                Path(beside).replace(kept)
            finally:
                Path(beside).unlink(missing_ok=True)
            self._drop_longest_unused()

    def _path(self, checksum: Checksum) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / checksum.algorithm / checksum.digits[:2] / checksum.digits

    def _drop_longest_unused(self) -> None:
        assert self._folder is not None
        files = [(each.stat(), each) for each in self._folder.glob("sha*/*/*") if each.is_file()]
        kept = [pair for pair in files if not pair[1].name.startswith(".")]
        for status, path in files:
            # Of somebody who was killed while it was written.
            if path.name.startswith(".") and status.st_mtime < time.time() - _LEFT_BEHIND_S:
                path.unlink(missing_ok=True)
        kept.sort(key=lambda pair: pair[0].st_mtime_ns, reverse=True)
        total_bytes = 0
        for status, path in kept:
            total_bytes += status.st_size
            if total_bytes > self._most_bytes:
                path.unlink(missing_ok=True)


def _read(source: IO[bytes]) -> bytes:
    """The next piece; a file that cannot be read any further ends there, and is found out by its checksum."""
    try:
        return source.read(_PIECE_BYTES)
    except OSError:
        return b""

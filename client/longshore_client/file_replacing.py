"""Putting a file in the place of another: whoever reads it finds the old one or the new one, whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def replace_file(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a file beside ``path``, to the disk, and rename it. Raises ``OSError``; then nothing has changed.

    Without ``mode`` it has that of the file before it, or what files of this user have. Two processes must
    not replace the same file at once.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode or 0o666)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 (a descriptor)
            if mode is None and path.exists():
                os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise

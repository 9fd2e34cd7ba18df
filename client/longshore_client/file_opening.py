"""Opening what a person names as a file: a pipe, a device or a socket in its place is not waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from .errors import PayloadUnreadable


def open_file(path: Path) -> BinaryIO:
    """Open a file, or what a link leads to, to be read.

    Raises ``PayloadUnreadable`` for what is neither a file nor a directory, and ``OSError``.
    """
    try:
        # A pipe that nobody writes to would be waited for without end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        check_file(path)
        raise
    try:
        _check(path, os.fstat(descriptor).st_mode)
        return open(descriptor, "rb")  # noqa: PTH123 (a descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def check_file(path: Path) -> None:
    """Raises ``PayloadUnreadable`` for what is there, and neither a file nor a directory."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    _check(path, mode)


def _check(path: Path, mode: int) -> None:
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise PayloadUnreadable(
            f"{path} is neither a file nor a directory: put what comes out of it into a file first"
        )

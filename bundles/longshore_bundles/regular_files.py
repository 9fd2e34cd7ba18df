"""Opens a file by its name in a tree that may be a stranger's: a file, and nothing in the place of one."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotRegular(OSError):
    """What stands there is a link, a directory, a device, a pipe or a socket; ``strerror`` says so."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to be read: no link in its place is followed, and no pipe waited for.

    Raises ``NotRegular``, and ``OSError`` where there is nothing or it may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotRegular(errno.ELOOP, "it is a link", path) from error
        if error.errno == errno.ENXIO:
            raise _special(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _special(path)
    return os.fdopen(descriptor, "rb")


def _special(path: Path) -> NotRegular:
    return NotRegular(errno.EINVAL, "it is no file", path)

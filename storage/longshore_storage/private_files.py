"""Files that only their owner may read, also in folders where others may make what they like (``/tmp``)."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def open_private(path: Path) -> int:
    """A descriptor to write a file: a new one, or what the same user has left there, as it is.

    Raises ``OSError``, also where a link, a pipe, or somebody else's file has the name.
    """
    wanted = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, wanted, 0o600)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
        os.close(descriptor)
        raise PermissionError(errno.EPERM, "somebody else has made what is there", str(path))
    os.fchmod(descriptor, 0o600)
    return descriptor

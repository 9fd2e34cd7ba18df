"""Whether a file has changed since it was read."""

from __future__ import annotations

from pathlib import Path


def file_state(path: Path) -> object:
    """What is another when the file is written or replaced; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino

"""Removes trees that were made read-only, without ever following a link out of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def remove_tree(path: Path) -> None:
    """Remove a tree, a file or a link; what is not there is removed already. Raises ``OSError``."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        path.unlink(missing_ok=True)
        return
    # Only who may write a folder may empty it, and only who may search it may look into it.
    path.chmod(0o700)
    with os.scandir(path) as children:
        for child in children:
            remove_tree(Path(child.path))
    path.rmdir()

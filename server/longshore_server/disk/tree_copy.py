"""A copy of an installed tree that may be written into, for what must not touch the tree itself."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Final

_WRITABLE: Final = 0o600
_WRITABLE_FOLDER: Final = 0o700


def copy_tree(root: Path, destination: Path) -> None:
    """Copy what stands below ``root`` into the new folder ``destination``, all of it the owner's to change.

    Files that may be executed still may; links stay links. Blocking. Raises ``OSError``.
    """
    destination.mkdir(mode=_WRITABLE_FOLDER)
    with os.scandir(root) as children:
        for child in children:
            target = destination / child.name
            if child.is_symlink():
                target.symlink_to(Path(child.path).readlink())
            elif child.is_dir():
                copy_tree(Path(child.path), target)
            else:
                shutil.copyfile(child.path, target)
                executable = child.stat().st_mode & stat.S_IXUSR
                target.chmod(_WRITABLE_FOLDER if executable else _WRITABLE)

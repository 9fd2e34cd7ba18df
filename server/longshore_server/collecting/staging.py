"""Staging folders that a running node forgot. At a start all of them go; this is for the time between."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import structlog

from longshore_server.disk import DataFolder

_log = structlog.get_logger(__name__)

# Whatever a node does with a folder there, it changes something in it more often than that.
_UNTOUCHED_FOR = timedelta(days=1)


def sweep_staging(folder: DataFolder, *, untouched_for: timedelta = _UNTOUCHED_FOR) -> int:
    """Remove what has not changed in ``staging/`` for a day, nothing of it; tells how many folders went.

    The folder is this process's alone, so nobody else works there. Blocking.
    """
    before = time.time() - untouched_for.total_seconds()
    swept = 0
    for leftover in sorted(folder.staging.iterdir()):
        try:
            if _last_change(leftover) < before:
                folder.discard_staging(leftover)
                swept += 1
        except FileNotFoundError:
            # Whoever works there has just finished.
            continue
        except OSError as error:
            _log.warning("staging.kept", folder=leftover.name, error=str(error))
    return swept


def _last_change(path: Path) -> float:
    # The time of the inode: unpacking sets the other one as the archive says.
    newest = path.lstat().st_ctime
    if path.is_dir() and not path.is_symlink():
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                newest = max(newest, Path(folder, name).lstat().st_ctime)
    return newest

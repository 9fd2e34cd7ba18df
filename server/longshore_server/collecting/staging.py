"""Staging folders that a running node forgot. At a start all of them go; this is for the time between."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic
from typing import Final

import structlog

from longshore_server.disk import DataFolder

_log = structlog.get_logger(__name__)

# Whatever a node does with a folder there, it changes something in it more often than that.
_UNTOUCHED_FOR_S: Final = 86_400.0


class StagingSweep:
    """Removes what stands unchanged in ``staging/`` for a day, nothing of it.

    The day is counted here, from look to look: by the machine's clock, which can be set forward, a folder
    that is in use might look forgotten. The data folder is this process's alone, so nobody else works there.
    """

    def __init__(self, folder: DataFolder, *, untouched_for_s: float = _UNTOUCHED_FOR_S) -> None:
        self._folder = folder
        self._untouched_for_s = untouched_for_s
        self._seen: dict[Path, tuple[float, float]] = {}

    def sweep(self) -> int:
        """Look once; tells how many folders went. Blocking."""
        now = monotonic()
        before, self._seen = self._seen, {}
        swept = 0
        for leftover in sorted(self._folder.staging.iterdir()):
            try:
                change = _last_change(leftover)
                changed, since = before.get(leftover, (change, now))
                if changed != change:
                    since = now
                self._seen[leftover] = (change, since)
                if now - since >= self._untouched_for_s:
                    self._folder.discard_staging(leftover)
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

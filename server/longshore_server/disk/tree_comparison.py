"""What an installed tree has become: whether it is still its release, and what of it is not.

``content_checksum`` proves it: the canonical tar of what stands there has the release's ``content_sha256`` or
it has not, whatever the node remembers of it. That number says nothing of modes beyond who may execute, so
``wrong_modes`` looks at those. Only to name what differs is a record believed, and every file is read for it.

Nothing here writes, or keeps anybody from writing: a tree that changes meanwhile gives something between. All
of it blocks for as long as reading takes; ``is_stopped`` is asked in between.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from blake3 import blake3

from longshore_bundles import BundleError, CanonicalTar

from .tree_record import RecordDamaged, RecordLine, recorded_lines, sealed_mode, walk_tree

MOST_DIFFERENCES: Final = 100
_READ_BYTES: Final = 1 << 20
_LONGEST_PATH: Final = 500


class Stopped(Exception):
    """Whoever asked does not want to know any more."""


class DifferenceKind(StrEnum):
    """What is different about an entry."""

    CHANGED = "CHANGED"
    MISSING = "MISSING"
    EXTRA = "EXTRA"


class TreeDifference(NamedTuple):
    """One entry that is not as it should be."""

    path: str
    kind: DifferenceKind


@dataclass(frozen=True, slots=True)
class TreeComparison:
    """What comparing came to: ``differences`` are the first by path of ``total_differences``."""

    compared_entries: int
    differences: tuple[TreeDifference, ...] = ()
    total_differences: int = 0


def content_checksum(root: Path, *, single_file: bool, is_stopped: Callable[[], bool]) -> str:
    """The ``content_sha256`` of what stands below ``root``; empty where that can have none.

    That of a single file is the file's, which must stand there alone. Raises ``Stopped``.
    """
    digest = sha256()
    try:
        for block in _file_alone(root) if single_file else CanonicalTar(root, honour_ignore_file=False):
            if is_stopped():
                raise Stopped
            digest.update(block)
    except (BundleError, OSError, _NotAlone):
        return ""
    return digest.hexdigest()


def wrong_modes(root: Path, is_stopped: Callable[[], bool]) -> TreeComparison:
    """The entries whose modes are not those of an installed tree, but for ``root`` itself.

    Raises ``Stopped`` and ``OSError``.
    """
    found = _Found()
    for path, child in walk_tree(root):
        if is_stopped():
            raise Stopped
        mode = child.stat(follow_symlinks=False).st_mode
        found.compared_entries += not stat.S_ISDIR(mode)
        if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) != sealed_mode(path, mode):
            found.add(path, DifferenceKind.CHANGED)
    return found.comparison()


def compare_with_record(root: Path, record: Path, is_stopped: Callable[[], bool]) -> TreeComparison | None:
    """Name everything below ``root`` that is not as ``record`` says; None where that cannot be read.

    What cannot be read below ``root`` counts as changed. Raises ``Stopped``.
    """
    found = _Found()
    try:
        recorded = (_recorded(line) for _, line in recorded_lines(record) if "entries" not in line)
        standing = (_standing(path, child) for path, child in walk_tree(root, tolerant=True))
        expected, present = next(recorded, None), next(standing, None)
        while expected is not None or present is not None:
            if is_stopped():
                raise Stopped
            if present is None or (expected is not None and expected[0] < present[0]):
                assert expected is not None
                found.add(_path_of(expected[1]), DifferenceKind.MISSING)
                expected = next(recorded, None)
            elif expected is None or present[0] < expected[0]:
                found.add(present[1], DifferenceKind.EXTRA)
                present = next(standing, None)
            else:
                found.compared_entries += "directory" not in expected[1]
                if kind := _difference(expected[1], root / present[1], is_stopped):
                    found.add(present[1], kind)
                expected, present = next(recorded, None), next(standing, None)
    except (RecordDamaged, OSError):
        return None
    return found.comparison()


class _NotAlone(Exception):
    """Something else than one file stands in the tree of a single file."""


class _Found:
    """Differences as they are found, not in order; of many only those with the lowest paths are kept."""

    def __init__(self) -> None:
        self.compared_entries = 0
        self._total = 0
        self._kept: dict[str, DifferenceKind] = {}

    def add(self, path: str, kind: DifferenceKind) -> None:
        # What is of another kind now is missing as the one and extra as the other.
        if path in self._kept:
            self._kept[path] = DifferenceKind.CHANGED
            return
        self._total += 1
        self._kept[path] = kind
        if len(self._kept) >= 2 * MOST_DIFFERENCES:
            self._kept = dict(heapq.nsmallest(MOST_DIFFERENCES, self._kept.items()))

    def comparison(self) -> TreeComparison:
        lowest = heapq.nsmallest(MOST_DIFFERENCES, self._kept.items())
        told = tuple(TreeDifference(_told(path), kind) for path, kind in lowest)
        return TreeComparison(self.compared_entries, told, self._total)


def _file_alone(root: Path) -> Iterator[bytes]:
    with os.scandir(root) as children:
        found = list(children)
    if len(found) != 1 or not found[0].is_file(follow_symlinks=False):
        raise _NotAlone
    with Path(found[0].path).open("rb") as file:
        while data := file.read(_READ_BYTES):
            yield data


def _recorded(line: RecordLine) -> tuple[bytes, RecordLine]:
    return os.fsencode(_path_of(line) + "/" * ("directory" in line)), line


def _standing(path: str, child: os.DirEntry[str]) -> tuple[bytes, str]:
    return os.fsencode(path + "/" * child.is_dir(follow_symlinks=False)), path


def _path_of(line: RecordLine) -> str:
    return str(line.get("file") or line.get("link") or line.get("directory"))


def _difference(expected: RecordLine, place: Path, is_stopped: Callable[[], bool]) -> DifferenceKind | None:
    try:
        status = place.lstat()
        if "link" in expected:
            is_same = stat.S_ISLNK(status.st_mode) and os.readlink(place) == expected["target"]  # noqa: PTH115 (a Path would tidy it up)
        elif f"{stat.S_IMODE(status.st_mode):04o}" != expected["mode"]:
            is_same = False
        elif "directory" in expected:
            is_same = True
        else:
            is_same = (
                stat.S_ISREG(status.st_mode)
                and status.st_size == expected["size_bytes"]
                and _digest(place, is_stopped) == expected["blake3"]
            )
    except FileNotFoundError:
        return DifferenceKind.MISSING
    except OSError:
        is_same = False
    return None if is_same else DifferenceKind.CHANGED


def _digest(place: Path, is_stopped: Callable[[], bool]) -> str:
    digest = blake3()
    # Whatever took the file's place meanwhile is neither followed nor waited for.
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while data := file.read(_READ_BYTES):
            if is_stopped():
                raise Stopped
            digest.update(data)
    return digest.hexdigest()


def _told(path: str) -> str:
    """A path as it can be stored and shown: names need not be UTF-8."""
    return os.fsencode(path).decode(errors="replace")[:_LONGEST_PATH]

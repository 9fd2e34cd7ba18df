"""What a path and a link may be, the same for a directory that is packed and an archive that is unpacked.

Paths are UTF-8, relative, separated by ``/``, and stay where they are put. A link is relative and goes up
only at its beginning, at most to the root: as no entry ever stands under a link, following links from
inside then never leaves the tree, however they are chained. Two paths that differ only in case or in how
Unicode composes them cannot stand beside each other, because some file systems cannot keep them apart.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from enum import Enum, auto

from .errors import EntryRefused
from .findings import printable, quoted
from .path_table import PathTable

MAX_PATH_BYTES = 3072
"""Longest path inside a tree, so that it still fits behind a node's own folders (PATH_MAX is 4096)."""
MAX_COMPONENT_BYTES = 255
MAX_DEPTH = 100
MAX_LINK_BYTES = 1024

_DRIVE = re.compile(r"[A-Za-z]:([\\/]|$)")


class EntryKind(Enum):
    """What an entry of a tree or an archive is."""

    FILE = auto()
    DIRECTORY = auto()
    LINK = auto()
    HARD_LINK = auto()
    SPECIAL = auto()


def clean_path(name: str) -> str:
    """The path that an entry's name stands for: no ``.``, no empty parts, no slash at the end.

    The root itself is the empty string. Raises ``EntryRefused``.
    """
    shown = quoted(name)

    def refused(reason: str, message: str) -> EntryRefused:
        return EntryRefused(reason, message, path=printable(name))

    if not name:
        raise refused("PATH_EMPTY", "an entry has no name: make the archive anew")
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError:
        raise refused("PATH_NOT_UTF8", f"the name {shown} is not UTF-8: rename it") from None
    if b"\0" in encoded:
        raise refused("PATH_INVALID", f"the name {shown} holds a NUL byte: rename it")
    if name.startswith("/"):
        raise refused("PATH_ABSOLUTE", f"{shown} is an absolute path: pack with paths relative to the root")
    if _DRIVE.match(name):
        raise refused("PATH_ABSOLUTE", f"{shown} begins with a drive: pack with paths relative to the root")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refused("PATH_ESCAPES", f"{shown} goes up by '..': pack with paths below one root")
    path = "/".join(parts)
    if len(encoded) > MAX_PATH_BYTES and len(path.encode()) > MAX_PATH_BYTES:
        raise refused("PATH_TOO_LONG", f"{shown} is longer than {MAX_PATH_BYTES} bytes: shorten it")
    if len(parts) > MAX_DEPTH:
        raise refused("PATH_TOO_LONG", f"{shown} is more than {MAX_DEPTH} levels deep: flatten it")
    if any(len(part.encode()) > MAX_COMPONENT_BYTES for part in parts):
        raise refused(
            "PATH_TOO_LONG", f"a part of {shown} is longer than {MAX_COMPONENT_BYTES} bytes: shorten it"
        )
    return path


def check_link(path: str, target: str) -> int:
    """How many levels below the root the link at ``path`` stays, at the least, while it goes up.

    Raises ``EntryRefused`` when ``target`` is empty, absolute, not UTF-8, longer than ``MAX_LINK_BYTES``,
    goes up after going down, or goes up past the root.
    """
    shown = f"{quoted(path)} -> {quoted(target)}"

    def refused(reason: str, message: str) -> EntryRefused:
        return EntryRefused(reason, message, path=path)

    try:
        encoded = target.encode("utf-8")
    except UnicodeEncodeError:
        raise refused("PATH_NOT_UTF8", f"the target of the link {shown} is not UTF-8: rename it") from None
    if not encoded or b"\0" in encoded or len(encoded) > MAX_LINK_BYTES:
        raise refused(
            "LINK_INVALID",
            f"the target of the link {shown} is empty, holds a NUL byte or is longer than {MAX_LINK_BYTES} "
            "bytes: make the link anew",
        )
    if target.startswith("/") or _DRIVE.match(target):
        raise refused("LINK_ESCAPES", f"the link {shown} is absolute: make it relative and stay in the tree")
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    if ".." in parts[ups:]:
        raise refused(
            "LINK_INVALID",
            f"the link {shown} goes up after going down, so where it leads depends on other links: write its "
            "target without '..' behind a name",
        )
    level = path.count("/") - ups
    if level < 0:
        raise refused("LINK_ESCAPES", f"the link {shown} leads out of the tree: link to something inside it")
    return level


def case_folded_path(path: str) -> str:
    """The form in which paths of one tree must differ."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


class SeenPaths:
    """The paths of an archive so far: finds duplicates, conflicts and collisions in any order of entries.

    About 30 bytes an entry, however long the paths are. Takes time by a path's length, and by its depth only
    where directories are new: those count as entries do.
    """

    def __init__(self) -> None:
        self._paths = PathTable()
        self._checked_parent = ""
        self._folded_parent = ""

    def add(self, path: str, kind: EntryKind) -> int:
        """Take a path in, with the directories above it; tells how many of these were new.

        Raises ``EntryRefused``.
        """
        implied = 0
        parent, _, name = path.rpartition("/")
        if parent != self._checked_parent:
            folded_parent = case_folded_path(parent)
            implied = self._add_directories(parent, folded_parent, path)
            self._checked_parent, self._folded_parent = parent, folded_parent
        # Neither case nor composition reaches past a slash.
        folded_name = case_folded_path(name)
        folded_path = f"{self._folded_parent}/{folded_name}" if parent else folded_name
        self._add(path, folded_path, kind, path)
        return implied

    def is_file(self, path: str) -> bool:
        """Whether ``path`` was taken in as a regular file."""
        digest = self._paths.digest
        found = self._paths.find(digest(case_folded_path(path)))
        return found is not None and found == (digest(path), EntryKind.FILE.value)

    def _add_directories(self, parent: str, folded_parent: str, entry: str) -> int:
        """Take a directory in, with those above it; tells how many were new."""
        if not parent or self._is_directory(parent, folded_parent):
            return 0
        levels = list(zip(_levels(parent), _levels(folded_parent), strict=True))
        # What stands above a directory was taken in with it, so not every one must be asked for.
        first = bisect_left(levels, True, key=lambda level: not self._is_directory(*level))
        return sum(self._add(*level, EntryKind.DIRECTORY, entry) for level in levels[first:])

    def _is_directory(self, path: str, folded_path: str) -> bool:
        found = self._paths.find(self._paths.digest(folded_path))
        return found is not None and found == (self._paths.digest(path), EntryKind.DIRECTORY.value)

    def _add(self, path: str, folded_path: str, kind: EntryKind, entry: str) -> bool:
        """Whether the path is new."""
        exact = self._paths.digest(path)
        folded = exact if folded_path == path else self._paths.digest(folded_path)
        known = self._paths.find(folded)
        if known is None:
            self._paths.add(folded, exact, kind.value)
            return True
        shown = quoted(path)
        known_exact, known_kind = known
        if known_exact != exact:
            raise EntryRefused(
                "CASE_COLLISION",
                f"{shown} differs from another path only in case or in how Unicode composes it: rename one",
                path=entry,
            )
        if (known_kind == EntryKind.DIRECTORY.value) is not (kind is EntryKind.DIRECTORY):
            raise EntryRefused(
                "PATH_CONFLICT",
                f"{shown} is a directory in one entry and none in another: make the archive anew",
                path=entry,
            )
        if kind is not EntryKind.DIRECTORY:
            raise EntryRefused(
                "PATH_DUPLICATE", f"{shown} is in the archive twice: make the archive anew", path=entry
            )
        return False


def _levels(path: str) -> Iterator[str]:
    """A directory's path and those of what it stands in, from the top on."""
    end = path.find("/")
    while end != -1:
        yield path[:end]
        end = path.find("/", end + 1)
    yield path

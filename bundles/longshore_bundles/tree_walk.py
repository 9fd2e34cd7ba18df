"""Walks a directory in the order of the canonical tar and says what of it belongs to the tree.

Order: bytewise by path, directories with their trailing slash; of directories only those that hold
nothing. Left out, where asked for: whatever is called ``.git`` (a directory, or the file with a path of
this machine that stands in its place in a worktree or submodule) and what ``.longshoreignore`` at the root
names, in the syntax of gitignore. A directory of which only ignored things are left is left out as well,
as git does it: leftovers of ignored files must not change the checksum.

A sole top-level directory that holds a manifest is stripped: its content is the tree.

Memory: the names of one directory a level; nothing else is kept.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .entry_rules import EntryKind, case_folded_path, check_link, clean_path
from .errors import EntryRefused, TreeChanged, TreeUnreadable
from .findings import printable
from .ignore_patterns import Ignored, ignoring
from .kinds import ROOT_MANIFESTS
from .regular_files import open_regular

IGNORE_FILE = ".longshoreignore"
_GIT = ".git"
_MAX_IGNORE_FILE_BYTES = 64 << 10

_Child = tuple[str, os.DirEntry[str]]
"""A path from the walked directory on, and what stands there."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree: a FILE, a LINK with its ``target``, or a DIRECTORY that holds nothing.

    ``path`` is relative to the root; ``location`` is where it can be opened.
    """

    path: str
    kind: EntryKind
    stat: os.stat_result
    location: str
    target: str = ""

    @property
    def executable(self) -> bool:
        """Whether its owner may execute the file."""
        return bool(self.stat.st_mode & stat.S_IXUSR)


def walk_tree(directory: Path, *, honour_ignore_file: bool) -> Iterator[TreeEntry]:
    """Every entry of the tree, in canonical order.

    Raises ``EntryRefused`` for what cannot stand in a canonical tar, and ``TreeUnreadable``.
    """
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8":
        # The same bytes would be other names, and another checksum, than on any other machine.
        advice = "start it with PYTHONUTF8=1, or in a locale of UTF-8"
        raise TreeUnreadable("LOCALE_NOT_UTF8", f"this process reads file names as {encoding}: {advice}")
    with reading(""):
        is_directory = directory.is_dir()
    if not is_directory:
        shown = printable(os.fspath(directory))
        raise TreeUnreadable("NOT_A_DIRECTORY", f"{shown!r} is not a directory: name one that is there")
    ignored = _read_ignore_file(directory) if honour_ignore_file else None
    children, _ = _children(os.fspath(directory), "", ignored)
    inner = _inside_sole_top(children, ignored)
    stripped = 0 if inner is None else len(children[0][0]) + 1
    stack = [iter(children if inner is None else inner)]
    while stack:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
            continue
        path, child = found
        entry = _entry(path[stripped:], child)
        if entry.kind is not EntryKind.DIRECTORY:
            yield entry
            continue
        children, is_empty = _children(child.path, path, ignored)
        if is_empty:
            yield entry
        elif children:
            stack.append(iter(children))


def _inside_sole_top(children: list[_Child], ignored: Ignored | None) -> list[_Child] | None:
    """What the only top-level directory holds, if it holds a manifest; else None."""
    if len(children) != 1 or not children[0][1].is_dir(follow_symlinks=False):
        return None
    inner, _ = _children(children[0][1].path, children[0][0], ignored)
    is_root = any(child.name in ROOT_MANIFESTS and child.is_file(follow_symlinks=False) for _, child in inner)
    return inner if is_root else None


def _children(location: str, parent: str, ignored: Ignored | None) -> tuple[list[_Child], bool]:
    """What of a directory belongs to the tree, with its paths, in order; and whether it holds nothing."""
    kept: list[tuple[bytes, str, os.DirEntry[str]]] = []
    folded: set[str] = set()
    is_empty = True
    with reading(parent), os.scandir(location) as listing:
        for child in listing:
            is_empty = False
            path = f"{parent}/{child.name}" if parent else child.name
            slash = "/" if child.is_dir(follow_symlinks=False) else ""
            if ignored is not None and (child.name == _GIT or ignored(path + slash)):
                continue
            clean_path(path)
            folded_name = case_folded_path(child.name)
            if folded_name in folded:
                raise EntryRefused(
                    "CASE_COLLISION",
                    f"{printable(path)!r} differs from another path only in case or in how Unicode composes "
                    "it: rename one",
                    path=path,
                )
            folded.add(folded_name)
            kept.append((os.fsencode(child.name + slash), path, child))
    kept.sort(key=lambda item: item[0])
    return [(path, child) for _, path, child in kept], is_empty


def _entry(path: str, child: os.DirEntry[str]) -> TreeEntry:
    with reading(path):
        status = child.stat(follow_symlinks=False)
        # Its place among its siblings was chosen by what it was when they were listed.
        if stat.S_ISDIR(status.st_mode) is not child.is_dir(follow_symlinks=False):
            raise FileNotFoundError
        if stat.S_ISREG(status.st_mode):
            return TreeEntry(path, EntryKind.FILE, status, child.path)
        if stat.S_ISDIR(status.st_mode):
            return TreeEntry(path, EntryKind.DIRECTORY, status, child.path)
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(child.path)  # noqa: PTH115 (a Path would tidy the target up)
            check_link(path, target)
            return TreeEntry(path, EntryKind.LINK, status, child.path, target)
    raise EntryRefused(
        "SPECIAL_FILE",
        f"{printable(path)!r} is a device, pipe or socket: remove it, or name it in {IGNORE_FILE}",
        path=path,
    )


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Says which path of the tree it is that the system refuses."""
    try:
        yield
    except FileNotFoundError as error:
        raise TreeChanged(
            "PATH_CHANGED",
            f"{printable(path)!r} was removed or replaced while the directory was read: try again",
            path=path,
        ) from error
    except OSError as error:
        shown = printable(path) or "the directory"
        message = f"{shown!r} cannot be read ({error.strerror}): see to its permissions"
        raise TreeUnreadable("PATH_UNREADABLE", message, path=path) from error


def _read_ignore_file(directory: Path) -> Ignored:
    try:
        with open_regular(directory / IGNORE_FILE) as file:
            content = file.read(_MAX_IGNORE_FILE_BYTES + 1)
        if len(content) > _MAX_IGNORE_FILE_BYTES:
            raise ValueError(f"it is larger than {_MAX_IGNORE_FILE_BYTES} bytes")
        return ignoring(content.decode("utf-8-sig").split("\n"))
    except FileNotFoundError:
        return lambda path: False
    except OSError as error:
        reason = str(error.strerror)
    except UnicodeDecodeError as error:
        reason = f"line {error.object.count(10, 0, error.start) + 1} is not UTF-8: save it in this encoding"
    except ValueError as error:
        reason = str(error)
    raise TreeUnreadable("IGNORE_FILE_INVALID", f"{IGNORE_FILE} cannot be used: {reason}", path=IGNORE_FILE)

"""Installed trees: read-only, recorded, on the disk before anything points at them.

Owns ``installed/``: ``{project}@{version}`` or, where that name was taken, ``{project}@{version}+{n}``, and
beside each its record ``…~record.jsonl`` and, where it may be a seed, its payload's chunks ``…~chunks``. Only
what has a record is ours; other things in the folder are left alone. Invariants: a tree stands under its name
only after it and its record are durable; a tree is never changed, and never removed while its project's
live link points at it; what is removed first leaves for ``staging/``, so that a crash leaves junk there and
nowhere else.

Blocking and safe to call from several threads; one instance a data folder. What is installed but not yet
live is not protected from ``prune``: whoever installs a project does not prune it meanwhile, and keeps
others from it by ``busy``.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from longshore_bundles import FileDigests, check_project, check_version

from .data_folder import DataFolder
from .durability import sync_folder, sync_tree, write_durably
from .errors import TreeIsLive
from .tree_record import RecordDamaged, RecordHeader, read_header, seal_and_record, tree_matches
from .tree_removal import remove_tree

_SUFFIX: Final = "~record.jsonl"
_CHUNKS_SUFFIX: Final = "~chunks"
_TREE_NAME: Final = re.compile(r"([a-z0-9][a-z0-9._-]*)@([0-9A-Za-z.-]+)(?:\+([1-9][0-9]*))?")


@dataclass(frozen=True, slots=True)
class InstalledTree:
    """A finished tree at ``path``.

    ``is_canonical`` says that its canonical tar is exactly the payload's bytes. ``number`` is what stands
    behind ``+`` in its name, 0 where nothing does. ``last_used_ns`` orders the trees of a project: when it
    was installed, or seen live by ``prune``.
    """

    path: Path
    project: str
    version: str
    number: int
    payload_sha256: str
    content_sha256: str
    is_canonical: bool
    last_used_ns: int

    @property
    def record_path(self) -> Path:
        """Where its record stands."""
        return _record_of(self.path)

    @property
    def chunk_list_path(self) -> Path:
        """Where the list of its payload's chunks stands, if there is one."""
        return _chunks_of(self.path)


class InstalledTrees:
    """The trees of one data folder."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        # Held while names in installed/ are chosen and changed.
        self._names = threading.Lock()
        self._busy: set[str] = set()

    def finalise(
        self,
        staged: Path,
        *,
        project: str,
        version: str,
        payload_sha256: str,
        content_sha256: str,
        is_canonical: bool,
        file_digests: FileDigests | None = None,
        chunk_list: Path | None = None,
    ) -> InstalledTree:
        """Make the unpacked folder ``staged`` an installed tree; durable when this returns.

        ``staged`` stands below ``staging/`` and is moved. Directories become 0555, files 0444, or 0555 where
        their owner may execute them; links stay. Digests are hexadecimal. ``file_digests``, as ``unpack``
        returns them, saves reading every file again. ``chunk_list`` is moved as well, and makes it a seed.

        Raises ``BundleError`` for a wrong name or version, ``StagedTreeRefused`` and ``OSError``; then
        nothing is installed, and ``staged`` is left to be discarded.
        """
        check_project(project)
        check_version(version)
        if self._folder.staging not in staged.parents:
            raise ValueError(f"{str(staged)!r} is not in {str(self._folder.staging)!r}")
        header = RecordHeader(project, version, payload_sha256, content_sha256, is_canonical)
        draft = _record_of(staged)
        try:
            staged.chmod(0o755)
            seal_and_record(staged, draft, header, file_digests)
            sync_tree(staged)
            with self._names:
                path = self._folder.installed / self._free_name(project, version)
                _stamp(draft, self._next_stamp(project))
                # The record goes first: a record without a tree is known as junk, a tree without one is not.
                draft.replace(_record_of(path))
                if chunk_list is not None:
                    chunk_list.replace(_chunks_of(path))
                else:
                    # Of a tree that a crash kept from arriving here.
                    _chunks_of(path).unlink(missing_ok=True)
                staged.rename(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        path.chmod(0o555)
        sync_folder(self._folder.installed)
        return _tree(path, header)

    def trees(self, project: str) -> list[InstalledTree]:
        """The project's trees that have a readable record, last used first; their files are not looked at."""
        check_project(project)
        found = [_tree(path, header) for path, header in self._recorded(project) if header and path.is_dir()]
        return sorted(found, key=lambda tree: (tree.last_used_ns, tree.number), reverse=True)

    def seeds(self, project: str) -> list[InstalledTree]:
        """The project's trees with a list of their payload's chunks, the live one first, then by last use."""
        linked = self._linked(project)
        seeds = [tree for tree in self.trees(project) if tree.chunk_list_path.is_file()]
        return sorted(seeds, key=lambda tree: tree.path != linked)

    def find(self, project: str, version: str, payload_sha256: str) -> InstalledTree | None:
        """The newest tree of this release that passes ``check``, or None."""
        check_version(version)
        for tree in self.trees(project):
            if (tree.version, tree.payload_sha256) == (version, payload_sha256) and self.check(tree):
                # A crash between its arrival and this last step of it leaves the tree's own folder writable.
                tree.path.chmod(0o555)
                return tree
        return None

    def check(self, tree: InstalledTree) -> bool:
        """Whether the tree is still what was installed.

        Compares by stat and reads only the files whose inode or time differs; anything changed, missing or
        added, or a damaged record, is False.
        """
        return tree.path.is_dir() and not tree.path.is_symlink() and tree_matches(tree.path, tree.record_path)

    def distrust(self, path: Path) -> None:
        """Have the tree at ``path`` never be found again, and go with its project's next ``prune``.

        Raises ``OSError``.
        """
        # A record that cannot be read: where there was none, what stands here would never be ours to remove.
        write_durably(_record_of(path), b"")

    def prune(self, project: str, *, keep: int, live: Path | None) -> list[Path]:
        """Remove the project's trees but ``live`` and the ``keep`` last used ones; say which went.

        What the project's live link points at is spared as well. Trees whose record is damaged, and those of
        a release that was installed again later, go in any case. Raises ``OSError``.
        """
        spared = {path.name for path in (live, self._linked(project)) if path is not None}
        trees = self.trees(project)
        newest: dict[tuple[str, str], int] = {}
        for tree in trees:
            release = (tree.version, tree.payload_sha256)
            newest[release] = max(tree.number, newest.get(release, 0))
        kept = set(spared)
        for tree in trees:
            is_newest = tree.number == newest[tree.version, tree.payload_sha256]
            if is_newest and tree.path.name not in spared and keep > 0:
                kept.add(tree.path.name)
                keep -= 1
        removed = []
        for path, _ in list(self._recorded(project)):
            if path.name not in kept and self._remove(path, project):
                removed.append(path)
        if live is not None and trees and trees[0].path.name != live.name:
            with suppress(FileNotFoundError):
                _stamp(_record_of(self._folder.installed / live.name), self._next_stamp(project))
        return removed

    def remove(self, tree: InstalledTree) -> None:
        """Remove a tree and its record; one that is gone is fine. Raises ``TreeIsLive`` and ``OSError``."""
        self._remove(tree.path, tree.project)

    @contextmanager
    def busy(self, project: str) -> Iterator[None]:
        """Keep ``remove_idle`` away from all trees of a project while the block runs."""
        with self._names:
            self._busy.add(project)
        try:
            yield
        finally:
            with self._names:
                self._busy.discard(project)

    def idle(self, *, own: str) -> list[InstalledTree]:
        """The trees of ``own`` and of every project that is not busy, last used last."""
        records = self._folder.installed.glob(f"*{_SUFFIX}")
        named = (_TREE_NAME.fullmatch(record.name.removesuffix(_SUFFIX)) for record in records)
        with self._names:
            projects = ({name[1] for name in named if name} - self._busy) | {own}
        idle = [tree for project in projects for tree in self.trees(project)]
        return sorted(idle, key=lambda tree: (tree.last_used_ns, tree.number))

    def remove_idle(self, tree: InstalledTree, *, own: str) -> bool:
        """Remove a tree unless its project is busy by now and not ``own``; False when it is.

        Raises ``TreeIsLive`` and ``OSError``.
        """
        return self._remove(tree.path, tree.project, spared=lambda: self._busy - {own})

    def _remove(self, path: Path, project: str, *, spared: Callable[[], Collection[str]] = frozenset) -> bool:
        """Remove what stands at ``path``; False when only a record did, or the project is ``spared``."""
        if self._linked(project) == path:
            raise TreeIsLive(path)
        # Not into a new folder: on a full disk making one may fail.
        doomed = self._folder.unused_staging_path(path.name)
        with self._names:
            if project in spared():
                return False
            try:
                if not path.is_symlink():
                    # Only a folder that one may write can be moved to another.
                    path.chmod(0o700)
                path.rename(doomed)
                was_there = True
            except FileNotFoundError:
                was_there = False
            # The record goes last: what has none is not ours to remove.
            _chunks_of(path).unlink(missing_ok=True)
            _record_of(path).unlink(missing_ok=True)
        sync_folder(self._folder.installed)
        remove_tree(doomed)
        return was_there

    def _linked(self, project: str) -> Path | None:
        """The tree that the project's live link points at."""
        check_project(project)
        try:
            link = (self._folder.live / project).readlink()
        except OSError:
            return None
        return Path(os.path.normpath(self._folder.live / link))

    def _recorded(self, project: str) -> Iterator[tuple[Path, RecordHeader | None]]:
        """Where a tree of the project stands or stood by the records; None for a damaged one."""
        for record in sorted(self._folder.installed.glob(f"{project}@*{_SUFFIX}")):
            path = record.with_name(record.name.removesuffix(_SUFFIX))
            named = _TREE_NAME.fullmatch(path.name)
            if named is None:
                continue
            try:
                header = read_header(record)
            except FileNotFoundError:
                continue
            except (RecordDamaged, OSError):
                header = None
            if header is not None and (header.project, header.version) != (named[1], named[2]):
                header = None
            yield path, header

    def _free_name(self, project: str, version: str) -> str:
        """A name above all that this release has: the highest number is always the one installed last."""
        taken = [
            int(named[3] or 0)
            for entry in self._folder.installed.iterdir()
            if (named := _TREE_NAME.fullmatch(entry.name)) and (named[1], named[2]) == (project, version)
        ]
        return f"{project}@{version}+{max(taken) + 1}" if taken else f"{project}@{version}"

    def _next_stamp(self, project: str) -> int:
        """Now, or later where the clock was set back: what is used last must sort first."""
        return max(time.time_ns(), *(tree.last_used_ns + 1 for tree in self.trees(project)), 0)


def _record_of(tree: Path) -> Path:
    return tree.with_name(f"{tree.name}{_SUFFIX}")


def _chunks_of(tree: Path) -> Path:
    return tree.with_name(f"{tree.name}{_CHUNKS_SUFFIX}")


def _stamp(record: Path, time_ns: int) -> None:
    os.utime(record, ns=(time_ns, time_ns))


def _tree(path: Path, header: RecordHeader) -> InstalledTree:
    named = _TREE_NAME.fullmatch(path.name)
    assert named is not None
    return InstalledTree(
        path,
        header.project,
        header.version,
        int(named[3] or 0),
        header.payload_sha256,
        header.content_sha256,
        header.is_canonical,
        _record_of(path).stat().st_mtime_ns,
    )

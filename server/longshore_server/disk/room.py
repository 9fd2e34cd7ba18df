"""Room for one more tree: old ones go when the disk is short, the longest unused first, of any project.

What is live, what an intent names, and what another activation is about to use, stays. Nothing goes when
all that may would not suffice: instant rollback is not given up in vain.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .data_folder import DataFolder
from .errors import DiskError, NoRoom, TreeIsLive
from .installed_trees import InstalledTree, InstalledTrees
from .live_link import LiveLinks
from .tree_record import recorded_size_bytes


def make_room(
    folder: DataFolder,
    trees: InstalledTrees,
    links: LiveLinks,
    needed_bytes: int,
    *,
    project: str,
    what: str,
) -> list[Path]:
    """See to it that ``needed_bytes`` are free for a tree of ``project``; say which old trees went. Blocking.

    Raises ``NoRoom`` and ``OSError``.
    """
    free = folder.free_bytes()
    if free >= needed_bytes:
        return []
    idle = list(_prunable(trees, links, project))
    prunable = sum(recorded_size_bytes(tree.record_path) for tree in idle)
    removed: list[Path] = []
    if free + prunable >= needed_bytes:
        for tree in idle:
            spared = _named(links, tree.project)
            if spared is None or tree.path in spared:
                # It went live since, or is what another activation would go back to.
                continue
            try:
                gone = trees.remove_idle(tree, own=project)
            except TreeIsLive:
                continue
            if gone:
                removed.append(tree.path)
                if (free := folder.free_bytes()) >= needed_bytes:
                    return removed
        prunable = 0
    raise NoRoom(what, folder.path, needed=needed_bytes, free=free, prunable=prunable)


def _prunable(trees: InstalledTrees, links: LiveLinks, own: str) -> Iterator[InstalledTree]:
    idle = trees.idle(own=own)
    named = {project: _named(links, project) for project in {tree.project for tree in idle}}
    for tree in idle:
        spared = named[tree.project]
        if spared is not None and tree.path not in spared:
            yield tree


def _named(links: LiveLinks, project: str) -> set[Path] | None:
    """What has to stay of a project; None where that cannot be told, so that nothing of it may go."""
    try:
        return links.named(project)
    except DiskError:
        return None

"""What a node's disk raises, as one tree. Every message says what to do.

DiskError
├── DataFolderUnusable    the data folder cannot be made, written or understood
├── DataFolderInUse       another process holds the data folder; ``pid`` names it where it can be told
├── StagedTreeRefused     what was unpacked holds something that cannot be installed
├── TreeIsLive            a tree that is live is not removed
├── TreeMissing           the tree that is to go live is not there
├── StaleGeneration       a lower generation than the one obeyed before
├── NoRoom                a tree does not fit on the disk, whatever old ones would go for it
├── IntentDamaged         an intent cannot be read, so the generation obeyed last is not known
└── LiveNotALink          something that is no link stands where the live link belongs

Names and versions that break their rules raise ``longshore_bundles.BundleError``. An ``OSError`` (no space
left, say) passes through untouched, and whatever was to happen has then not happened.
"""

from __future__ import annotations

from pathlib import Path


class DiskError(Exception):
    """Base of everything that this package raises on purpose."""


class DataFolderUnusable(DiskError):
    """The data folder cannot be made, written or understood."""

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(f"the data folder {str(folder)!r} cannot be used: {what}")
        self.folder = folder


class DataFolderInUse(DiskError):
    """Another process holds the data folder; ``pid`` is None when it has not yet said who it is."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"the data folder {str(folder)!r} is in use by {holder}: stop it first, or give this node a data "
            "folder of its own"
        )
        self.folder = folder
        self.pid = pid


class StagedTreeRefused(DiskError):
    """What was unpacked holds something that is neither a file, a directory nor a symbolic link."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path!r} is a device, pipe or socket, which is never installed: leave it out of the payload"
        )
        self.path = path


class TreeIsLive(DiskError):
    """A tree that is live is not removed."""

    def __init__(self, tree: Path) -> None:
        super().__init__(f"{str(tree)!r} is live and stays: make another release live, or undeploy, first")
        self.tree = tree


class TreeMissing(DiskError):
    """The tree that is to go live is not there."""

    def __init__(self, tree: Path) -> None:
        super().__init__(f"{str(tree)!r} is gone, so it cannot go live: install the release again")
        self.tree = tree


class StaleGeneration(DiskError):
    """An assignment of a lower generation than the one obeyed before: it changes nothing."""

    def __init__(self, project: str, *, own: int, asked: int) -> None:
        super().__init__(
            f"project {project!r} is at generation {own} on this node and does not go back to {asked}: "
            "assign it anew with a higher generation"
        )
        self.project = project
        self.own = own
        self.asked = asked


class NoRoom(DiskError):
    """A tree does not fit on the disk, whatever old ones would go for it."""

    def __init__(self, what: str, folder: Path, *, needed: int, free: int, prunable: int) -> None:
        rest = f", and {prunable} more would be without old releases" if prunable else ""
        super().__init__(
            f"no room for {what}: it needs {needed} bytes, {free} are free in {str(folder)!r}{rest}; "
            "free some, then deploy the release again"
        )
        self.needed = needed
        self.free = free


class IntentDamaged(DiskError):
    """An intent cannot be read, so the generation that was obeyed last is not known."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"the intent {str(path)!r} cannot be read ({what}): restore it, or remove it so that the node "
            "obeys its present assignment anew"
        )
        self.path = path


class LiveNotALink(DiskError):
    """Something that is no symbolic link stands where the live link belongs; it is left alone."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{str(path)!r} is not the link that Longshore made there, and is left as it is: move it away, "
            "then deploy or retry"
        )
        self.path = path

"""Comparing what a node has live of a project with its release.

The catalogue says which content the release has, the disk which is there: the node's own record of the tree
is asked only to name what differs. Where it cannot be, or finds nothing though the content is another, the
payload is fetched again and unpacked beside, and what is live is compared with that.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import structlog

from longshore_bundles import PayloadFormat
from longshore_server.disk import (
    DataFolder,
    DiskError,
    InstalledTree,
    InstalledTrees,
    LiveLinks,
    TreeComparison,
    compare_with_record,
    content_checksum,
    wrong_modes,
)
from longshore_server.unbroken import in_executor, in_thread
from longshore_storage.catalogue.rows import Release

_log = structlog.get_logger(__name__)

_TRIES: Final = 3
_NOTHING_COMPARED: Final = TreeComparison(0)

P = ParamSpec("P")
R = TypeVar("R")


class Incomparable(Exception):
    """It could not be compared; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: ``message`` says what is wrong where that is no entry of the tree ``damaged``."""

    compared: TreeComparison = _NOTHING_COMPARED
    message: str = ""
    damaged: Path | None = None

    @property
    def is_intact(self) -> bool:
        """Whether all is as it should be."""
        return not self.message and not self.compared.total_differences


class Comparing:
    """Compares on one node; ``build`` installs a release's tree anew, and reading runs in ``threads``."""

    def __init__(
        self, folder: DataFolder, threads: Executor, build: Callable[[Release], Awaitable[InstalledTree]]
    ) -> None:
        self._trees = InstalledTrees(folder)
        self._links = LiveLinks(folder)
        self._threads = threads
        self._build = build

    async def compare(self, project: str, release: Release | None) -> Found:
        """Compare what is live of a project with ``release``, or with nothing.

        Raises ``Incomparable``, ``DiskError`` and ``OSError``, and what fetching a payload raises.
        """
        target = await in_thread(self._links.target, project)
        if release is None or target is None:
            return Found(message=_of_links(project, release, target))
        live = await in_thread(self._links.live, project)
        if live.version != release.version:
            what = f"version {live.version}" if live.version else f"{str(target)!r}"
            return Found(message=f"{what} is live here, and version {release.version} should be")
        if not await in_thread(_is_a_folder, target):
            return Found(message=f"its tree {str(target)!r} is gone")
        for _ in range(_TRIES):
            compared = await self._reading(self._look, release, target)
            if compared is None:
                compared = await self._look_beside(release, target)
            if compared is not None:
                return Found(compared, damaged=target if compared.total_differences else None)
        raise Incomparable(
            f"{str(target)!r} changes while it is compared: something writes there; end it, then verify again"
        )

    def _look(
        self, release: Release, target: Path, *, is_stopped: Callable[[], bool]
    ) -> TreeComparison | None:
        """Compare with what the catalogue knows; None where what differs cannot be named."""
        single_file = PayloadFormat[release.payload_format] is PayloadFormat.FILE
        checksum = content_checksum(target, single_file=single_file, is_stopped=is_stopped)
        try:
            if checksum == release.content_sha256:
                return wrong_modes(target, is_stopped)
        except (DiskError, FileNotFoundError):
            # It has changed since.
            return None
        tree = next((one for one in self._trees.trees(release.project) if one.path == target), None)
        if tree is None or tree.content_sha256 != release.content_sha256:
            return None
        compared = compare_with_record(target, tree.record_path, is_stopped)
        return compared if compared is not None and compared.total_differences else None

    async def _look_beside(self, release: Release, target: Path) -> TreeComparison | None:
        """Compare with the release as it is stored; None where nothing differs (any more)."""
        if release.stored_payload is None:
            raise Incomparable(
                "it is not its release, whose payload is not stored any more to tell what differs: deploy "
                "its content again"
            )
        _log.info("verification.fetches", project=release.project, version=release.version)
        fresh = await self._build(release)
        try:
            compared = await self._reading(compare_with_record, target, fresh.record_path)
        finally:
            try:
                await in_thread(self._trees.remove, fresh)
            except (DiskError, OSError) as error:
                # It went live meanwhile, or goes with a later switch.
                _log.warning("verification.tree_stays", tree=fresh.path.name, error=str(error))
        return compared if compared is not None and compared.total_differences else None

    async def _reading(self, work: Callable[..., R], *args: object) -> R:
        """Read in a thread, which ends soon when this is cancelled."""
        stopped = threading.Event()
        reading = asyncio.ensure_future(in_executor(self._threads, work, *args, is_stopped=stopped.is_set))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            stopped.set()
            await asyncio.wait([reading])
            if not reading.cancelled():
                reading.exception()
            raise


def _of_links(project: str, release: Release | None, target: Path | None) -> str:
    """What is wrong where nothing is live, or should be."""
    if release is not None:
        return f"nothing is live here, and version {release.version} should be"
    return (
        f"nothing of {project} should be live here, but its link points at {str(target)!r}" if target else ""
    )


def _is_a_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()

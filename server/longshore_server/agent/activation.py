"""Making one assignment live on this node: find or build the tree, switch, report.

Every step may be repeated after a crash: a half-made tree is in ``staging`` and goes at the next start,
an installed one is found again, and the switch of a generation that was done already changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

import structlog

from longshore_bundles import UnpackLimits
from longshore_server.disk import (
    NOTHING,
    DataFolder,
    DiskError,
    InstalledTree,
    InstalledTrees,
    LiveLinks,
    LiveTree,
)
from longshore_server.hooks import BundleTestSettings, ProjectHooks, Runtimes
from longshore_server.tracing import describe, span, store_use
from longshore_server.unbroken import in_thread
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.rows import Assignment, Release
from longshore_storage.payloads import PayloadStore

from .building import TreeBuilder
from .bundle_tests import BundleTests
from .moved import Moved
from .reporting import Reports
from .runtime_check import check_runtimes
from .switching import Switching

_log = structlog.get_logger(__name__)

# Unpacking is work for one core and one disk.
BUILT_AT_ONCE: Final = 2


class ActivationWork:
    """Does the work of one node's activations."""

    def __init__(
        self,
        catalogue: Catalogue,
        payloads: PayloadStore,
        wakeups: Wakeups,
        folder: DataFolder,
        threads: Executor,
        *,
        node_name: str,
        limits: UnpackLimits,
        kept_releases: int,
        hooks_of: Callable[[str], ProjectHooks],
        runtimes: Runtimes,
        bundle_tests: BundleTestSettings,
        on_end: Callable[[str], None],
    ) -> None:
        self.reports = Reports(catalogue, wakeups, on_end)
        self._trees = InstalledTrees(folder)
        self._links = LiveLinks(folder)
        self._builder = TreeBuilder(payloads, folder, self._trees, self._links, limits, threads)
        self._switching = Switching(catalogue, self.reports, folder, self._links, hooks_of, node_name)
        self._runtimes = runtimes
        self._tests = BundleTests(catalogue, self.reports, folder, threads, bundle_tests, node_name)
        self._kept_releases = kept_releases
        self._places = asyncio.Semaphore(BUILT_AT_ONCE)

    def repair(self) -> None:
        """Finish what a crash broke off between intent and link, and log what is not as it should be."""
        for finding in self._links.repair():
            _log.warning("link.repaired", project=finding.project, state=finding.state, detail=finding.detail)

    async def make_live(self, assignment: Assignment) -> None:
        """Make the assignment live and report it; raises ``Superseded`` and whatever goes wrong."""
        if await self._switching.finish_taking_back(assignment):
            return
        with self._trees.busy(assignment.project):
            goal = NOTHING
            moved = Moved(total_bytes=0)
            begun = await self.reports.begin(assignment)
            if begun is not None:
                release, demands = begun
                moved = Moved(total_bytes=release.payload_size_bytes)
                is_new = (await in_thread(self._links.live, release.project)).version != release.version
                if is_new:
                    # Before a byte is fetched in vain.
                    await check_runtimes(self._runtimes, demands)
                tree = await self._tree(assignment, release, moved)
                if is_new:
                    await self._tests.run(assignment, demands, tree)
                goal = LiveTree(tree.version, tree.path)
            with span("activation.switch"):
                is_live = await self._switching.make_live(assignment, goal, moved.columns())
            describe(outcome="live" if is_live else "failed")
            if not is_live:
                return
        _log.info("activation.done", version=goal.version or "", path=str(goal.target or ""))
        await in_thread(self._prune, assignment.project, goal.target)

    async def build(self, release: Release, moved: Moved | None = None) -> InstalledTree:
        """Install a release's tree anew, beside what there is. Raises what building one raises."""
        # Only who builds may have to wait for a store, so nothing else waits behind it.
        async with self._places:
            return await self._builder.build(release, moved or Moved(release.payload_size_bytes))

    async def _tree(self, assignment: Assignment, release: Release, moved: Moved) -> InstalledTree:
        async with self.reports.while_working(assignment, moved.columns):
            kept = await in_thread(self._trees.find, release.project, release.version, release.payload_sha256)
            if kept is None:
                with span("activation.build"), store_use():
                    tree = await self.build(release, moved)
                    describe(**moved.columns())
                    return tree
            moved.reused_bytes = moved.installed_bytes = release.payload_size_bytes
            return kept

    def _prune(self, project: str, live: Path | None) -> None:
        try:
            self._trees.prune(project, keep=self._kept_releases, live=live)
        except (OSError, DiskError) as error:
            # What is live is live; old trees that cannot be removed now go after the next switch.
            _log.warning("trees.kept", project=project, error=str(error))

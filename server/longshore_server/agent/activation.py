"""Making one assignment live on this node: find or build the tree, check, switch, report.

Every step may be repeated after a crash: a half-made tree is in ``staging`` and goes at the next start,
an installed one is found again, and the switch of a generation that was done already changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import structlog

from longshore_bundles import UnpackLimits
from longshore_server.disk import DataFolder, DiskError, InstalledTree, InstalledTrees, LiveLinks
from longshore_server.unbroken import in_executor, in_thread
from longshore_server.wakeups import Kind, Wakeups, rollout_ident
from longshore_storage.catalogue import Catalogue, Transaction, assignments, releases
from longshore_storage.catalogue.lifecycle import ActivationStatus
from longshore_storage.catalogue.rows import Assignment, Release
from longshore_storage.errors import StorageError
from longshore_storage.payloads import PayloadStore

from .building import Moved, TreeBuilder

_log = structlog.get_logger(__name__)

_REPORT_SPACING_S = 1.0
# How often a node that works or waits shows that it is well; far below any deadline for progress.
STILL_HERE_S = 10.0
_WORKING = (ActivationStatus.PENDING, ActivationStatus.FETCHING, ActivationStatus.SWITCHING)


class Superseded(Exception):
    """A newer assignment took this one's place, or the controller gave the node up: stop, change nothing."""


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
        limits: UnpackLimits,
        kept_releases: int,
    ) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups
        self._trees = InstalledTrees(folder)
        self._links = LiveLinks(folder)
        self._threads = threads
        self._builder = TreeBuilder(payloads, folder, self._trees, limits, threads)
        self._kept_releases = kept_releases

    def repair(self) -> None:
        """Finish what a crash broke off between intent and link, and log what is not as it should be."""
        for finding in self._links.repair():
            _log.warning("link.repaired", project=finding.project, state=finding.state, detail=finding.detail)

    async def make_live(self, assignment: Assignment) -> None:
        """Make the assignment live and report it; raises ``Superseded`` and whatever goes wrong."""
        async with self._catalogue.transaction() as transaction:
            await self._report(
                transaction,
                assignment,
                status=ActivationStatus.FETCHING,
                start_time=await transaction.now(),
                message="",
            )
            release = (
                await releases.get_release(transaction, assignment.release_id)
                if assignment.release_id is not None
                else None
            )
        tree = await self._tree(assignment, release) if release is not None else None
        await self._switch(assignment, release, tree)
        _log.info(
            "activation.done", version=release.version if release else "", path=str(tree.path) if tree else ""
        )
        await in_executor(self._threads, self._prune, assignment.project, tree.path if tree else None)

    async def still_here(self, assignment: Assignment) -> None:
        """Show that the node will come to the assignment. Raises ``Superseded``, but never for a store."""
        try:
            async with self._catalogue.transaction() as transaction:
                await self._report(transaction, assignment)
        except StorageError as error:
            _log.warning("activation.unreported", error=str(error))

    async def _tree(self, assignment: Assignment, release: Release) -> InstalledTree:
        moved = Moved(total_bytes=release.payload_size_bytes)
        async with self._reporting(assignment, moved):
            kept = await in_executor(
                self._threads, self._trees.find, release.project, release.version, release.payload_sha256
            )
            if kept is not None:
                moved.reused_bytes = moved.installed_bytes = release.payload_size_bytes
                tree = kept
            else:
                tree = await self._builder.build(release, moved)
        async with self._catalogue.transaction() as transaction:
            await self._report(transaction, assignment, **moved.columns())
        return tree

    async def _switch(
        self, assignment: Assignment, release: Release | None, tree: InstalledTree | None
    ) -> None:
        async with self._catalogue.transaction() as transaction:
            if not await assignments.begin_switch(transaction, assignments.place_of(assignment)):
                raise Superseded
        await in_thread(
            self._links.switch,
            assignment.project,
            generation=assignment.generation,
            version=release.version if release else None,
            target=tree.path if tree else None,
            deployment_id=assignment.deployment_id or None,
        )
        async with self._catalogue.transaction() as transaction:
            await self._report(
                transaction,
                assignment,
                status=ActivationStatus.LIVE if release else ActivationStatus.REMOVED,
                end_time=await transaction.now(),
                path=str(tree.path) if tree else "",
            )
        self._wakeups.send(Kind.ROLLOUTS, rollout_ident(assignment.project, assignment.environment))
        self._wakeups.send(Kind.PROGRESS, assignment.deployment_id)

    def _prune(self, project: str, live: Path | None) -> None:
        try:
            self._trees.prune(project, keep=self._kept_releases, live=live)
        except (OSError, DiskError) as error:
            # What is live is live; old trees that cannot be removed now go after the next switch.
            _log.warning("trees.kept", project=project, error=str(error))

    @asynccontextmanager
    async def _reporting(self, assignment: Assignment, moved: Moved) -> AsyncIterator[None]:
        """Write the bytes moved to the activation once a second while the block runs.

        When the activation is no longer this node's to work on, the block is cancelled and ends with
        ``Superseded``.
        """
        owner = asyncio.current_task()
        assert owner is not None
        superseded = False

        async def report() -> None:
            nonlocal superseded
            told, told_at = moved.columns(), monotonic()
            while True:
                await asyncio.sleep(_REPORT_SPACING_S)
                # Work whose bytes are not counted (a zip, the last sync) is reported too, if less often.
                if moved.columns() == told and monotonic() < told_at + STILL_HERE_S:
                    continue
                told, told_at = moved.columns(), monotonic()
                try:
                    async with self._catalogue.transaction() as transaction:
                        await self._report(transaction, assignment, **told)
                except Superseded:
                    superseded = True
                    owner.cancel()
                    return
                except StorageError as error:
                    _log.warning("activation.unreported", error=str(error))

        reporter = asyncio.create_task(report())
        try:
            yield
        except asyncio.CancelledError:
            if superseded and owner.uncancel() == 0:
                raise Superseded from None
            raise
        finally:
            reporter.cancel()
            await asyncio.wait([reporter])

    async def _report(self, transaction: Transaction, assignment: Assignment, **values: object) -> None:
        place = assignments.place_of(assignment)
        if not await assignments.report(transaction, place, expected=_WORKING, **values):
            raise Superseded

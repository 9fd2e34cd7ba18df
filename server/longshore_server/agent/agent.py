"""Finds this node's due assignments and obeys each; signals wake it, a slow poll stands behind them.

It obeys, reports and stores only its assignment's generation: a report that meets another one ends the
work. A store that is away is waited for; what can never succeed fails the activation, and what was live
stays live.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import Executor

import structlog

from longshore_bundles import UnpackLimits
from longshore_server.disk import DataFolder, DiskError, InstalledTree, LiveLinks, StaleGeneration
from longshore_server.hooks import BundleTestSettings, ProjectHooks, Runtimes
from longshore_server.identity import Identity
from longshore_server.tracing import span
from longshore_server.translation import refusal_of
from longshore_server.unbroken import in_thread
from longshore_server.wakeups import Kind, Wakeups, woken
from longshore_storage.catalogue import Catalogue, assignments
from longshore_storage.catalogue.rows import Assignment, Release
from longshore_storage.errors import StorageError
from longshore_storage.payloads import PayloadStore

from .activation import ActivationWork
from .converging import Converging
from .patience import LONGEST_AWAY_S, PASSING, patiently
from .reporting import ActivationRefused, Superseded

_log = structlog.get_logger(__name__)

_UNREPORTED_PAUSE_S = 1.0


class NodeAgent:
    """Runs until cancelled; see the module. ``threads`` are for ``BUILT_AT_ONCE`` trees, and nothing else.

    ``on_end`` is told how an activation ended: ``live``, ``removed`` or ``failed``; ``on_ahead`` that the
    node has obeyed more than the database knows.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        payloads: PayloadStore,
        wakeups: Wakeups,
        folder: DataFolder,
        identity: Identity,
        threads: Executor,
        *,
        limits: UnpackLimits,
        kept_releases: int,
        hooks_of: Callable[[str], ProjectHooks],
        runtimes: Runtimes,
        bundle_tests: BundleTestSettings,
        poll_s: float,
        on_end: Callable[[str], None] = lambda _: None,
        on_ahead: Callable[[], None] = lambda: None,
    ) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups
        self._identity = identity
        self._poll_s = poll_s
        self._work = ActivationWork(
            catalogue,
            payloads,
            wakeups,
            folder,
            threads,
            node_name=identity.name,
            limits=limits,
            kept_releases=kept_releases,
            hooks_of=hooks_of,
            runtimes=runtimes,
            bundle_tests=bundle_tests,
            on_end=on_end,
        )
        self._converging = Converging(catalogue, wakeups, identity, LiveLinks(folder), on_ahead)
        self._look = asyncio.Event()
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def build(self, release: Release) -> InstalledTree:
        """Install a release's tree anew, beside what there is. Raises what building one raises."""
        return await self._work.build(release)

    async def run(self) -> None:
        """Look for due assignments, again and again."""
        await in_thread(self._work.repair)
        try:
            async with self._wakeups.listening(Kind.ASSIGNMENTS, self._wake):
                while True:
                    self._look.clear()
                    try:
                        await self._start_work()
                    except (StorageError, DiskError, OSError) as error:
                        _log.warning("assignments.unseen", error=str(error))
                    await woken(self._look, self._poll_s)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _wake(self, ident: str) -> None:
        if ident in ("", self._identity.environment):
            self._look.set()

    async def _start_work(self) -> None:
        await self._converging.look()
        async with self._catalogue.reading() as transaction:
            due = await assignments.due_assignments(transaction, self._identity.node_id)
        for assignment in due:
            place = (assignment.environment, assignment.project)
            if place not in self._tasks:
                self._tasks[place] = asyncio.create_task(self._obey(assignment))

    async def _obey(self, assignment: Assignment) -> None:
        structlog.contextvars.bind_contextvars(
            deployment_id=assignment.deployment_id,
            request_id=assignment.request_id,
            project=assignment.project,
            generation=assignment.generation,
        )
        try:
            with span(
                "activation",
                within=assignment.trace_context,
                deployment_id=assignment.deployment_id,
                project=assignment.project,
                environment=assignment.environment,
                generation=assignment.generation,
            ):
                async for attempt in patiently():
                    with attempt:
                        await self._try(assignment)
        except Superseded:
            _log.info("activation.superseded")
        except PASSING as error:
            await self._give_up(assignment, error)
        except StaleGeneration as stale:
            await self._refuse(stale)
        except StorageError as error:
            _log.warning("activation.unreported", error=str(error))
            await asyncio.sleep(_UNREPORTED_PAUSE_S)
        except Exception:
            # A fault of our own is tried again, but never as fast as it fails.
            _log.exception("activation.failed")
            await asyncio.sleep(_UNREPORTED_PAUSE_S)
        finally:
            del self._tasks[assignment.environment, assignment.project]
            self._look.set()

    async def _try(self, assignment: Assignment) -> None:
        try:
            await self._work.make_live(assignment)
        except (Superseded, StaleGeneration, *PASSING):
            raise
        except ActivationRefused as refused:
            await self._work.reports.failed(assignment, str(refused))
        except Exception as error:
            refusal = refusal_of(error)
            if refusal is None and not isinstance(error, OSError | DiskError):
                _log.exception("activation.failed")
                message = f"a fault of the node's own ({type(error).__name__}); its log tells more"
            else:
                message = refusal.message if refusal is not None else _words(error)
            await self._work.reports.failed(assignment, message)

    async def _refuse(self, stale: StaleGeneration) -> None:
        """The database was restored: what it assigns is older than what was obeyed here."""
        _log.warning("assignment.stale", error=str(stale))
        try:
            await self._converging.refuse(stale)
        except StorageError as trouble:
            _log.warning("activation.unreported", error=str(trouble))
        # It is due until somebody has assigned it anew.
        await asyncio.sleep(_UNREPORTED_PAUSE_S)

    async def _give_up(self, assignment: Assignment, error: Exception) -> None:
        try:
            await self._work.reports.failed(assignment, f"{error}; tried for {LONGEST_AWAY_S:g} s")
        except StorageError as trouble:
            _log.warning("activation.unreported", error=str(trouble))
            await asyncio.sleep(_UNREPORTED_PAUSE_S)


def _words(error: Exception) -> str:
    """What went wrong on this node's disk, for people."""
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return (
            f"the node's file system is read-only at {error.filename!r}: see why (a disk that fails is made "
            "so), mount it writable, then retry"
        )
    return str(error)

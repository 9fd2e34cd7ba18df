"""What a node says of its activations, always under its assignment's generation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final

import structlog

from longshore_server.tracing import describe
from longshore_server.wakeups import Kind, Wakeups, rollout_ident
from longshore_storage.catalogue import Catalogue, Transaction, activations, releases
from longshore_storage.catalogue.demands import Demands, demands_of
from longshore_storage.catalogue.lifecycle import ActivationStatus
from longshore_storage.catalogue.rows import Assignment, Release
from longshore_storage.errors import StorageError

from .patience import patiently

_log = structlog.get_logger(__name__)

_REPORT_SPACING_S: Final = 1.0
# How often a node that works or waits shows that it is well; far below any deadline for progress.
STILL_HERE_S: Final = 10.0
# While commands run a cancellation is noticed within this time.
STILL_HERE_WITH_HOOKS_S: Final = 2.0
_OPEN: Final = (ActivationStatus.PENDING, ActivationStatus.FETCHING, ActivationStatus.SWITCHING)
_LONGEST_MESSAGE: Final = 1000


class Superseded(Exception):
    """A newer assignment took this one's place, or the controller gave the node up: stop, change nothing."""


class ActivationRefused(Exception):
    """The node does not make live what is assigned, and nothing was switched; its text says why."""


class Reports:
    """Writes the rows of one node's activations, and wakes who waits for them."""

    def __init__(
        self, catalogue: Catalogue, wakeups: Wakeups, on_end: Callable[[str], None] = lambda _: None
    ) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups
        self._on_end = on_end

    async def begin(self, assignment: Assignment) -> tuple[Release, Demands] | None:
        """Say that the work has begun; the release that it is about, and what that asks of the node.

        None where nothing is to be live. Raises ``Superseded``.
        """
        async with self._catalogue.transaction() as transaction:
            await self._write(
                transaction,
                assignment,
                status=ActivationStatus.FETCHING,
                start_time=await transaction.now(),
                message="",
            )
            if assignment.release_id is None:
                return None
            release = await releases.get_release(transaction, assignment.release_id)
            return release, await demands_of(transaction, assignment)

    async def moved(self, assignment: Assignment, **columns: Any) -> None:
        """Say how far the work is. Raises ``Superseded``."""
        async with self._catalogue.transaction() as transaction:
            await self._write(transaction, assignment, **columns)

    async def begin_switch(self, assignment: Assignment, **columns: Any) -> None:
        """Say that the link is swapped next. Raises ``Superseded``: then it must not be."""
        async with self._catalogue.transaction() as transaction:
            if not await activations.begin_switch(transaction, activations.place_of(assignment), **columns):
                raise Superseded

    async def live(self, assignment: Assignment, path: str) -> None:
        """Say that what is assigned is live at ``path``, or that nothing is. Raises ``Superseded``.

        Waits for a database that is away, so that hooks are not run once more for its sake.
        """
        status = ActivationStatus.LIVE if assignment.release_id is not None else ActivationStatus.REMOVED
        async for attempt in patiently():
            with attempt:
                async with self._catalogue.transaction() as transaction:
                    end_time = await transaction.now()
                    await self._write(transaction, assignment, status=status, end_time=end_time, path=path)
        self._on_end(status.lower())
        self.wake(assignment)

    async def failed(self, assignment: Assignment, message: str) -> None:
        """Say that what is assigned is not live and will not be."""
        _log.warning("activation.failed", error=message)
        describe(outcome="failed")
        async with self._catalogue.transaction() as transaction:
            await activations.report(
                transaction,
                activations.place_of(assignment),
                expected=_OPEN,
                status=ActivationStatus.FAILED,
                message=message[:_LONGEST_MESSAGE],
                end_time=await transaction.now(),
            )
        self._on_end("failed")
        self.wake(assignment)

    def wake(self, assignment: Assignment) -> None:
        """Have the rollout's owner and followers look."""
        self._wakeups.send(Kind.ROLLOUTS, rollout_ident(assignment.project, assignment.environment))
        self._wakeups.send(Kind.PROGRESS, assignment.deployment_id)

    @asynccontextmanager
    async def while_working(
        self,
        assignment: Assignment,
        columns: Callable[[], Mapping[str, int]] = dict,
        *,
        still_here_s: float = STILL_HERE_S,
    ) -> AsyncIterator[None]:
        """Report ``columns`` once a second where they changed, and that the node is well, beside the block.

        When the activation is no longer this node's to work on, the block is cancelled and ends with
        ``Superseded``.
        """
        owner = asyncio.current_task()
        assert owner is not None
        superseded = False

        async def report() -> None:
            nonlocal superseded
            told, told_at = columns(), monotonic()
            while True:
                await asyncio.sleep(_REPORT_SPACING_S)
                # Work whose bytes are not counted (a zip, the last sync) is reported too, if less often.
                if columns() == told and monotonic() < told_at + still_here_s:
                    continue
                told, told_at = columns(), monotonic()
                try:
                    await self.moved(assignment, **told)
                except Superseded:
                    superseded = True
                    owner.cancel()
                    return
                except StorageError as error:
                    _log.warning("activation.unreported", error=str(error))

        reporter = asyncio.create_task(report())
        try:
            try:
                yield
            finally:
                reporter.cancel()
                await asyncio.wait([reporter])
        except asyncio.CancelledError:
            if superseded and owner.uncancel() == 0:
                raise Superseded from None
            raise

    async def _write(self, transaction: Transaction, assignment: Assignment, **values: object) -> None:
        place = activations.place_of(assignment)
        if not await activations.report(transaction, place, expected=_OPEN, **values):
            raise Superseded

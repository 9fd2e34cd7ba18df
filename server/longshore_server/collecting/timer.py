"""Collecting by timer: every control node looks, the one that gets the lock and finds it due does it.

The lock only spares work: a run is safe beside another one, and one that breaks off is gone on with by
whoever looks next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta

import structlog

from longshore_server.disk import DataFolder
from longshore_server.unbroken import in_thread
from longshore_storage.collecting import CollectingReport, Collector
from longshore_storage.errors import StorageError
from longshore_storage.ports import Coordination

from .staging import StagingSweep

_log = structlog.get_logger(__name__)

LOCK = "collecting"
_DAY_S = 86_400.0
_STAGING = "staging_folders"
# A node that has just started has other things to do, and a person with a restored database may want to
# look before anything goes.
_FIRST_LOOK_S = 300.0


class CollectingTimer:
    """Runs until cancelled; see the module. ``collector`` is None on a node without the role control.

    ``on_collected`` is told how much of what was found and removed.
    """

    def __init__(
        self,
        collector: Collector | None,
        coordination: Coordination,
        folder: DataFolder,
        *,
        every_s: float,
        on_collected: Callable[[Mapping[str, int]], None] = lambda _: None,
    ) -> None:
        self._collector = collector
        self._coordination = coordination
        self._staging = StagingSweep(folder)
        self._every_s = every_s
        self._on_collected = on_collected
        # So that what was never found is told as none, too.
        on_collected({_STAGING: 0, **(CollectingReport().counts if collector is not None else {})})

    async def run(self) -> None:
        """Look now and then whether collecting is due."""
        pause_s = min(self._every_s, _FIRST_LOOK_S)
        while True:
            await asyncio.sleep(pause_s)
            pause_s = self._every_s
            await self._sweep()
            if self._collector is None:
                continue
            try:
                async with self._coordination.lock(LOCK):
                    if await self._collector.is_due(timedelta(seconds=self._every_s)):
                        await self._collect(self._collector)
            except StorageError as error:
                _log.warning("collecting.broken_off", error=str(error))
            except Exception:
                # A fault of our own must not end the node: it serves without collecting.
                _log.exception("collecting.failed")

    async def _collect(self, collector: Collector) -> None:
        report = CollectingReport()
        try:
            # All of the store is listed once a day.
            await collector.run(report, listed_share=min(self._every_s / _DAY_S, 1.0))
        finally:
            self._on_collected(report.counts)
            _log.info("collecting.done", **{name: count for name, count in asdict(report).items() if count})

    async def _sweep(self) -> None:
        try:
            swept = await in_thread(self._staging.sweep)
        except OSError as error:
            _log.warning("staging.kept", error=str(error))
        else:
            self._on_collected({_STAGING: swept})
            if swept:
                _log.info("staging.swept", folders=swept)

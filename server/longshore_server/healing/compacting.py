"""Compaction by timer: every control node looks, the one that gets the lock and finds it due does it.

The lock only spares work: two compactions at once break nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import timedelta

import structlog

from longshore_storage.compacting import Compaction
from longshore_storage.errors import StorageError
from longshore_storage.ports import Coordination

_log = structlog.get_logger(__name__)

LOCK = "compacting"
_LONGEST_PAUSE_S = 3600.0


class CompactionTimer:
    """Runs until cancelled; see the module."""

    def __init__(self, compaction: Compaction, coordination: Coordination, *, every_s: float) -> None:
        self._compaction = compaction
        self._coordination = coordination
        self._every_s = every_s

    async def run(self) -> None:
        """Look now and then whether compacting is due."""
        while True:
            await asyncio.sleep(min(self._every_s, _LONGEST_PAUSE_S))
            try:
                async with self._coordination.lock(LOCK):
                    if await self._compaction.is_due(timedelta(seconds=self._every_s)):
                        progress = await self._compaction.run()
                        _log.info("compaction.done", **asdict(progress))
            except StorageError as error:
                _log.warning("compaction.broken_off", error=str(error))
            except Exception:
                # A fault of our own must not end the node: it serves without compacting.
                _log.exception("compaction.failed")

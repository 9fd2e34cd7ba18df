"""Sealing by timer: every control node looks, the one that gets the lock seals what is not sealed yet.

The lock only spares work: two that seal at once break nothing, and nobody who writes entries needs it. So
whoever may write in etcd does not keep the trail from being sealed: a lock that is kept for too long, is lost
or cannot be had is done without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

import structlog

from longshore_server.settings import AuditSettings
from longshore_storage.auditing import Sealing, SealingReport
from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import CoordinationUnavailable, LockLost, StorageError
from longshore_storage.ports import BlobStore, Coordination

_log = structlog.get_logger(__name__)

LOCK = "sealing"
_PATIENCE_S = 300


def make_sealing(
    settings: AuditSettings,
    catalogue: Catalogue,
    blobs: BlobStore,
    actor: Actor,
    *,
    sealed: Callable[[], None] = lambda: None,
) -> Sealing:
    """What seals as the settings say; ``sealed`` is told of each batch."""
    keep_for = timedelta(seconds=settings.keep_for_s) if settings.keep_for_s else None
    return Sealing(catalogue, blobs, actor=actor, keep_for=keep_for, sealed=sealed)


class SealingTimer:
    """Runs until cancelled; see the module."""

    def __init__(
        self,
        sealing: Sealing,
        coordination: Coordination,
        *,
        every_s: float,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._sealing = sealing
        self._coordination = coordination
        self._every_s = every_s
        self._patience_s = patience_s

    async def run(self) -> None:
        """Seal now and then."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                report = await self._seal()
                if report.batches or report.removed:
                    _log.info("audit.sealed", **asdict(report))
            except StorageError as error:
                _log.warning("audit.sealing_broken_off", error=str(error))
            except Exception:
                # A fault of our own must not end the node: it serves without sealing, which is counted.
                _log.exception("audit.sealing_failed")

    async def _seal(self) -> SealingReport:
        try:
            async with asyncio.timeout(self._patience_s) as waiting, self._coordination.lock(LOCK):
                waiting.reschedule(None)
                return await self._sealing.run()
        except (TimeoutError, CoordinationUnavailable, LockLost):
            return await self._sealing.run()

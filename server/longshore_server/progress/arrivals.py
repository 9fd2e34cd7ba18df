"""Followers of ids that have not begun: one look at SQL for all of them, and none while nobody waits."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

import structlog

from longshore_server.wakeups import woken
from longshore_storage.catalogue import Catalogue, deployments
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.errors import StorageError

_log = structlog.get_logger(__name__)

_POLL_S: Final = 1.0
_LOOKED_FOR_AT_ONCE: Final = 500

_Arrival = asyncio.Future[Deployment]


class Arrivals:
    """Tells followers when the deployment that they wait for has begun."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._awaited: defaultdict[str, set[_Arrival]] = defaultdict(set)
        self._look = asyncio.Event()
        self._somebody = asyncio.Event()

    async def wait(self, deployment_id: str, within_s: float) -> Deployment | None:
        """The deployment as soon as it has begun; None when it has not within that time."""
        arrival: _Arrival = asyncio.get_running_loop().create_future()
        self._awaited[deployment_id].add(arrival)
        self._somebody.set()
        try:
            async with asyncio.timeout(within_s):
                return await arrival
        except TimeoutError:
            return None
        finally:
            waiting = self._awaited[deployment_id]
            waiting.discard(arrival)
            if not waiting:
                del self._awaited[deployment_id]

    def wake(self, ident: str) -> None:
        """Look now, if anybody waits for this id; "" means any."""
        if ident in self._awaited or not ident:
            self._look.set()

    async def run(self) -> None:
        """Look now and then, while anybody waits."""
        while True:
            if not self._awaited:
                self._somebody.clear()
                await self._somebody.wait()
            await woken(self._look, _POLL_S)
            self._look.clear()
            try:
                await self._look_for_all()
            except StorageError as error:
                _log.warning("progress.arrivals_unseen", error=str(error))
            except Exception:
                _log.exception("progress.arrivals_failed")

    async def _look_for_all(self) -> None:
        awaited = list(self._awaited)
        for at in range(0, len(awaited), _LOOKED_FOR_AT_ONCE):
            async with self._catalogue.reading() as transaction:
                begun = await deployments.get_deployments(transaction, awaited[at : at + _LOOKED_FOR_AT_ONCE])
            for deployment in begun:
                for arrival in self._awaited.get(deployment.id, ()):
                    if not arrival.done():
                        arrival.set_result(deployment)

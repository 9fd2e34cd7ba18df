"""Health by service name: ``""`` (alive), ``longshore.read`` (SQL), ``longshore.upload`` (SQL and blobs)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from longshore_server.draining import Draining
from longshore_server.wakeups import woken
from longshore_storage.catalogue import Catalogue
from longshore_storage.errors import StorageError
from longshore_storage.ports import BlobStore

_log = structlog.get_logger(__name__)

READ = "longshore.read"
UPLOAD = "longshore.upload"
_CHECK_EVERY_S = 10.0
_CHECK_TIMEOUT_S = 5.0


class Health:
    """Looks at what the node depends on, every ten seconds, and tells it by gRPC's health service."""

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        draining: Draining,
        *,
        receives: bool,
        on_answer: Callable[[str, bool], None] = lambda name, answered: None,
    ) -> None:
        self.servicer = health_aio.HealthServicer()
        self._catalogue = catalogue
        self._blobs = blobs
        self._receives = receives
        self._on_answer = on_answer
        self._draining = draining
        self._told: dict[str, bool] = {}
        self._look = asyncio.Event()
        draining.on_change(self._look.set)

    async def run(self) -> None:
        """Look until cancelled."""
        await self._tell("", True)
        while True:
            self._look.clear()
            if self._draining.takes_no_uploads:
                await self._tell(UPLOAD, False)
            await self.look()
            await woken(self._look, _CHECK_EVERY_S)

    async def look(self) -> None:
        """Look once."""
        read = await self._answers("database", self._catalogue.check)
        blobs = await self._answers("blobs", self._blobs.check) if self._receives else False
        await self._tell(READ, read)
        await self._tell(UPLOAD, read and blobs and not self._draining.takes_no_uploads)

    async def drain(self) -> None:
        """Tell that no upload is taken any more, before anything else is looked at."""
        await self._tell(UPLOAD, False)

    async def _answers(self, name: str, check: Callable[[], Awaitable[None]]) -> bool:
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT_S):
                await check()
        except (StorageError, TimeoutError) as error:
            if self._told.get(name, True):
                _log.warning("dependency.away", dependency=name, error=str(error) or "no answer in time")
            self._told[name] = False
            self._on_answer(name, False)
            return False
        self._told[name] = True
        self._on_answer(name, True)
        return True

    async def _tell(self, service: str, serving: bool) -> None:
        status = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        await self.servicer.set(service, status)

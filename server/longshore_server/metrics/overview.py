"""How the cluster stands, looked up now and then for who asks for metrics."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.overview import read_overview
from longshore_storage.errors import StorageError
from longshore_storage.ports import Coordination

from .metrics import Metrics

_log = structlog.get_logger(__name__)

_LOOK_EVERY_S: Final = 15.0
_TIMEOUT_S: Final = 5.0


async def tell_overview(
    catalogue: Catalogue, coordination: Coordination, metrics: Metrics, *, of_all: bool
) -> None:
    """Have ``metrics`` tell whether etcd answers and, ``of_all``, how everything stands; for ever."""
    while True:
        alive = await _alive(coordination)
        metrics.dependency_answered("coordination", alive is not None)
        if of_all:
            try:
                async with catalogue.reading() as transaction:
                    overview = await read_overview(transaction)
                metrics.tell_overview(overview, alive)
            except StorageError as error:
                _log.warning("metrics.stale", error=str(error))
        await asyncio.sleep(_LOOK_EVERY_S)


async def _alive(coordination: Coordination) -> frozenset[str] | None:
    """The ids of nodes that are alive; None where nobody can tell."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return frozenset(member.node_id for member in await coordination.members())
    except (StorageError, TimeoutError):
        return None

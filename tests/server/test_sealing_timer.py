"""Sealing by timer does not depend on the lock that spares work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from longshore_server.auditing import LOCK, SealingTimer
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import Catalogue
from longshore_storage.coordination.local import LocalCoordination, LocalHub
from tests.storage.auditing.trails import Trail

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def trail(catalogue: Catalogue, tmp_path: Path) -> AsyncIterator[Trail]:
    async with open_blob_store(f"file://{tmp_path}/blobs") as blobs:
        yield Trail(catalogue, blobs)


@asynccontextmanager
async def sealing(trail: Trail, coordination: LocalCoordination) -> AsyncIterator[None]:
    timer = SealingTimer(trail.sealing(), coordination, every_s=0.01, patience_s=0.01)
    running = asyncio.create_task(timer.run())
    yield
    async with asyncio.timeout(30):
        while not await trail.seals():
            await asyncio.sleep(0.01)
    running.cancel()


async def test_a_lock_that_somebody_keeps(trail: Trail) -> None:
    hub = LocalHub()
    async with LocalCoordination(hub).lock(LOCK), sealing(trail, LocalCoordination(hub)):
        await trail.write("one")


async def test_a_lock_that_cannot_be_had(trail: Trail) -> None:
    away = LocalCoordination()
    await away.close()
    async with sealing(trail, away):
        await trail.write("one")

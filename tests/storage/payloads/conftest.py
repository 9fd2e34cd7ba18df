from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import Catalogue
from longshore_storage.payloads import PayloadSettings, PayloadStore
from tests.services.migrated import MigratedFile

from .world import SMALL, HookedBlobs, World

OpenWorld = Callable[[PayloadSettings], AbstractAsyncContextManager[World]]


@pytest.fixture(params=["embedded", "services"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLite beside files, or PostgreSQL beside S3."""
    if request.param == "embedded":
        file: MigratedFile = request.getfixturevalue("migrated_file")
        return file.copy(tmp_path / "longshore.db")
    return str(request.getfixturevalue("migrated_postgres"))


@pytest.fixture
def blob_store_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> str:
    if database_url.startswith("sqlite"):
        return f"file://{tmp_path}/blobs"
    return str(request.getfixturevalue("s3_url"))


@pytest.fixture
def open_world(catalogue: Catalogue, blob_store_url: str) -> OpenWorld:
    """Opens a payload store; at its end it may have left nothing running and no place taken."""

    @asynccontextmanager
    async def opened(settings: PayloadSettings) -> AsyncIterator[World]:
        async with open_blob_store(blob_store_url) as blobs:
            hooked = HookedBlobs(blobs)
            async with PayloadStore(catalogue, hooked, settings=settings) as store:
                yield World(catalogue, hooked, store)
                assert asyncio.all_tasks() == {asyncio.current_task()}
                # Places are given back by callbacks, which run a turn of the loop later.
                await asyncio.sleep(0)
                assert store.places.booked == 0
                assert store._packs._value == settings.packs_in_flight

    return opened


@pytest.fixture
async def world(open_world: OpenWorld) -> AsyncIterator[World]:
    """A payload store with limits so small that every border is met."""
    async with open_world(SMALL) as world:
        yield world

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore_storage.catalogue import Catalogue
from tests.services.migrated import MigratedFile
from tests.storage.healing.hurt_world import opened_world

from .loose_world import LooseWorld


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
async def world(catalogue: Catalogue, blob_store_url: str) -> AsyncIterator[LooseWorld]:
    """Payloads of which most were removed, so that hardly half of any pack file is used."""
    async with opened_world(catalogue, blob_store_url) as world:
        yield LooseWorld(world.catalogue, world.blobs, world.store, world.workers, world.marker, world.repair)

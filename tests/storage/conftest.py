from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import Catalogue, open_catalogue
from longshore_storage.ports import BlobStore


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/longshore.db"
    return str(request.getfixturevalue("postgres_database"))


@pytest.fixture
async def catalogue(database_url: str) -> AsyncIterator[Catalogue]:
    """A migrated catalogue; at the end no connection may be checked out."""
    catalogue = open_catalogue(database_url)
    try:
        await catalogue.migrate()
        yield catalogue
        assert connections_in_use(catalogue) == 0
    finally:
        await catalogue.close()


@pytest.fixture(params=["files", "s3"])
def blob_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty blob store of each kind in turn."""
    if request.param == "files":
        return f"file://{tmp_path}/blobs"
    return str(request.getfixturevalue("s3_url"))


@pytest.fixture
async def blob_store(blob_store_url: str) -> AsyncIterator[BlobStore]:
    async with open_blob_store(blob_store_url) as blobs:
        yield blobs


def connections_in_use(catalogue: Catalogue) -> int:
    return int(catalogue._engine.pool.checkedout())  # type: ignore[attr-defined]

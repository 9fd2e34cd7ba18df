from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import Catalogue, open_catalogue
from longshore_storage.ports import BlobStore
from tests.services.migrated import MigratedFile


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind in turn, with our schema and nothing in it."""
    if request.param == "sqlite":
        file: MigratedFile = request.getfixturevalue("migrated_file")
        return file.copy(tmp_path / "longshore.db")
    return str(request.getfixturevalue("migrated_postgres"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind in turn, without a schema."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/longshore.db"
    return str(request.getfixturevalue("postgres_database"))


@pytest.fixture
async def catalogue(database_url: str) -> AsyncIterator[Catalogue]:
    """A catalogue with nothing in it; at the end no connection may be checked out."""
    catalogue = open_catalogue(database_url)
    try:
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

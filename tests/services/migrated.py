"""Databases with our schema from the start: copies of one of each kind, which is migrated once a session.

How a schema comes into an empty database is tested where that is made; whoever only needs one does not wait
for it in every test.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore_storage.catalogue import open_catalogue

from .postgres_service import PostgresService


async def migrate(database_url: str) -> None:
    """What ``longshore admin migrate`` does."""
    catalogue = open_catalogue(database_url)
    try:
        await catalogue.migrate()
    finally:
        await catalogue.close()


class MigratedFile:
    """An SQLite database with our schema and nothing in it, to be copied."""

    def __init__(self, original: Path) -> None:
        self._original = original

    def copy(self, place: Path) -> str:
        """Put a copy at ``place``; its name in the form of the setting ``database.url``."""
        shutil.copy(self._original, place)
        return f"sqlite:///{place}"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> MigratedFile:
    original = tmp_path_factory.mktemp("migrated") / "longshore.db"
    asyncio.run(migrate(f"sqlite:///{original}"))
    return MigratedFile(original)


@pytest.fixture(scope="session")
def migrated_template(postgres_service: PostgresService) -> Iterator[str]:
    """The name of a database with our schema, to be copied: nobody may be connected to it."""
    with postgres_service.fresh_database() as name:
        asyncio.run(migrate(postgres_service.url(name)))
        yield name


@pytest.fixture
def migrated_postgres(postgres_service: PostgresService, migrated_template: str) -> Iterator[str]:
    """A fresh database with our schema in the form of the setting ``database.url``."""
    with postgres_service.fresh_database(migrated_template) as name:
        yield postgres_service.url(name)

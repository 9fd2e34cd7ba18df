from __future__ import annotations

import pytest

from tests.storage.payloads.conftest import blob_store_url, database_url, open_world, world
from tests.storage.payloads.world import World

from .store import Store

__all__ = ["blob_store_url", "database_url", "open_world", "world"]


@pytest.fixture
def store(world: World) -> Store:
    """What is deployed and collected in one test, on SQLite beside files and on PostgreSQL beside S3."""
    return Store(world)

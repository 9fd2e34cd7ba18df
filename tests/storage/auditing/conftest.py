from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import Catalogue

from .trails import Trail


@pytest.fixture
async def trail(catalogue: Catalogue, tmp_path: Path) -> AsyncIterator[Trail]:
    """A trail on each database, its anchors in a folder."""
    async with open_blob_store(f"file://{tmp_path}/blobs") as blobs:
        yield Trail(catalogue, blobs)

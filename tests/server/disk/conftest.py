"""A data folder, open, with its trees and links."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore_server.disk import DataFolder, InstalledTrees, LiveLinks

from .places import removable


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where a data folder may be made; read-only trees in it are no trouble to who cleans up."""
    yield tmp_path / "data"
    removable(tmp_path)


@pytest.fixture
def folder(place: Path) -> Iterator[DataFolder]:
    with DataFolder.open(place) as opened:
        yield opened


@pytest.fixture
def trees(folder: DataFolder) -> InstalledTrees:
    return InstalledTrees(folder)


@pytest.fixture
def links(folder: DataFolder) -> LiveLinks:
    return LiveLinks(folder)

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .nodes import Nursery, node_nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    # Not in pytest's folder: the path of a Unix socket may have a hundred bytes.
    with (
        tempfile.TemporaryDirectory(prefix="longshore-nursery-") as folder,
        node_nursery(Path(folder)) as made,
    ):
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder for data folders; the read-only trees in them are no trouble to who cleans up."""
    yield tmp_path
    subprocess.run(["chmod", "-R", "u+w", str(tmp_path)], check=True)
    shutil.rmtree(tmp_path)

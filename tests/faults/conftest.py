from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .invariants import Stores
from .nodes import Nursery, node_nursery
from .stores import variables


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


@pytest.fixture
def stores(migrated_postgres: str, s3_url: str) -> Stores:
    """PostgreSQL with our schema, and a bucket."""
    return Stores(migrated_postgres, s3_url)


@pytest.fixture
def env(stores: Stores, etcd_url: str) -> dict[str, str]:
    """The environment of a node on PostgreSQL, MinIO and etcd."""
    return variables(stores, etcd_url)

"""A running embedded server for the session, and what most tests of the client begin with."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from longshore_client import Client
from tests.services.processes import ServerProcess, serve


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One node on the embedded defaults, shared by every test that breaks nothing."""
    running = serve(data_dir=tmp_path_factory.mktemp("node"))
    with asyncio.Runner() as runner:
        process = runner.run(running.__aenter__())
        yield process
        runner.run(running.__aexit__(None, None, None))


@pytest.fixture
async def client(server: ServerProcess) -> AsyncIterator[Client]:
    async with Client(server.address) as opened:
        yield opened


@pytest.fixture
def project() -> str:
    """A project of the test's own."""
    return f"p{uuid.uuid4().hex[:12]}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small directory with a large file, an executable and a link."""
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "größe.txt").write_text("small\n" * 10)
    (root / "large.bin").write_bytes(bytes(range(256)) * 4096)
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "current").symlink_to("sub")
    return root

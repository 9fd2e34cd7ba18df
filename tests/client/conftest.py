"""A running embedded server for the session, and what most tests of the client begin with."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from longshore_client import Client
from longshore_client.cli.program import run_program
from tests.faults.conftest import nursery as nursery
from tests.faults.invariants import Stores
from tests.faults.nodes import Nursery
from tests.faults.stores import variables
from tests.services.processes import ServerProcess, serve

from .command_line import Ran, Run
from .fleet import Fleet


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command line of this test remembers unfinished uploads; it has contexts of its own too."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("LONGSHORE_CONTEXT", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return tmp_path / "state" / "longshore" / "uploads"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One node on the embedded defaults, shared by every test that breaks nothing."""
    running = serve(data_dir=tmp_path_factory.mktemp("node"))
    with asyncio.Runner() as runner:
        process = runner.run(running.__aenter__())
        yield process
        runner.run(running.__aexit__(None, None, None))


@pytest.fixture
def fleet(nursery: Nursery, migrated_postgres: str, s3_url: str, etcd_url: str, tmp_path: Path) -> Fleet:
    """No node yet, and stores for all that will be started."""
    return Fleet(nursery, tmp_path, variables(Stores(migrated_postgres, s3_url), etcd_url))


@pytest.fixture
async def client(server: ServerProcess) -> AsyncIterator[Client]:
    async with Client(server.address) as opened:
        yield opened


@pytest.fixture
def run_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program in this process, as its entry point does, where no server is asked."""
    monkeypatch.delenv("LONGSHORE_DEBUG", raising=False)

    def run_with(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["longshore", *map(str, arguments)])
        code = run_program()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Ran(code, captured.out, captured.err)

    return run_with


@pytest.fixture
def run(server: ServerProcess, monkeypatch: pytest.MonkeyPatch, run_alone: Run) -> Run:
    """Run the program in this process with a server to ask."""
    monkeypatch.setenv("LONGSHORE_SERVER", server.address)
    return run_alone


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

"""Ctrl-C at every stage, on a terminal: it ends at once, and says what goes on without us."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.services.processes import ServerProcess, serve

from .terminal import CTRL_C, Terminal, lines_of

LARGE_BYTES = 1 << 36
SHOW_THE_CURSOR = "\x1b[?25h"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hooks of the slow node run until this file exists."""
    return tmp_path_factory.mktemp("gate") / "open"


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory, gate: Path) -> Iterator[ServerProcess]:
    """A node on which projects called slow-… are not live before the gate is open."""
    config = tmp_path_factory.mktemp("config") / "longshore.yaml"
    wait = f"echo waiting for somebody; until test -e {gate}; do sleep 0.05; done"
    hook = {"name": "wait", "project": "slow-*", "when": "before_switch", "command": ["sh", "-c", wait]}
    config.write_text(yaml.safe_dump({"node": {"hooks": [hook]}}))
    running = serve(data_dir=tmp_path_factory.mktemp("slow"), args=["--config", str(config)])
    with asyncio.Runner() as runner:
        yield runner.run(running.__aenter__())
        gate.touch()
        runner.run(running.__aexit__(None, None, None))


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that takes a minute to read."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(LARGE_BYTES)
    return path


def interrupted(terminal: Terminal) -> str:
    """Type Ctrl-C; the line that tells of it."""
    terminal.type(CTRL_C)
    code, written = terminal.ended()
    assert code == 130, written
    assert "Traceback" not in written
    assert written.rfind(SHOW_THE_CURSOR) >= written.rfind("\x1b[?25l")
    return " ".join(lines_of(written)[-4:])


def test_hashing(large: Path) -> None:
    terminal = Terminal(80, ["checksum", str(large)])
    descriptors = Path(f"/proc/{terminal.pid}/fd")
    while not any(os.path.realpath(each) == str(large) for each in descriptors.iterdir()):
        time.sleep(0.01)
    assert "interrupted" in interrupted(terminal)


def test_connecting(tree: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        terminal = Terminal(80, ["--server", address, "deploy", str(tree), "-p", "web"])
        connection, _ = silent.accept()
        with connection:
            assert "interrupted: the upload is not complete; to go on with it run" in interrupted(terminal)


def test_sending(server: ServerProcess, project: str, large: Path) -> None:
    terminal = Terminal(80, ["--server", server.address, "deploy", str(large), "-p", project])
    terminal.wait_for("● uploading")
    terminal.wait_for(" MB of 68.7 GB")
    assert "interrupted: the upload is not complete; to go on with it run" in interrupted(terminal)
    again = Terminal(80, ["--server", server.address, "deploy", str(large), "-p", project])
    again.wait_for("going on with the upload that broke off")
    interrupted(again)


def test_rolling_out_queued_watching_and_confirming(slow: ServerProcess, project: str, tree: Path) -> None:
    ask = ["--server", slow.address]
    deploy = [*ask, "deploy", str(tree), "-p", f"slow-{project}"]
    rolling_out = Terminal(120, deploy)
    rolling_out.wait_for("● rolling out")
    rolling_out.wait_for("wait │ waiting for somebody")
    (tree / "new").touch()
    queued = Terminal(80, deploy)
    queued.wait_for("● queued")
    told = interrupted(rolling_out)
    assert "interrupted: the deployment goes on; follow it: longshore watch " in told
    deployment_id = told.split()[-1]
    assert "interrupted: the deployment goes on; follow it: longshore watch " in interrupted(queued)

    watching = Terminal(60, [*ask, "watch", deployment_id[:8]])
    watching.wait_for("● rolling out")
    told = interrupted(watching)
    assert f"interrupted: the deployment goes on; follow it: longshore watch {deployment_id[:8]}" in told

    confirming = Terminal(60, [*ask, "cancel", deployment_id])
    confirming.wait_for("cancel it? [y/N]")
    confirming.wait_until_it_reads()
    assert "nothing was cancelled" in interrupted(confirming)

    rolling_back = Terminal(80, [*ask, "rollback", f"slow-{project}", "--to", "1.0.0"])
    rolling_back.wait_for("accepted")
    assert "interrupted: the rollback goes on; follow it: longshore watch " in interrupted(rolling_back)


def test_before_anything_is_recorded(project: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        terminal = Terminal(80, ["--server", address, "rollback", project])
        connection, _ = silent.accept()
        with connection:
            assert "interrupted: the rollback may have been recorded: longshore get " in interrupted(terminal)

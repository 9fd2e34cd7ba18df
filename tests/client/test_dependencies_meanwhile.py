"""What happens while ``longshore deploy --with-dependencies`` asks, fetches or follows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.services.processes import ServerProcess, serve

from .command_line import Run
from .indexed import pack_of, packed, write_index
from .sources.web_server import WebServer
from .terminal import CTRL_C, Terminal, lines_of

HIDE_THE_CURSOR = "\x1b[?25l"
SHOW_THE_CURSOR = "\x1b[?25h"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hooks of the slow node run until this file exists."""
    return tmp_path_factory.mktemp("gate") / "open"


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory, gate: Path) -> Iterator[ServerProcess]:
    """A node on which projects called …_slow are not live before the gate is open."""
    config = tmp_path_factory.mktemp("config") / "longshore.yaml"
    wait = f"echo waiting for somebody; until test -e {gate}; do sleep 0.05; done"
    hook = {"name": "wait", "project": "*_slow", "when": "before_switch", "command": ["sh", "-c", wait]}
    config.write_text(yaml.safe_dump({"node": {"hooks": [hook]}}))
    running = serve(data_dir=tmp_path_factory.mktemp("slow"), args=["--config", str(config)])
    with asyncio.Runner() as runner:
        yield runner.run(running.__aenter__())
        gate.touch()
        runner.run(running.__aexit__(None, None, None))


@pytest.fixture
def index(tmp_path: Path, project: str) -> Path:
    return write_index(tmp_path, pack_of(tmp_path, f"{project}b"))


def deploying(server: ServerProcess, *arguments: str | Path) -> Terminal:
    return Terminal(100, ["--server", server.address, "deploy", *map(str, arguments), "--with-dependencies"])


def answered(terminal: Terminal) -> tuple[int, str]:
    """Say yes to its question; its exit code, and what it wrote."""
    terminal.type("y\n")
    code, written = terminal.ended()
    return code, " ".join(" ".join(lines_of(written)).split())


@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "directory"])
def test_what_changes_after_it_was_verified_is_not_deployed(
    server: ServerProcess, run: Run, project: str, tmp_path: Path, index: Path, is_archive: bool
) -> None:
    pack = pack_of(tmp_path, project, needs={f"{project}b": "*"})
    checksum = run("checksum", pack, "-q").out.strip()
    path = tmp_path / "main.tar" if is_archive else pack
    if is_archive:
        path.write_bytes(packed(pack))
    terminal = deploying(server, path, "--checksum", checksum, "--index", index)
    terminal.wait_for("[y/N]")
    (pack / "pack.yaml").write_text((pack / "pack.yaml").read_text().replace("For tests", "For thieves"))
    if is_archive:
        path.write_bytes(packed(pack))
    code, written = answered(terminal)
    assert code == 4, written
    assert "has changed since it was held against --checksum" in written
    assert run("releases", project, "-q").out == ""


def test_what_somebody_else_deployed_meanwhile_is_not_deployed_again(
    server: ServerProcess, run: Run, project: str, tmp_path: Path, index: Path
) -> None:
    pack = pack_of(tmp_path, project, needs={f"{project}b": "*"})
    terminal = deploying(server, pack, "--index", index)
    terminal.wait_for("[y/N]")
    assert run("deploy", tmp_path / f"{project}b-1.0.0").code == 0
    code, written = answered(terminal)
    assert code == 0, written
    assert f"{project}b 1.0.0 is live in default by now, and stays" in written
    assert len(run("list", f"{project}b", "-q").out.split()) == 1


def test_another_version_meanwhile_is_not_replaced_unseen(
    server: ServerProcess, run: Run, project: str, tmp_path: Path, index: Path
) -> None:
    pack = pack_of(tmp_path, project, needs={f"{project}b": ">=1"})
    terminal = deploying(server, pack, "--index", index)
    terminal.wait_for("[y/N]")
    assert run("deploy", pack_of(tmp_path, f"{project}b", "0.5.0")).code == 0
    code, written = answered(terminal)
    assert code == 4, written
    assert "run the same command again to go on" in written
    again = run("deploy", pack, "--index", index, "--with-dependencies", "--yes")
    assert again.code == 0
    assert f"{project}b 1.0.0 instead of 0.5.0" in again.err


def test_interrupted_while_it_fetches(
    server: ServerProcess, project: str, tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    web = WebServer()
    try:
        web.dripping(f"/{project}b-1.0.0.tar", b"HTTP/1.0 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x")
        url = web.serve("/index.json", index.read_bytes())
        pack = pack_of(tmp_path, project, needs={f"{project}b": "*"})
        terminal = deploying(server, pack, "--index", url, "--allow-http")
        terminal.wait_for("fetching what it needs")
        terminal.type(CTRL_C)
        code, written = terminal.ended()
        assert (code, "interrupted: nothing was deployed" in written) == (130, True)
        assert written.rfind(SHOW_THE_CURSOR) > written.rfind(HIDE_THE_CURSOR)
    finally:
        web.close()


def test_interrupted_between_two_packs_it_tells_what_is_live_and_goes_on_when_run_again(
    slow: ServerProcess, run: Run, project: str, tmp_path: Path, gate: Path
) -> None:
    index = write_index(
        tmp_path,
        pack_of(tmp_path, f"{project}b"),
        pack_of(tmp_path, f"{project}_slow", needs={f"{project}b": "*"}),
    )
    pack = pack_of(tmp_path, project, needs={f"{project}_slow": "*"})
    terminal = deploying(slow, pack, "--index", index, "--yes")
    terminal.wait_for("waiting for somebody")
    terminal.type(CTRL_C)
    code, written = terminal.ended()
    told = " ".join(" ".join(lines_of(written)).split())
    assert code == 130
    assert f"{project}b 1.0.0 is live; the deployment of {project}_slow 1.0.0 goes on; follow it" in told
    assert "run the same command again to go on with the rest" in told
    terminal = deploying(slow, pack, "--index", index, "--yes")
    terminal.wait_for(f"{project}_slow 1.0.0 is on its way already")
    gate.touch()
    code, written = terminal.ended()
    assert code == 0
    assert f"{project} 1.0.0 is live in default on 1 node" in written
    for each in (f"{project}b", f"{project}_slow"):
        assert len(run("--server", slow.address, "list", each, "-q").out.split()) == 1

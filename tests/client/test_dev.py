"""``longshore dev``: what changes is deployed, by a terminal and a node as its user has them."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from longshore_client import SyncClient
from tests.services.processes import ServerProcess, serve

from .command_line import Run
from .packs import GREET, LOST, write_pack
from .schema_check import check
from .terminal import CTRL_C, PROGRAM, Terminal

Develop = Callable[..., Terminal]


@pytest.fixture
def develop(server: ServerProcess, tmp_path: Path) -> Develop:
    """Begin to develop, on a terminal that is wide enough for every sentence."""

    def begin(directory: Path, *options: str, at: ServerProcess = server) -> Terminal:
        arguments = ["dev", str(directory), "--plain", *options]
        return Terminal(200, arguments, LONGSHORE_SERVER=at.address, TMPDIR=str(tmp_path))

    return begin


def versions(server: ServerProcess, project: str) -> list[str]:
    with SyncClient(server.address) as client:
        return [release.version for release in client.releases(project)]


def ends(terminal: Terminal) -> str:
    """End it by Ctrl-C; all that it wrote."""
    terminal.type(CTRL_C)
    code, written = terminal.ended()
    assert code == 0, written
    return written


def test_every_change_is_deployed(
    develop: Develop, server: ServerProcess, project: str, tmp_path: Path
) -> None:
    pack = write_pack(tmp_path / "pack", project, {"greet": GREET}, version="1.4.0")
    manifest = (pack / "pack.yaml").read_bytes()
    live = server.data_dir / "live" / project
    terminal = develop(pack)
    terminal.wait_for(f"every change of {pack} goes live in default at {server.address}, on 1 node")
    terminal.wait_for(f"{project} 1.4.0-dev.1 is live in default on 1 node")
    terminal.wait_for("waiting for changes")
    (pack / "actions" / "restart.sh").write_text("#!/bin/sh\necho changed\n")
    terminal.wait_for("1.4.0-dev.2 is live")
    assert "changed" in (live / "actions" / "restart.sh").read_text()
    assert yaml.safe_load((live / "pack.yaml").read_text())["version"] == "1.4.0-dev.2"
    (pack / "workflows" / "lost.yaml").write_text(LOST)
    terminal.wait_for("error TASK_UNKNOWN workflows/lost.yaml:6: Task 'say' references non-existent task")
    terminal.wait_for("not deployed")
    (pack / "workflows" / "lost.yaml").unlink()
    (pack / "actions" / "restart.sh").write_text("#!/bin/sh\necho mended\n")
    terminal.wait_for("1.4.0-dev.3 is live")
    assert f"stopped; {project} 1.4.0-dev.3 stays live in default" in ends(terminal)
    assert (pack / "pack.yaml").read_bytes() == manifest
    assert not list(tmp_path.glob("longshore-dev-*"))
    with SyncClient(server.address) as client:
        assert {release.source.url for release in client.releases(project) if release.source} == {str(pack)}

    # Begun again, it goes on behind what there is; a version that is raised begins anew.
    terminal = develop(pack)
    terminal.wait_for("1.4.0-dev.4 is live")
    (pack / "pack.yaml").write_bytes(manifest.replace(b"1.4.0", b"1.5.0-rc.1"))
    terminal.wait_for("1.5.0-rc.1.dev.1 is live")
    (pack / "pack.yaml").write_text("ref: [")
    terminal.wait_for("not deployed", times=1)
    (pack / "pack.yaml").write_bytes(manifest.replace(b"1.4.0", b"1.5.0"))
    terminal.wait_for("1.5.0-dev.1 is live")
    ends(terminal)


def test_what_is_ignored_does_not_count(
    develop: Develop, server: ServerProcess, project: str, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    (tree / ".git").mkdir(parents=True)
    (tree / ".longshoreignore").write_text("*.log\n")
    (tree / "index.html").write_text("one")
    terminal = develop(tree, "-p", project)
    terminal.wait_for(f"{project} 1.0.0-dev.1 is live")
    for name in (".git/HEAD", "out.log", ".index.html.swp", "4913", "index.html~", "index.html"):
        (tree / name).write_text("two")
        (tree / name).touch()
    terminal.wait_for(f"{project} 1.0.0-dev.2 is live")
    # The last change is the only one left that counts.
    (tree / "index.html").write_text("three")
    terminal.wait_for(f"{project} 1.0.0-dev.3 is live")
    ends(terminal)
    assert versions(server, project) == ["1.0.0-dev.3", "1.0.0-dev.2", "1.0.0-dev.1"]
    assert sorted(path.name for path in (server.data_dir / "live" / project).iterdir()) == [
        ".longshoreignore",
        "index.html",
    ]


async def test_what_changes_meanwhile_is_deployed_next(develop: Develop, tmp_path: Path) -> None:
    gate, config = tmp_path / "gate", tmp_path / "longshore.yaml"
    wait = f"until test -e {gate}; do sleep 0.05; done"
    hook = {"name": "wait", "project": "*", "when": "before_switch", "command": ["sh", "-c", wait]}
    config.write_text(yaml.safe_dump({"node": {"hooks": [hook]}}))
    pack = write_pack(tmp_path / "pack", "slow", {"greet": GREET})
    async with serve(data_dir=tmp_path / "node", args=["--config", str(config)]) as node:
        terminal = develop(pack, at=node)
        await asyncio.to_thread(terminal.wait_for, "wait runs")
        for number in range(3):
            (pack / "actions" / "restart.sh").write_text(f"#!/bin/sh\necho {number}\n")
        gate.touch()
        await asyncio.to_thread(terminal.wait_for, "slow 1.0.0-dev.2 is live")
        assert "echo 2" in (node.data_dir / "live" / "slow" / "actions" / "restart.sh").read_text()
        await asyncio.to_thread(ends, terminal)
        assert await asyncio.to_thread(versions, node, "slow") == ["1.0.0-dev.2", "1.0.0-dev.1"]


async def test_a_server_that_goes_away_is_tried_again(
    run_alone: Run, develop: Develop, tmp_path: Path
) -> None:
    """By a new skill, whose test its node runs."""
    config = tmp_path / "longshore.yaml"
    config.write_text(yaml.safe_dump({"node": {"bundle_tests": {"run": True}}}))
    assert run_alone("new", "skill", "greet", "--into", tmp_path).code == 0
    where: dict[str, Any] = {"data_dir": tmp_path / "node", "args": ["--config", str(config)]}
    async with serve(**where) as node:
        terminal = develop(tmp_path / "greet", at=node)
        await asyncio.to_thread(terminal.wait_for, "greet 0.1.0-dev.1 is live")
        await asyncio.to_thread(terminal.wait_for, "tests of greet 0.1.0-dev.1")
        node.kill()
        (tmp_path / "greet" / "README.md").write_text("Says hello.\n")
        await asyncio.to_thread(terminal.wait_for, "tried again every 2 s")
    async with serve(**where, listen=node.address):
        await asyncio.to_thread(terminal.wait_for, "greet 0.1.0-dev.2 is live")
        written = await asyncio.to_thread(ends, terminal)
    assert written.count("cannot reach the server") == 1


def test_a_release_that_is_live_is_asked_about(
    develop: Develop, run: Run, server: ServerProcess, project: str, tmp_path: Path
) -> None:
    pack = write_pack(tmp_path / "pack", project, {})
    assert run("deploy", pack).code == 0
    terminal = develop(pack)
    terminal.wait_for(f"The release {project} 1.0.0 is live in default.")
    terminal.wait_for("[y/N]")
    terminal.wait_until_it_reads()
    terminal.type(CTRL_C)
    code, written = terminal.ended()
    assert (code, "nothing was deployed" in written) == (130, True)
    assert run("dev", pack, "-e", "nowhere").code == 3
    refused = run("dev", pack)
    assert (refused.code, "1.0.0 is live in default: with --yes" in refused.err) == (2, True)
    assert versions(server, project) == ["1.0.0"]

    # Behind what is released.
    terminal = develop(pack, "--yes")
    terminal.wait_for(f"{project} 1.0.1-dev.1 is live")
    ends(terminal)
    # A version of development is, and is not asked about.
    assert run("freeze", project, "--reason", "a sale").code == 0
    terminal = develop(pack)
    terminal.wait_for(f"{project} is frozen in default: a sale")
    assert "is live" not in ends(terminal)


def test_two_develop_the_same(develop: Develop, server: ServerProcess, project: str, tmp_path: Path) -> None:
    packs = [write_pack(tmp_path / name, project, {name: GREET}) for name in ("ada", "bob")]
    terminals = [develop(pack) for pack in packs]
    for terminal in terminals:
        terminal.wait_for("is live in default")
        ends(terminal)
    assert versions(server, project) == ["1.0.0-dev.2", "1.0.0-dev.1"]


def test_what_programs_read(run: Run, server: ServerProcess, project: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", project, {"greet": GREET})
    command = [PROGRAM, "--server", server.address, "dev", str(pack), "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        told: dict[str, Any] = json.loads(process.stdout.readline())
        process.terminate()
    check(told, json.loads(run("schema", "json", "dev").out))
    assert (told["version"], told["live"]) == ("1.0.0-dev.1", True)


def test_a_directory_that_goes_away_ends_it(
    develop: Develop, server: ServerProcess, project: str, tmp_path: Path
) -> None:
    pack = write_pack(tmp_path / "pack", project, {})
    terminal = develop(pack)
    terminal.wait_for("waiting for changes")
    pack.rename(tmp_path / "elsewhere")
    code, written = terminal.ended()
    assert (code, f"error: {pack} is gone" in written) == (4, True)


def test_another_machine_is_named(run_alone: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LONGSHORE_SERVER", "127.0.0.1:1,198.51.100.7:7420")
    ran = run_alone("dev", tmp_path)
    assert (ran.code, "198.51.100.7:7420 is not this machine" in ran.err) == (2, True)
    monkeypatch.delenv("LONGSHORE_SERVER")
    run_alone("context", "set", "live", "--server", "198.51.100.7:7420")
    run_alone("context", "use", "live")
    assert run_alone("dev", tmp_path).code == 2
    # Where it is named it is called.
    run_alone("context", "set", "none", "--server", "localhost:1")
    assert run_alone("--context", "none", "dev", tmp_path).code == 6

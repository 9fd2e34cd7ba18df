"""``longshore list --watch``: a table that follows what happens, and lines where nothing can move."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.services.processes import ServerProcess

from .command_line import Run
from .terminal import CTRL_C, PROGRAM, Terminal, lines_of


def test_a_table_that_moves(run: Run, server: ServerProcess, project: str, tree: Path) -> None:
    watching = Terminal(80, ["--server", server.address, "list", project, "--watch", "--status", "staged"])
    watching.wait_for("no deployments")
    run("deploy", tree, "-p", project, "--stage", "-q")
    watching.wait_for("staged")
    staged = run("list", project, "-q").out.strip()
    watching.wait_for(staged[:8])
    run("promote", staged, "--yes")
    watching.wait_for("no deployments", times=2)
    watching.type(CTRL_C)
    code, written = watching.ended()
    assert code == 130
    assert all(len(line.removesuffix("^C")) <= 80 for line in lines_of(written))


def test_a_line_a_change(run: Run, server: ServerProcess, project: str, tree: Path) -> None:
    run("deploy", tree, "-p", project)
    asked = [PROGRAM, "--server", server.address, "list", project, "--watch"]
    lines = subprocess.Popen(asked, stdout=subprocess.PIPE, text=True, env={**os.environ, "TZ": "UTC"})
    objects = subprocess.Popen([*asked, "-o", "json"], stdout=subprocess.PIPE, text=True)
    for process in (lines, objects):
        assert process.stdout is not None
    first = json.loads(objects.stdout.readline())  # type: ignore[union-attr]
    assert (first["project"], first["live"]) == (project, True)
    assert lines.stdout.readline().endswith(f"{project} 1.0.0 in default: live\n")  # type: ignore[union-attr]
    run("deploy-release", project, "1.0.0")
    for line in lines.stdout:  # type: ignore[union-attr]
        if first["deployment_id"][:8] not in line and line.endswith(": live\n"):
            break
    for line in objects.stdout:  # type: ignore[union-attr]
        told = json.loads(line)
        if told["deployment_id"] != first["deployment_id"] and told["live"]:
            break
    for process in (lines, objects):
        process.terminate()
        process.wait(20)
        process.stdout.close()  # type: ignore[union-attr]


def test_nodes_as_they_change(run: Run, server: ServerProcess) -> None:
    (node,) = run("nodes", "-q").out.split()
    asked = [PROGRAM, "--server", server.address, "nodes", "--watch"]
    lines = subprocess.Popen(asked, stdout=subprocess.PIPE, text=True)
    objects = subprocess.Popen([*asked, "-o", "json"], stdout=subprocess.PIPE, text=True)
    moving = Terminal(80, ["--server", server.address, "nodes", "--watch"])
    assert lines.stdout is not None
    assert objects.stdout is not None
    assert lines.stdout.readline().endswith(f"{node} in default: alive\n")
    assert json.loads(objects.stdout.readline())["node_name"] == node
    moving.wait_for("alive")
    run("drain", node, "--reason", "new disk")
    for line in lines.stdout:
        if line.endswith(f"{node} in default: drained\n"):
            break
    for line in objects.stdout:
        if (told := json.loads(line))["draining"]:
            assert told["cordon_reason"] == "new disk"
            break
    moving.wait_for("drained")
    run("uncordon", node)
    moving.type(CTRL_C)
    assert moving.ended()[0] == 130
    for process in (lines, objects):
        process.terminate()
        process.wait(20)
        process.stdout.close()  # type: ignore[union-attr]


def test_it_begins_with_the_newest(run: Run) -> None:
    assert run("list", "--watch", "--since", "1h").code == 2

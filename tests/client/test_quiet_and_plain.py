"""Quiet: what a script goes on with and nothing else. Plain: lines without escapes, wherever they go."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.services.processes import ServerProcess

from .command_line import Run
from .terminal import on_terminal


def test_quiet_prints_what_a_script_goes_on_with(run: Run, project: str, tree: Path, tmp_path: Path) -> None:
    def quiet(*arguments: str | Path, code: int = 0) -> str:
        ran = run(*arguments, "-q")
        assert (ran.code, ran.err) == (code, "")
        return ran.out.removesuffix("\n")

    deployed = quiet("deploy", tree, "-p", project)
    assert str(uuid.UUID(deployed)) == deployed
    assert quiet("list", project) == deployed
    assert quiet("get", deployed) == "succeeded"
    assert quiet("watch", deployed) == "succeeded"
    assert quiet("releases", project) == "1.0.0"
    assert quiet("projects", project) == "default 1.0.0"
    assert project in quiet("projects").splitlines()
    assert quiet("rollback", project, "--to", "1.0.0") == ""
    again = quiet("deploy-release", project, "1.0.0", "--detach")
    assert quiet("list", project) == f"{again}\n{deployed}"
    assert quiet("download", project, "1.0.0", tmp_path / "f") == str(tmp_path / "f")
    assert quiet("checksum", tree).startswith("sha256:")
    assert len(quiet("nodes").split()) == 1
    assert quiet("pin", project, "1.0.0", "--reason", "because") == ""
    assert quiet("deploy", tree, "-p", project, "--validate-only") == "1.0.1"
    staged = quiet("deploy", tree, "-p", project, "--stage")
    assert quiet("cancel", staged, "--yes") == staged
    assert quiet("undeploy", project, "--yes") not in ("", again)
    failed = run("watch", staged, "-q")
    assert (failed.code, failed.out) == (1, "")
    assert "what to do: `longshore retry" in failed.err
    assert run("list", "-q", "-o", "json").code == 2


@pytest.mark.parametrize("way", ["--plain", "NO_COLOR", "TERM"])
def test_plain_has_no_escapes(server: ServerProcess, project: str, tree: Path, way: str) -> None:
    options = ["--plain"] if way == "--plain" else []
    variables = {"NO_COLOR": {"NO_COLOR": "1"}, "TERM": {"TERM": "dumb"}}.get(way, {})
    ask = ["--server", server.address]
    for code, command in (
        (0, [*ask, "deploy", str(tree), "-p", project]),
        (0, [*ask, "list", project]),
        (3, [*ask, "get", str(uuid.uuid4())]),
    ):
        ended, written = on_terminal(60, [*command, *options], **variables)
        assert ended == code
        assert "\x1b" not in written
    _, coloured = on_terminal(60, [*ask, "get", str(uuid.uuid4())])
    assert "\x1b[31m" in coloured


def test_plain_tables_are_not_cut(run: Run, server: ServerProcess, project: str, tree: Path) -> None:
    run("deploy", tree, "-p", project)
    _, written = on_terminal(40, ["--server", server.address, "list", project, "--plain"])
    assert written.replace("\r\n", "\n") == run("list", project).out


def test_piped_progress_is_lines(run: Run, project: str, tree: Path) -> None:
    lines = run("deploy", tree, "-p", project).err.splitlines()
    assert [line[10:] for line in lines[-3:]][-1] == "Succeeded: live on 1 node"
    assert not any("\x1b" in line or "━" in line for line in lines)


def test_waiting_and_detaching(run: Run, project: str, tree: Path) -> None:
    recorded = run("deploy", tree, "-p", project, "--wait", "recorded")
    assert "follow it: longshore watch" in recorded.out
    assert run("watch", recorded.out.split()[-1], "--wait-for-creation", "5").code == 0
    assert "is live" in run("deploy-release", project, "1.0.0", "--wait", "ended").out
    assert run("deploy-release", project, "1.0.0", "--detach", "--wait", "ended").code == 2
    late = run("deploy", tree, "-p", project, "--stage", "--timeout", "0.000001")
    assert (late.code, "it goes on" in late.err) == (6, True)

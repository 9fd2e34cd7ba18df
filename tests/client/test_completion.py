"""Completion: the scripts are whole, and a shell is told what the server knows, or nothing at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.processes import ServerProcess

from .command_line import Run
from .packs import GREET, write_pack

_PROGRAM = str(Path(sys.executable).with_name("longshore"))


def completed(server: str, *words: str) -> list[str]:
    """What bash is told for the last of some words; where no server is named, the context's is asked."""
    env = {
        **{name: value for name, value in os.environ.items() if name != "LONGSHORE_SERVER"},
        "_LONGSHORE_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["longshore", *words]),
        "COMP_CWORD": str(len(words)),
        **({"LONGSHORE_SERVER": server} if server else {}),
    }
    ran = subprocess.run([_PROGRAM], env=env, capture_output=True, text=True, timeout=30, check=False)
    assert ran.stderr == ""
    return [line.partition(",")[2] for line in ran.stdout.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts(run: Run, shell: str) -> None:
    script = run("completion", shell)
    assert script.code == 0
    assert "_LONGSHORE_COMPLETE" in script.out
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=script.out, text=True, capture_output=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_names_are_the_servers(run: Run, server: ServerProcess, project: str, tree: Path) -> None:
    deployment_id = run("deploy", tree, "-p", project).err.split()[1]
    assert "undeploy" in completed(server.address, "unde")
    assert completed(server.address, "rollback", project[:5]).count(project) == 1
    assert completed(server.address, "deploy-release", project, "1") == ["1.0.0"]
    assert completed(server.address, "get", deployment_id[:6]) == [deployment_id]
    (node,) = run("nodes", "-q").out.split()
    for command in ("cordon", "drain", "uncordon", "remove-node"):
        assert completed(server.address, command, node[:1]) == [node]
    assert "--environment" in completed(server.address, "rollback", "--env")


def test_workflows_are_those_that_are_live(
    run: Run, server: ServerProcess, project: str, tmp_path: Path
) -> None:
    assert run("deploy", write_pack(tmp_path / "pack", project, {"greet": GREET})).code == 0
    assert completed(server.address, "workflows", "get", f"{project}.g") == [f"{project}.greet"]
    assert [name for name in completed(server.address, "workflows", "get", "-e", "no", "a") if name] == []


def test_contexts_are_those_of_the_file(run: Run, server: ServerProcess, project: str, tree: Path) -> None:
    run("context", "set", "here", "--server", server.address)
    run("context", "set", "there", "--server", "127.0.0.1:1")
    assert completed("", "context", "use", "") == ["here", "there"]
    assert completed("", "--context", "th") == ["there"]
    run("deploy", tree, "-p", project)
    assert completed("", "--context", "here", "rollback", project) == [project]


def test_a_server_that_is_away_says_nothing(run: Run) -> None:
    assert [name for name in completed("127.0.0.1:1", "rollback", "") if name] == []

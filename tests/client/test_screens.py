"""Every command on a terminal of every width: nothing is wider than it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from longshore_client.cli.json_schema import OUTPUTS
from longshore_client.cli.wording import cell_width
from tests.services.processes import ServerProcess

from .packs import GREET, LOST, OFF, write_pack
from .screen import Screen
from .terminal import lines_of

WIDTHS = [40, 60, 80, 120, 200]
# What these say in one sentence is a line however long it is: it is there to be copied.
SENTENCES = {
    *("deploy", "deploy-release", "watch", "promote", "cancel", "retry", "rollback", "undeploy"),
    *("pause", "resume"),
    *("validate", "workflows count", "workflows sync", "workflows delete", "workflows validate"),
    *("cordon", "drain", "uncordon", "remove-node", "select", "approval"),
    *("freeze", "unfreeze", "pin", "unpin", "delete-payload", "download", "checksum"),
    *("context set", "context use", "context remove"),
    *("index update", "index merge", "index verify"),
    *("new", "dev"),
}


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_whole_command_set(
    server: ServerProcess,
    project: str,
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LONGSHORE_SERVER", server.address)
    screen = Screen(columns, monkeypatch)
    ran: set[str] = set()

    def shows(*arguments: str | Path, command: str, code: int = 0, typed: str = "") -> str:
        with capfd.disabled():
            ended, written = screen.run(*arguments, typed=typed)
        assert ended == code, written
        ran.add(command)
        lines = lines_of(written)
        if command not in SENTENCES:
            too_wide = [line for line in lines if cell_width(line.rstrip()) > columns]
            assert not too_wide, too_wide
        else:
            # Only what is said at the end may be longer, and what is asked.
            bars = [line for line in lines if "━" in line or "●" in line]
            assert all(cell_width(line.rstrip()) <= columns for line in bars), bars
        assert "\x1b]" not in written
        return written

    deployed = shows(
        "deploy", tree, "-p", project, "--label", "team=a-team-with-a-long-name", command="deploy"
    )
    assert "live" in deployed
    with capfd.disabled():
        _, listed = screen.run("list", project, "-q")
    deployment_id = listed.strip()
    for command in ("list", "releases", "projects", "audit"):
        assert "\x1b[1m" in shows(command, project, command=command)
        shows(command, *([project] if command == "releases" else []), command=command)
    assert "\x1b[32mlive" in shows("list", project, command="list")
    for command in ("get", "watch"):
        shows(command, deployment_id[:8], command=command)
    shows("nodes", command="nodes")
    with capfd.disabled():
        _, node = screen.run("nodes", "-q")
    shows("cordon", node.strip(), "--reason", "a new disk is on its way to us", command="cordon")
    shows("drain", node.strip(), "--reason", "a new disk is on its way to us", "--wait", command="drain")
    assert "\x1b[33m" in shows("nodes", command="nodes")
    shows("uncordon", node.strip(), command="uncordon")
    assert "nothing was changed" in shows("remove-node", "w-9", typed="n\n", command="remove-node", code=130)
    shows("remove-node", "w-9", typed="y\n", command="remove-node")
    shows("locks", command="locks")
    shows("logout", command="logout")
    with monkeypatch.context() as patch:
        # Its question would go to the terminal of whoever runs the tests.
        patch.setattr("click.termui.hidden_prompt_func", input)
        shows("login", typed="a-token-that-nobody-asks-for\n", command="login")
    shows("verify", project, command="verify")
    shows("keep", project, command="keep")
    shows("select", project, command="select")
    shows("approval", project, command="approval")
    shows("approval", "--all", command="approval")
    shows("keep", project, "--releases", "7", command="keep")
    shows("deploy-release", project, "1.0.0", command="deploy-release")
    shows("rollback", project, "--to", "1.0.0", command="rollback")
    shows("freeze", project, "--reason", "a sale", command="freeze")
    shows("unfreeze", project, command="unfreeze")
    shows("pin", project, "1.0.0", "--reason", "an audit", command="pin")
    shows("unpin", project, "1.0.0", command="unpin")
    shows("download", project, "1.0.0", tmp_path / "f", command="download")
    shows("checksum", tree, command="checksum")
    shows("deploy", tree, "-p", project, "--validate-only", command="deploy")
    shows("undeploy", project, typed="y\n", command="undeploy")
    shows("deploy", tree, "-p", project, "--stage", command="deploy")
    with capfd.disabled():
        _, listed = screen.run("list", project, "-qn1")
    staged = listed.strip()
    assert "nothing was cancelled" in shows("cancel", staged, typed="n\n", command="cancel", code=130)
    shows("cancel", staged, typed="y\n", command="cancel")
    assert "what to do:" in shows("watch", staged, command="watch", code=1)
    shows("retry", staged, "--detach", command="retry")
    shows("deploy-release", project, "1.0.0", "--stage", command="deploy-release")
    with capfd.disabled():
        _, listed = screen.run("list", project, "-qn1")
    shows("promote", listed.strip(), typed="y\n", command="promote")
    shows("strategy", project, "--canary", "1", "--failure-domain", "availability-zone", command="strategy")
    shows("deploy-release", project, "1.0.0", command="deploy-release")
    with capfd.disabled():
        _, listed = screen.run("list", project, "-qn1")
    canary = listed.strip()
    assert "\x1b[35mrol" in shows("list", project, command="list")
    shows("pause", canary, "--reason", "errors on the new page of the shop", command="pause")
    shows("get", canary, command="get")
    shows("resume", canary, command="resume")
    shows("promote", canary, typed="y\n", command="promote")
    shows("strategy", project, "--default", command="strategy")
    shows("undeploy", project, "--yes", command="undeploy")
    shows("delete-payload", project, "1.0.0", "--force", typed="y\n", command="delete-payload")
    pack = write_pack(tmp_path / "pack", f"{project}b", {"greet": GREET, "off": OFF})
    shows("validate", pack, command="validate")
    shows("deploy", pack, command="deploy")
    write_pack(pack, f"{project}b", {"greet": f"# A remark\n{GREET}", "lost": LOST}, version="1.1.0")
    written = shows("validate", pack, command="validate", code=4)
    told = [line for line in lines_of(written) if not line.startswith("the pack")]
    assert all(cell_width(line.rstrip()) <= columns for line in told), told
    assert "\x1b[31merror" in written
    shows("deploy", pack, "--skip-validation", command="deploy")
    shows("releases", f"{project}b", "1.1.0", command="releases")
    shows("workflows", "list", f"{project}b", "--all", command="workflows list")
    shows("workflows", "get", f"{project}b.greet", command="workflows get")
    shows("workflows", "count", f"{project}b", command="workflows count")
    shows("workflows", "validate", f"{project}b@1.1.0", command="workflows validate", code=4)
    shows("workflows", "diff", f"{project}b", "1.0.0", "1.1.0", command="workflows diff")
    shows("workflows", "delete", f"{project}b", typed="y\n", command="workflows delete")
    shows("workflows", "sync", f"{project}b", command="workflows sync", code=4)
    long = "a-rather-long-name.example:7420,another-rather-long-name.example:7420"
    shows("context", "set", "here", "--server", long, "-e", "production", command="context set")
    shows("context", "list", command="context list")
    shows("context", "use", "here", command="context use")
    shows("context", "show", "here", command="context show")
    shows("context", "remove", "here", command="context remove")
    shows("findings", staged, command="findings")
    index = tmp_path / "index.json"
    source = ("--url", "https://packs.example.org/pack.tar")
    write_pack(pack, f"{project}b", {"greet": GREET}, version="2.0.0")
    shows("index", "update", "--index", index, "--name", "ops", pack, *source, command="index update")
    shows("index", "merge", tmp_path / "all.json", index, command="index merge")
    shows("index", "verify", index, pack, command="index verify")
    shows("search", "--index", index, command="search")
    shows("show", f"{project}b", "--index", index, command="show")
    shows("new", "skill", project, "--into", tmp_path, command="new")
    shows("deploy", tmp_path / project, "--project", project, command="deploy")
    asked = shows("dev", tmp_path / project, typed="n\n", command="dev", code=130)
    assert "every change of" in asked
    assert ran == OUTPUTS.keys()


@pytest.mark.parametrize("columns", WIDTHS)
def test_errors_and_findings_fit(
    server: ServerProcess,
    project: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "payload").write_bytes(os.urandom(100))
    screen = Screen(columns, monkeypatch)
    for code, arguments in (
        (3, ["get", "ffffffffff"]),
        (3, ["deploy", str(tmp_path / "payload"), "-p", project, "-e", "nowhere"]),
        (4, ["deploy", str(tmp_path / "payload"), "-p", project, "--sha256", "0" * 64]),
    ):
        with capfd.disabled():
            ended, written = screen.run("--server", server.address, *arguments)
        assert ended == code
        told = written[written.index("error:") :]
        assert all(cell_width(line) <= columns for line in lines_of(told)), lines_of(told)

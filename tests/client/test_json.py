"""What programs read: every command's JSON is what its schema says, and the schema is what was agreed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import click
import pytest

from longshore_client.cli.json_schema import OUTPUTS, SCHEMAS_FILE, file_text
from longshore_client.cli.man_pages import pages
from longshore_client.cli.program import program
from tests.services.processes import ServerProcess

from .command_line import Run
from .packs import GREET, LOST, OFF, write_pack
from .schema_check import Violation, check


def schema_of(run: Run, command: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(run("schema", "json", *command.split()).out)
    return schema


def test_the_file_is_what_the_values_are() -> None:
    """A change of what programs read: write the file anew, and look whether it only adds."""
    assert SCHEMAS_FILE.read_text() == file_text(), "run `python -m longshore_client.cli.json_schema`"


def test_every_command_that_prints_json_has_a_schema() -> None:
    printing = {
        context.command_path.removeprefix("longshore ")
        for context in pages(click.Context(program, info_name="longshore"))
        if context.parent is not None
        and context.command_path.split()[1] not in ("serve", "admin", "doctor")
        and any(parameter.name == "output" for parameter in context.command.params)
    }
    assert printing == OUTPUTS.keys()


def test_what_commands_print(
    run: Run,
    server: ServerProcess,
    project: str,
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: dict[str, list[Any]] = {}

    def prints(*arguments: str | Path, command: str, code: int = 0) -> list[Any]:
        ran = run(*arguments, "-o", "json")
        assert ran.code == code, ran.err
        assert ran.objects, command
        told.setdefault(command, []).extend(ran.objects)
        return ran.objects

    (deployed,) = prints("deploy", tree, "-p", project, command="deploy")
    deployment_id = deployed["deployment_id"]
    prints("deploy", tree, "-p", project, "--validate-only", command="deploy")
    prints("get", deployment_id, command="get")
    prints("watch", deployment_id, command="watch")
    prints("deploy-release", project, "1.0.0", "--label", "a=b", command="deploy-release")
    prints("rollback", project, "--to", "1.0.0", command="rollback")
    prints("keep", project, "--age", "30d", command="keep")
    prints("select", project, "--every-node", command="select")
    prints("approval", project, "--anybody", command="approval")
    prints("approval", "--all", command="approval")
    monkeypatch.setattr("sys.stdin", io.StringIO("a-token\n"))
    prints("login", command="login")
    prints("logout", command="logout")
    prints("releases", project, command="releases")
    prints("projects", command="projects")
    prints("projects", project, command="projects")
    prints("nodes", command="nodes")
    (node,) = run("nodes", "-q").out.split()
    prints("cordon", node, "--reason", "because", command="cordon")
    prints("drain", node, "--reason", "because", "--wait", command="drain")
    prints("uncordon", node, command="uncordon")
    prints("remove-node", "gone", "--yes", command="remove-node")
    prints("verify", project, command="verify")
    prints("audit", project, "-n", "100", command="audit")
    prints("download", project, "1.0.0", tmp_path / "f.tar", command="download")
    prints("pin", f"{project}@1.0.0", "--reason", "because", command="pin")
    prints("unpin", f"{project}@1.0.0", command="unpin")
    prints("freeze", project, "--reason", "because", command="freeze")
    prints("unfreeze", project, command="unfreeze")
    prints("undeploy", project, "--yes", command="undeploy")
    prints("undeploy", project, "--yes", command="undeploy")
    prints("delete-payload", project, "1.0.0", "--yes", "--force", command="delete-payload")
    prints("checksum", tree, command="checksum")
    (staged,) = prints("deploy", tree, "-p", project, "--stage", command="deploy")
    (cancelled,) = prints("cancel", staged["deployment_id"], "--yes", command="cancel")
    (retried,) = prints("retry", cancelled["deployment_id"], command="retry")
    (staged,) = prints("deploy-release", project, retried["version"], "--stage", command="deploy-release")
    prints("promote", staged["deployment_id"], "--yes", command="promote")
    prints("strategy", project, "--canary", "1:10m", "--on-failure", "keep", command="strategy")
    (canary,) = prints(
        "deploy-release", project, retried["version"], "--canary", "1", command="deploy-release"
    )
    prints("get", canary["deployment_id"], command="get")
    prints("pause", canary["deployment_id"], "--reason", "because", command="pause")
    prints("resume", canary["deployment_id"], command="resume")
    prints("promote", canary["deployment_id"], "--yes", command="promote")
    prints("watch", canary["deployment_id"], command="watch")
    prints("strategy", project, "--default", command="strategy")
    refused = run("deploy", tree / "run.sh", "-p", project, "--sha256", "0" * 64, "-o", "json")
    assert refused.code == 4
    prints("list", project, command="list")
    prints("context", "set", "a", "--server", "a:1", command="context set")
    prints("context", "use", "a", command="context use")
    prints("context", "list", command="context list")
    prints("context", "show", command="context show")
    prints("context", "remove", "a", command="context remove")
    prints("new", "skill", "log-rotate", "--into", tmp_path / "new", command="new")
    index, pack = tmp_path / "index.json", tmp_path / "netops"
    pack.mkdir()
    (pack / "pack.yaml").write_text(
        "{ref: netops, label: Net, description: Tools, version: 1.0.0, dependencies: [core]}\n"
    )
    source = ("--url", "https://packs.example.org/netops.tar")
    prints("index", "update", "--index", index, pack, "--name", "ops", *source, command="index update")
    prints("index", "merge", tmp_path / "all.json", index, command="index merge")
    prints("index", "verify", index, pack, command="index verify")
    write_pack(pack, project, {"greet": GREET, "lost": LOST}, version="5.0.0")
    prints("validate", pack, command="validate", code=4)
    prints("deploy", pack, "--skip-validation", command="deploy")
    prints("releases", f"{project}@5.0.0", command="releases")
    write_pack(pack, project, {"greet": GREET.replace("count", "sum"), "off": OFF}, version="5.1.0")
    prints("deploy", pack, command="deploy")
    prints("workflows", "list", project, command="workflows list")
    prints("workflows", "get", f"{project}.greet", command="workflows get")
    prints("workflows", "get", f"{project}.lost", "--version", "5.0.0", command="workflows get")
    prints("workflows", "count", project, command="workflows count")
    prints("workflows", "validate", f"{project}@5.0.0", command="workflows validate", code=4)
    prints("workflows", "diff", project, "5.0.0", "5.1.0", command="workflows diff")
    prints("workflows", "delete", project, "--yes", command="workflows delete")
    prints("workflows", "sync", project, command="workflows sync")
    prints("workflows", "sync", project, "--version", "5.0.0", command="workflows sync", code=4)
    prints("search", "--index", index, command="search")
    prints("show", "netops", "--index", index, command="show")

    # These have nothing to print on a server without findings and rollouts, or never end.
    assert told.keys() == OUTPUTS.keys() - {"findings", "locks", "dev"}
    for command, printed in told.items():
        schema = schema_of(run, command)
        for value in printed:
            check(value, schema)
    failed = [each for each in told["list"] if each["error"]]
    assert failed, "an error is checked too"


def test_the_whole_document_describes_the_same(run: Run) -> None:
    document = json.loads(run("schema", "json").out)
    assert document["commands"].keys() == OUTPUTS.keys()
    assert schema_of(run, "context list")["$defs"].keys() == {"ContextRow"}
    assert {"Activation", "Finding"} <= schema_of(run, "get")["$defs"].keys()
    unknown = run("schema", "json", "serve")
    assert (unknown.code, "context list" in unknown.err) == (2, True)


def test_the_check_finds_what_is_wrong(run: Run) -> None:
    schema = schema_of(run, "context list")
    row: dict[str, Any] = {"name": "a", "server": "a:1", "environment": "", "project": "", "current": True}
    row |= {"tls": False, "ca": "", "cert": "", "key": ""}
    check(row, schema)
    for wrong in ({**row, "current": 1}, {**row, "more": 1}, {"name": "a"}, {**row, "name": None}):
        with pytest.raises(Violation):
            check(wrong, schema)

"""The command line, run as a program against a real node: what it prints, and what it exits with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import click
import pytest
import yaml

from longshore_client.cli import program as cli_program
from tests.services.processes import ServerProcess

from .command_line import Ran, Run

_PROGRAM = str(Path(sys.executable).with_name("longshore"))


def test_a_walk_for_people(run: Run, project: str, tree: Path, tmp_path: Path) -> None:
    first = run("deploy", tree, "--project", project)
    assert first.code == 0
    assert first.out == f"{project} 1.0.0 is live in default on 1 node\n"
    lines = first.err.splitlines()
    assert lines[0].startswith("deployment ")
    assert lines[0].endswith(" accepted")
    assert lines[1].startswith("sent ")
    assert lines[-1].endswith("Succeeded: live on 1 node")
    deployment_id = lines[0].split()[1]

    (tree / "new").write_text("new")
    second = run("deploy", tree, "-p", project, "--bump", "minor")
    assert "was stored already" in second.err
    assert "1.1.0 is live" in second.out

    listed = run("list", project)
    assert [line.split()[2] for line in listed.out.splitlines()] == ["VERSION", "1.1.0", "1.0.0"]
    shown = run("get", deployment_id[:8])
    assert deployment_id in shown.out
    assert "live on 1/1" in shown.out
    watched = run("watch", deployment_id)
    assert watched.code == 0
    assert "Rolling out: to 1 node" in watched.out
    assert "default" in run("releases", project).out
    assert project in run("projects").out
    assert "1.1.0" in run("projects", project).out
    assert "alive" in run("nodes").out
    assert "deployment.succeeded" in run("audit", project).out

    back = run("rollback", project)
    assert (back.code, back.out) == (0, f"{project} 1.0.0 is live in default on 1 node\n")
    nothing = run("rollback", project, "--to", "1.0.0")
    assert (nothing.code, nothing.out.split(":")[0]) == (0, "nothing to do")
    by_id = run("rollback", project, "--to-deployment", second.err.split()[1][:10])
    assert "1.1.0 is live" in by_id.out

    downloaded = run("download", project, "1.1.0", tmp_path / "copy.tar")
    assert downloaded.code == 0
    assert tarfile.is_tarfile(tmp_path / "copy.tar")


def test_a_walk_for_programs(run: Run, project: str, tree: Path, tmp_path: Path) -> None:
    (deployed,) = run("deploy", tree, "-p", project, "-o", "json").objects
    assert (deployed["status"], deployed["version"], deployed["live"]) == ("succeeded", "1.0.0", True)
    assert str(deployed["create_time"]).endswith("Z")
    (listed,) = run("-o", "json", "list", project).objects
    assert listed == deployed
    (got,) = run("get", str(deployed["deployment_id"]), "-o", "json").objects
    activations, of = got.pop("activations"), got.pop("release")
    assert got == deployed
    assert isinstance(of, dict)
    assert of["version"] == "1.0.0"
    assert isinstance(activations, list)
    assert activations[0]["status"] == "live"

    updates = run("watch", str(deployed["deployment_id"]), "-o", "json").objects
    events = [update for update in updates if update["type"] == "event"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["detail"] == {
        "kind": "status_changed",
        "from_status": "rolling_out",
        "to_status": "succeeded",
        "reason": "",
    }
    assert {update["type"] for update in updates} == {"event", "snapshot"}

    (release,) = run("releases", project, "-o", "json").objects
    assert release["live_in"] == ["default"]
    assert release["content_sha256"] == deployed["content_sha256"]
    checksum = run("checksum", tree, "-o", "json").objects[0]
    assert checksum["content_sha256"] == f"sha256:{deployed['content_sha256']}"
    assert run("nodes", "-o", "json").objects[0]["alive"] is True
    assert run("audit", project, "-n", "1", "-o", "json").objects[0]["to_status"] == "succeeded"
    assert run("projects", project, "-o", "json").objects[0]["project"]["project"] == project  # type: ignore[index]
    assert run("rollback", project, "--to", "1.0.0", "-o", "json").objects == [{"nothing_to_do": True}]
    documents = list(yaml.safe_load_all(run("list", project, "-o", "yaml").out))
    assert documents == [deployed]
    (download,) = run("download", project, "1.0.0", tmp_path / "f", "-o", "json").objects
    assert download["payload_sha256"] == deployed["payload_sha256"]


def test_failures_have_their_exit_codes_and_say_what_to_do(
    run: Run, project: str, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(code: int, *arguments: str | Path, says: str, advises: str) -> Ran:
        ran = run(*arguments)
        assert ran.code == code, ran.err
        assert says in ran.err
        assert advises in ran.err
        return ran

    nowhere = "12345678-0000-4000-8000-000000000000"
    fails(2, "deploy", tree, says="no project was given", advises="--project")
    fails(
        2, "deploy", tree, "-p", project, "--version", "1.0.0", "--bump", "major", says="exclude", advises=""
    )
    fails(2, "list", "--server", "nonsense", says="nonsense", advises="HOST:PORT")
    fails(3, "get", nowhere, says=nowhere, advises="longshore list")
    fails(3, "get", "abc", says="too short", advises="longshore list")
    fails(3, "get", "ffffffffff", says="begins with", advises="longshore list")
    fails(3, "watch", nowhere, says=nowhere, advises="request id: ")
    fails(3, "releases", project, says=project, advises="longshore projects")
    fails(3, "deploy", tree, "-p", project, "-e", "nowhere", says="nowhere", advises="longshore nodes")
    fails(4, "deploy", tree, "-p", "No Project", says="project", advises="request id: ")
    assert run("deploy", tree, "-p", project, "--version", "1.0.0").code == 0
    fails(4, "rollback", project, says="", advises="longshore releases")
    (tree / "more").write_text("more")
    fails(5, "deploy", tree, "-p", project, "--version", "1.0.0", says="1.0.0", advises="--bump")
    (tmp_path / "there").touch()
    fails(4, "download", project, "1.0.0", tmp_path / "there", says="exists", advises="--force")
    monkeypatch.setenv("LONGSHORE_SERVER", "127.0.0.1:1")
    fails(6, "list", says="cannot reach the server at 127.0.0.1:1", advises="longshore serve")
    fails(6, "deploy", tree, "-p", project, says="127.0.0.1:1", advises="run the same command again")
    named = fails(
        6, "deploy", tree, "-p", project, "--deployment-id", nowhere, says="127.0.0.1:1", advises=nowhere
    )
    assert "go on with it: longshore deploy" in named.err
    monkeypatch.setenv("LONGSHORE_SERVER", "127.0.0.1:1,127.0.0.1:2")
    fails(6, "list", says="127.0.0.1:1", advises="127.0.0.1:2")


def test_a_refused_archive_shows_every_finding(run: Run, project: str, tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo("../a\x1b[31m"))
        tar.addfile(tarfile.TarInfo("/b"))
    ran = run("deploy", archive, "-p", project)
    assert ran.code == 4
    assert "PATH_ESCAPES" in ran.err
    assert "PATH_ABSOLUTE" in ran.err
    assert "\x1b" not in ran.err
    refused = run("checksum", archive)
    assert refused.code == 4
    assert "PATH_ESCAPES" in refused.err


def test_one_checksum_for_a_directory_and_its_archives(run: Run, tree: Path, tmp_path: Path) -> None:
    archive = tmp_path / "tree.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tree, arcname=".")
    first, second = run("checksum", tree).out.split(), run("checksum", archive).out.split()
    assert first[0] == second[0]
    assert first[0].startswith("sha256:")


def test_a_detached_deployment_says_how_to_follow_it(run: Run, project: str, tree: Path) -> None:
    ran = run("deploy", tree, "-p", project, "--detach")
    assert ran.code == 0
    assert "longshore watch" in ran.out
    assert run("watch", ran.out.split()[-1]).code == 0


def test_a_failed_deployment_is_exit_code_1(run: Run, project: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    deployment_id = "b5a9a1a2-7e25-4d4e-9f5f-" + project[1:]
    ran = run(
        "deploy", tmp_path / "file", "-p", project, "--sha256", "0" * 64, "--deployment-id", deployment_id
    )
    assert ran.code == 4
    watched = run("watch", deployment_id)
    assert watched.code == 1
    assert "failed" in watched.err.splitlines()[0]
    as_json = run("watch", deployment_id, "-o", "json")
    assert as_json.code == 1
    assert as_json.objects[-1]["detail"]["to_status"] == "failed"  # type: ignore[index]


def test_every_command_has_help_with_examples_and_its_listed_summary() -> None:
    program = cli_program.program
    assert isinstance(program, cli_program.Program)
    context = click.Context(program, info_name="longshore")
    listed = {name: text for section in cli_program._SECTIONS.values() for name, (_, text) in section.items()}
    for name, summary in listed.items():
        command = program.get_command(context, name)
        assert command is not None
        assert command.short_help == summary
        text = command.get_help(click.Context(command, info_name=name, parent=context))
        assert f"longshore {name}" in text
    assert program.get_command(context, "nonsense") is None
    for server_command in ("serve", "admin"):
        assert program.get_command(context, server_command) is not None


def test_help_starts_without_grpc_protobuf_and_rich() -> None:
    code = (
        "import sys\n"
        "from longshore_client.cli.program import run_program\n"
        "sys.argv = ['longshore', '--help']\n"
        "code = run_program()\n"
        "heavy = {'grpc', 'google.protobuf', 'rich', 'tenacity', 'yaml', 'asyncio'} & sys.modules.keys()\n"
        "sys.exit(code or ','.join(sorted(heavy - {'asyncio'})) or 0)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Exit codes:" in ran.stdout


def test_a_reader_that_has_seen_enough_is_no_error(server: ServerProcess) -> None:
    lister = subprocess.Popen(
        [_PROGRAM, "--server", server.address, "audit", "-n", "500", "-o", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert lister.stdout is not None
    assert lister.stderr is not None
    lister.stdout.close()
    assert lister.stderr.read() == b""
    lister.stderr.close()
    assert lister.wait(20) == 141


def test_ctrl_c_tells_the_id_and_how_to_go_on(server: ServerProcess, project: str) -> None:
    deploying = subprocess.Popen(
        [_PROGRAM, "deploy", "-", "-p", project, "--file-name", "f"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LONGSHORE_SERVER": server.address},
    )
    assert deploying.stdin is not None
    assert deploying.stderr is not None
    accepted = deploying.stderr.readline().decode()
    assert accepted.endswith("accepted\n")
    deploying.send_signal(signal.SIGINT)
    # Although more could come.
    told = deploying.stderr.read().decode()
    deploying.stdin.close()
    deploying.stderr.close()
    assert deploying.wait(20) == 130
    assert told.startswith("interrupted: the upload is not complete")
    assert f"--deployment-id {accepted.split()[1]}" in told
    assert "Traceback" not in told

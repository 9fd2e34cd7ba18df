"""Whatever a server says, in whatever field: no command lets it do anything to a terminal."""

from __future__ import annotations

import json
import re
import unicodedata
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from longshore.v1.deployment_pb2 import DeploymentStatus
from longshore_client.cli.json_schema import OUTPUTS
from longshore_client.cli.options import OutputFormat
from longshore_client.cli.printing import print_object

from .command_line import Run
from .hostile import TEXT, hostile_server
from .screen import Screen

ID = str(uuid.UUID(int=1))
COMMANDS = {
    "list": ["web"],
    "list --watch": ["web"],
    "get": [ID],
    "watch": [ID],
    "projects": [],
    "projects web": [],
    "releases": ["web"],
    "releases web": ["1.0.0"],
    "findings": [ID],
    "workflows list": [],
    "workflows get": ["web.roll"],
    "workflows count": [],
    "workflows sync": [],
    "workflows delete": ["web", "--yes"],
    "workflows validate": ["web@1.0.0"],
    "workflows diff": ["web", "1.0.0", "1.1.0"],
    "nodes": [],
    "locks": [],
    "verify": ["web"],
    "audit": ["web"],
    "deploy-release": ["web", "1.0.0"],
    "deploy-release --detach": ["web", "1.0.0"],
    "promote": [ID, "--yes"],
    "promote --detach": [ID, "--yes"],
    "pause": [ID, "--reason", "x"],
    "resume": [ID],
    "resume --detach": [ID],
    "cancel": [ID, "--yes"],
    "cancel --detach": [ID, "--yes"],
    "retry": [ID],
    "rollback": ["web"],
    "undeploy": ["web", "--yes"],
    "strategy": ["web", "-e", TEXT],
    "strategy --default": ["web"],
    "freeze": ["web", "--reason", "x"],
    "unfreeze": ["web"],
    "select": ["web"],
    "select --every-node": ["web"],
    "approval": ["web"],
    "approval --second-person": ["web"],
    "approval --all": [],
    "approval --all --second-person": [],
    "cordon": ["web-1", "--reason", "x"],
    "drain": ["web-1", "--reason", "x"],
    "uncordon": ["web-1"],
    "remove-node": ["web-1", "--yes"],
    "pin": ["web", "1.0.0", "--reason", "x"],
    "unpin": ["web", "1.0.0"],
    "keep": ["web"],
    "delete-payload": ["web", "1.0.0", "--yes"],
    "download": ["web", "1.0.0"],
}
OTHERS = {
    *("new", "dev", "deploy", "checksum", "validate", "search", "show"),
    *("index update", "index merge", "index verify", "login", "logout"),
    *(f"context {name}" for name in ("list", "set", "use", "remove", "show")),
}
# What the program itself colours and moves with.
OURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]")


def bad_in(text: str) -> set[str]:
    """The characters of a text that do something, or reorder it."""
    return {each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp")} - {"\n"}


STATUSES = ("SUCCEEDED", "PARTIAL", "FAILED", "STAGED", "ROLLING_OUT", "PAUSED", "CANCELLED", "SUPERSEDED")


@pytest.fixture(params=STATUSES)
def hostile(request: pytest.FixtureRequest) -> Iterator[str]:
    with hostile_server(DeploymentStatus.Value(f"DEPLOYMENT_STATUS_{request.param}")) as address:
        yield address


def test_every_command_that_asks_is_here() -> None:
    named = {" ".join(name.split()[:2]) for name in COMMANDS} | {name.split()[0] for name in COMMANDS}
    assert named & OUTPUTS.keys() == OUTPUTS.keys() - OTHERS


def test_lines(run: Run, hostile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = 0
    for name, arguments in COMMANDS.items():
        for form in ([], ["--plain"], ["-q"]):
            ran = run("--server", hostile, *name.split(), *arguments, *form)
            assert "fault of this program" not in ran.err, (name, ran.err)
            assert not bad_in(ran.out + ran.err), (name, form, ran.out + ran.err)
            said += "pwn" in ran.out + ran.err
    assert said > len(COMMANDS)


def test_objects(run: Run, hostile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, arguments in COMMANDS.items():
        as_json = run("--server", hostile, *name.split(), *arguments, "-o", "json")
        as_yaml = run("--server", hostile, *name.split(), *arguments, "-o", "yaml")
        assert not bad_in(as_json.out + as_yaml.out), name
        assert list(yaml.safe_load_all(as_yaml.out)) == as_json.objects
        if name.startswith(("list", "get", "nodes", "audit")):
            assert TEXT in as_json.objects[0].values()


@pytest.mark.parametrize("command", ["watch", "list --watch", "cancel", "promote", "resume", "get", "nodes"])
def test_what_moves(
    hostile: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    screen = Screen(100, monkeypatch)
    with capfd.disabled():
        _, written = screen.run("--server", hostile, *command.split(), *COMMANDS[command])
    assert not bad_in(OURS.sub("", written)), written
    assert "pwn" in written


@pytest.mark.parametrize("text", [TEXT, "a: \u202eb #", "\u2066", "\x85", "back\\slash \u2029 a\nline " * 9])
def test_any_object_is_read_as_it_was(capsys: pytest.CaptureFixture[str], text: str) -> None:
    value = {text: [text, "plain"], "a": {"b": text}}
    print_object(value, OutputFormat.YAML)
    written = capsys.readouterr().out
    assert yaml.safe_load(written) == value
    assert not bad_in(written)
    assert "- plain\n" in written
    print_object(value, OutputFormat.JSON)
    written = capsys.readouterr().out
    assert json.loads(written) == value
    assert not bad_in(written)

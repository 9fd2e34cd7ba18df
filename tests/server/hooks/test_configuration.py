"""What may be written into a node's settings, and what is said where it may not."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent, indent

import pytest

from longshore_server.hooks import CommandCheck, HttpCheck, TcpCheck, hooks_of
from longshore_server.settings import Settings, load_settings
from longshore_storage.errors import Misconfigured

WHOLE = """
hooks:
  - {project: "web-*", name: drain, when: before_switch, command: [drain, --for, 30], timeout_s: 60}
  - {when: after_switch, command: [/usr/bin/warm up, ""], environment: {REGION: eu, PORT: 80}}
restarts:
  - {project: web-static, restart: none}
  - {project: "web-*", restart: immediate, command: [systemctl, restart, web]}
checks:
  - {project: "web-*", kind: http, target: "http://[::1]:8080/healthz?deep=1", min_healthy_time_s: 0}
  - {kind: tcp, target: "127.0.0.1:5432"}
  - {kind: command, target: [pg_isready], interval_s: 2, timeout_s: 3, healthy_deadline_s: 60}
"""


def load(folder: Path, node: str) -> Settings:
    path = folder / "longshore.yaml"
    path.write_text("node:\n" + indent(dedent(node), "  "))
    return load_settings(path, {"data_dir": folder})


def test_everything_at_once(tmp_path: Path) -> None:
    node = load(tmp_path, WHOLE).node
    web, static, other = (node.hooks_of(project) for project in ("web-1", "web-static", "db"))
    assert [hook.title for hook in web.before] == ["drain"]
    assert web.before[0].command == ("drain", "--for", "30")
    assert [(hook.title, dict(hook.environment)) for hook in web.after] == [
        ("warm up", {"REGION": "eu", "PORT": "80"})
    ]
    assert web.restart is not None
    assert (web.restart.command, web.restart.title) == (("systemctl", "restart", "web"), "restart")
    assert [type(check) for check in web.checks] == [HttpCheck, TcpCheck, CommandCheck]
    assert [check.title for check in other.checks] == ["127.0.0.1:5432", "pg_isready"]
    assert static.restart is None
    assert other.restart is None
    assert (other.before, len(other.after)) == ((), 1)
    assert web
    assert not hooks_of("web", hooks=(), restarts=node.restarts[:1], checks=())


def test_as_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = {"when": "before_switch", "command": ["true"]}
    monkeypatch.setenv("LONGSHORE_NODE__HOOKS", json.dumps([hook]))
    settings = load_settings(None, {"data_dir": tmp_path})
    assert settings.node.hooks_of("any").before[0].command == ("true",)
    monkeypatch.setenv("LONGSHORE_NODE__HOOKS", "drain")
    with pytest.raises(Misconfigured, match=r"LONGSHORE_NODE__HOOKS: must be a list.* written as JSON"):
        load_settings(None, {"data_dir": tmp_path})


@pytest.mark.parametrize(
    ("written", "place", "words"),
    [
        ("hooks: [{command: [a]}]", "node.hooks.0.when", "Field required"),
        ("hooks: [{when: before, command: [a]}]", "node.hooks.0.when", "'before_switch' or 'after_switch'"),
        ("hooks: [{when: before_switch}]", "node.hooks.0.command", "Field required"),
        (
            "hooks: [{when: before_switch, command: a b}]",
            "node.hooks.0.command",
            "must be a list, like [systemctl, reload, web]: it is run without a shell",
        ),
        ("hooks: [{when: before_switch, command: []}]", "node.hooks.0.command", "must name a program"),
        ("hooks: [{when: before_switch, command: ['']}]", "node.hooks.0.command", "must name a program"),
        (r'hooks: [{when: before_switch, command: ["a\0"]}]', "node.hooks.0.command", "contains NUL"),
        (
            "hooks: [{when: before_switch, command: [a], timeout_s: 0}]",
            "node.hooks.0.timeout_s",
            "greater than 0",
        ),
        (
            "hooks: [{when: before_switch, command: [a], timeout: 5}]",
            "node.hooks.0.timeout",
            "Extra inputs are not permitted",
        ),
        (
            "hooks: [{when: before_switch, command: [a], environment: {LONGSHORE_TREE: x}}]",
            "node.hooks.0.environment",
            "LONGSHORE_TREE is not to be set: names with LONGSHORE_ are the node's own",
        ),
        (
            "hooks: [{when: before_switch, command: [a], environment: {A=B: x}}]",
            "node.hooks.0.environment",
            "'A=B' is no name of a variable",
        ),
        ("restarts: [{restart: later}]", "node.restarts.0.restart", "'none' or 'immediate'"),
        ("restarts: [{restart: immediate}]", "node.restarts.0", "must name a program"),
        ("restarts: [{restart: none, command: [a]}]", "node.restarts.0", "runs nothing"),
        ("checks: [{target: [a]}]", "node.checks.0", "'kind'"),
        ("checks: [{kind: icmp, target: a}]", "node.checks.0", "'command', 'http', 'tcp'"),
        (
            "checks: [{kind: command, target: curl localhost}]",
            "node.checks.0.command.target",
            "must be a list",
        ),
        ("checks: [{kind: http, target: localhost:80}]", "node.checks.0.http.target", "must be like http://"),
        ("checks: [{kind: http, target: 'http://a b/'}]", "node.checks.0.http.target", "must be like"),
        ("checks: [{kind: http, target: 'http://u:p@h/'}]", "node.checks.0.http.target", "must be like"),
        ("checks: [{kind: http, target: 'http://h:99999/'}]", "node.checks.0.http.target", "must be like"),
        ("checks: [{kind: tcp, target: localhost}]", "node.checks.0.tcp.target", "must be HOST:PORT"),
        ("checks: [{kind: tcp, target: 'h:0'}]", "node.checks.0.tcp.target", "must be HOST:PORT"),
        (
            "checks: [{kind: tcp, target: 'h:1', min_healthy_time_s: 300}]",
            "node.checks.0.tcp",
            "`healthy_deadline_s` must be above `min_healthy_time_s`",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, written: str, place: str, words: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load(tmp_path, written)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{tmp_path}/longshore.yaml: {place}: ")
    assert words in line

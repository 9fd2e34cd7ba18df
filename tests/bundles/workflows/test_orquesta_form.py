"""Orquesta's form, as StackStorm's documentation writes it."""

from __future__ import annotations

from typing import Any

import pytest

from longshore_bundles.findings import Severity
from longshore_bundles.workflows import parsed_form
from longshore_bundles.workflows.inline_values import inline_action, inline_values
from longshore_bundles.workflows.model import Retry, Task, Transition, Workflow, WorkflowSyntax
from tests.bundles.workflows.written import read

WHOLE = b"""\
version: 1.0
description: Sends a message everywhere.
input:
  - hosts
  - port: 22
vars:
  - left: 3
  - failed: []
output:
  - result: <% ctx().left %>
tasks:
  start:
    action: core.local cmd="echo one" timeout=<% ctx().left + 1 %>
    input:
      env: {A: b}
    with: host in <% ctx().hosts %>
    retry:
      when: <% failed() %>
      count: <% ctx().left %>
      delay: 2
    next:
      - when: <% succeeded() %>
        publish:
          - left: 1
          - left: <% ctx().left + 1 %>
        do:
          - one
          - noop
      - when: <% failed() %>
        publish: failed="a b" left=0
        do: one, two, fail
  one:
    action: netops.restart
    delay: <% ctx().left %>
    with: {items: [1, 2], concurrency: 2}
    next:
      - do: both
      - publish: {a: 1}
        do: both
  two:
    next: [{do: [both]}]
  both:
    join: all
    input: <% ctx() %>
"""


def orquesta(tasks: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1.0, "input": ["nodes"], "tasks": tasks}


def errors(document: object) -> list[str]:
    return [finding.code for finding in read(document)[1] if finding.severity is Severity.ERROR]


def test_everything_that_can_be_written_is_read() -> None:
    found, findings = read(WHOLE)
    assert [(each.code, each.severity, each.line) for each in findings] == [
        ("ORQUESTA_FORM", Severity.INFO, 1)
    ]
    assert found == Workflow(
        name="deploy",
        ref="netops.deploy",
        path="workflows/deploy.yaml",
        sha256=found.sha256,
        valid=True,
        syntax=WorkflowSyntax.ORQUESTA,
        label="deploy",
        version="1.0",
        description="Sends a message everywhere.",
        vars={"left": 3, "failed": []},
        parameters={"type": "object", "properties": {"hosts": {}, "port": {"default": 22}}},
        output_map={"result": "<% ctx().left %>"},
        tasks=(
            Task(
                name="start",
                action="core.local",
                input={"cmd": "echo one", "timeout": "<% ctx().left + 1 %>", "env": {"A": "b"}},
                with_items="host in <% ctx().hosts %>",
                retry=Retry("<% ctx().left %>", 2, when="<% failed() %>"),
                transitions=(
                    Transition(
                        ("one",),
                        when="<% succeeded() %>",
                        publish=(("left", 1), ("left", "<% ctx().left + 1 %>")),
                        commands=("noop",),
                    ),
                    Transition(
                        ("one", "two"),
                        when="<% failed() %>",
                        publish=(("failed", "a b"), ("left", "0")),
                        commands=("fail",),
                    ),
                ),
            ),
            Task(
                name="one",
                action="netops.restart",
                delay_s="<% ctx().left %>",
                with_items=[1, 2],
                concurrency=2,
                transitions=(Transition(("both",)), Transition(("both",), publish=(("a", 1),))),
            ),
            Task(name="two", transitions=(Transition(("both",)),)),
            Task(name="both", join="all", input="<% ctx() %>"),
        ),
    )


def test_the_parsed_form_tells_whose_form_it_was() -> None:
    form = parsed_form(read(WHOLE)[0])
    assert list(form)[:4] == ["syntax", "ref", "label", "version"]
    assert form["syntax"] == "orquesta"
    tasks = form["tasks"]
    assert isinstance(tasks, list)
    assert tasks[2] == {"name": "two", "next": [{"do": ["both"]}]}


_NOOP = {"a": {"action": "core.noop"}}


@pytest.mark.parametrize("version", [1.0, 1, "1.0"])
@pytest.mark.parametrize("key", ["input", "vars", "output"])
def test_it_is_known_by_its_lists(version: object, key: str) -> None:
    document = {"version": version, key: [{"x": 1}], "tasks": _NOOP}
    assert read(document)[0].syntax is WorkflowSyntax.ORQUESTA
    assert read({**document, "label": "x"})[0].syntax is WorkflowSyntax.LONGSHORE


@pytest.mark.parametrize(
    ("version", "task"),
    [
        (1.0, {"action": "core.noop", "next": [{"do": "noop"}]}),
        (1, {"action": "core.noop", "next": []}),
        (1.0, {"action": "core.local cmd=date"}),
        ("1.0", {"action": "core.noop", "with": "<% ctx(hosts) %>"}),
    ],
)
def test_it_is_known_by_its_tasks(version: object, task: dict[str, Any]) -> None:
    assert read({"version": version, "tasks": {"a": task}})[0].syntax is WorkflowSyntax.ORQUESTA


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"version": 1.4, "tasks": {"a": {"action": "core.noop", "next": []}}},
        {"parameters": {"type": "object"}, "input": ["x"]},
        {"enabled": True},
        {"ref": "netops.deploy"},
        {"output_map": {}},
        {"vars": {"x": 1}, "tasks": {"a": {"next": []}}},
        {"output": {"type": "object"}, "tasks": {"a": {"next": []}}},
        {"tasks": [{"name": "a", "action": "core.noop"}]},
        {"tasks": {"a": {"action": "core.noop", "timeout": 5, "next": []}}},
        {"tasks": {"a": {"next": []}, "b": {"action": "core.noop", "type": "workflow"}}},
        {"tasks": {"a": {"action": "core.noop", "with": "x", "on_success": []}}},
    ],
)
def test_one_of_ours_without_label_and_quotes_is_told_so(more: dict[str, Any]) -> None:
    found, findings = read({"version": 1.0, "tasks": _NOOP, **more})
    assert found.syntax is WorkflowSyntax.LONGSHORE
    messages = [each.message for each in findings if each.severity is Severity.ERROR]
    assert "'label' is missing: add it" in messages
    version = more.get("version", 1.0)
    assert f"'version' is {version} and must be text: write it in quotes" in messages


def test_every_rule_of_ours_holds_without_a_label_too() -> None:
    text = b"""\
version: 1.0
parameters: {type: object}
tasks:
  first:
    action: core.http
    timeout: 0
    on_success: nope
  second:
    action: core.http
    type: parallel
"""
    assert [(each.code, each.line) for each in read(text)[1]] == [
        ("KEY_MISSING", 1),
        ("WRONG_TYPE", 1),
        ("VALUE_INVALID", 6),
        ("KEY_MISSING", 8),
        ("TASK_UNKNOWN", 7),
    ]


def test_the_same_rules_hold() -> None:
    assert errors(orquesta({"a": {"next": [{"do": "gone"}]}})) == ["TASK_UNKNOWN"]
    assert errors(orquesta({"a": {"next": [{"do": "a, b"}]}, "b": {"next": [{"do": "a"}]}})) == [
        "NO_START_TASK"
    ]
    assert errors(orquesta({"a": {}, "b": {"next": [{"do": "c"}]}, "c": {"next": [{"do": "b"}]}})) == [
        "TASK_UNREACHABLE",
        "TASK_UNREACHABLE",
    ]
    assert errors(orquesta({"a": {"action": "netops.gone"}})) == ["ACTION_UNDEFINED"]
    assert errors(orquesta({"item": {}})) == ["TASK_NAME_RESERVED"]
    assert errors(orquesta({"a": {"retry": {"count": 101}}})) == ["VALUE_INVALID"]
    assert errors(orquesta({"a": {"retry": {"count": "three", "delay": "2"}}})) == ["VALUE_INVALID"] * 2
    assert errors(orquesta({"a": {"with": {"items": "x", "concurrency": "2"}}})) == ["VALUE_INVALID"]
    assert errors(orquesta({})) == ["VALUE_INVALID"]
    assert errors(orquesta({"a": {"with": {"concurrency": 1}}})) == ["KEY_MISSING"]


@pytest.mark.parametrize("command", ["noop", "fail", "continue", "retry"])
def test_the_engines_commands_are_no_tasks(command: str) -> None:
    for do in (command, [command], f" {command} ,"):
        found, findings = read(orquesta({"a": {"next": [{"do": do}]}}))
        assert [finding.severity for finding in findings] == [Severity.INFO]
        assert found.tasks[0].transitions == (Transition((), commands=(command,)),)
    assert errors(orquesta({command: {}})) == ["TASK_NAME_RESERVED"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", ()),
        ("a=1", (("a", "1"),)),
        ("  a=1   b=x,y ", (("a", "1"), ("b", "x,y"))),
        ('a="x y" b=\'p q\' c=""', (("a", "x y"), ("b", "p q"), ("c", ""))),
        ("a=<% x = 1 %> b={{ y }}", (("a", "<% x = 1 %>"), ("b", "{{ y }}"))),
        ("a=<% x", (("a", "<%"),)),
        ('a="x', (("a", '"x'),)),
        ("a= b=1", (("a", ""), ("b", "1"))),
        ("no values", ()),
    ],
)
def test_values_in_one_line(text: str, values: tuple[tuple[str, str], ...]) -> None:
    assert inline_values(text) == values
    assert inline_action(f"core.local {text}") in (
        ("core.local", dict(values)),
        (f"core.local {text}".strip(), {}),
    )


@pytest.mark.parametrize("begin", ["<% ", "{{ "])
def test_values_that_never_end_are_words(begin: str) -> None:
    assert inline_values(f"a={begin}" * 5_000) == (("a", begin.strip()),) * 5_000


def test_an_expression_for_an_action_is_left_alone() -> None:
    found, findings = read(orquesta({"a": {"action": '<% ctx().action %> x="1"'}}))
    assert found.tasks[0].action == '<% ctx().action %> x="1"'
    assert [finding.code for finding in findings] == ["ORQUESTA_FORM"]


def test_a_task_that_says_nothing_is_none() -> None:
    assert errors(orquesta({"a": None})) == ["WRONG_TYPE"]

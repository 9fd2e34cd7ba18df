"""Every rule about tasks, broken alone: its code, its words where people and programs know them, its line."""

from __future__ import annotations

from typing import Any

import pytest

from longshore_bundles.workflows.task_rules import RESERVED_NAMES
from tests.bundles.workflows.written import accepted, codes, read, task, workflow


def told(text: str) -> list[tuple[str, int | None, str]]:
    return [(finding.code, finding.line, finding.message) for finding in read(text.encode())[1]]


def test_a_duplicate_name_is_told_at_the_second_task() -> None:
    text = """\
label: Roll
version: "1"
tasks:
  - {name: drain, action: core.http, on_success: restart}
  - {name: restart, action: core.http}
  - {name: drain, action: core.http}
"""
    assert told(text) == [("TASK_NAME_DUPLICATE", 6, "Duplicate task name: drain")]


def test_a_transition_to_nothing_is_told_where_it_is_written() -> None:
    text = """\
label: Roll
version: "1"
tasks:
  drain:
    action: core.http
    on_success:
      - restart
      - gone
    next:
      - do: lost
  restart:
    action: core.http
"""
    assert told(text) == [
        ("TASK_UNKNOWN", 8, "Task 'drain' references non-existent task 'gone'"),
        ("TASK_UNKNOWN", 10, "Task 'drain' references non-existent task 'lost'"),
    ]


def test_an_action_of_the_pack_must_be_in_it() -> None:
    text = """\
label: Roll
version: "1"
tasks:
  - name: drain
    action: netops.missing
"""
    message = "Task 'drain' references undefined action 'netops.missing'"
    assert told(text) == [("ACTION_UNDEFINED", 5, message)]
    accepted(workflow(task("a", action="netops.restart")))
    accepted(workflow(task("a", action="netops.deploy", type="workflow")))
    accepted(workflow(task("a", action="other.missing")))
    accepted(workflow(task("a", action="netops2.missing")))
    accepted(workflow(task("a", action="{{ vars.pack }}.restart")))


@pytest.mark.parametrize("action", ["http", "core.", ".http", "core/http", "--help", "core.http\n", "a..b"])
def test_an_action_is_pack_and_name(action: str) -> None:
    assert codes(workflow(task("a", action=action))) == ["ACTION_INVALID"]


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_reserved_names(name: str) -> None:
    assert codes(workflow(task(name))) == ["TASK_NAME_RESERVED"]
    assert codes({**workflow(), "tasks": {name: {"action": "core.http"}}}) == ["TASK_NAME_RESERVED"]


@pytest.mark.parametrize(
    "name", ["../up", "/etc", "-rf", "--help", " a", "a ", "a\nb", "a,b", "é/", "a" * 256]
)
def test_a_task_name_is_no_path_and_no_option(name: str) -> None:
    assert codes(workflow(task(name))) == ["TASK_NAME_INVALID"]
    assert codes({**workflow(), "tasks": {name: {"action": "core.http"}}}) == ["TASK_NAME_INVALID"]


@pytest.mark.parametrize("name", ["a", "Drain node-1", "v1.2", "übergabe", "_x", "a" * 255, "retry", "noop"])
def test_other_names_are_taken(name: str) -> None:
    assert accepted(workflow(task(name))).tasks[0].name == name


def test_an_empty_name_is_none() -> None:
    assert codes(workflow(task(""))) == ["VALUE_INVALID"]
    assert codes({**workflow(), "tasks": {"": {"action": "core.http"}}}) == ["TASK_NAME_INVALID"]


def test_in_a_map_the_key_is_the_name() -> None:
    named = {**workflow(), "tasks": {"a": task("a"), "b": {"name": "c", "action": "core.http"}}}
    found, findings = read(named)
    assert [finding.code for finding in findings] == ["TASK_NAME_DIFFERS"]
    assert [each.name for each in found.tasks] == ["a", "b"]


def test_a_task_needs_an_action_and_a_parallel_one_tasks() -> None:
    assert codes(workflow({"name": "a"})) == ["KEY_MISSING"]
    assert codes(workflow({"name": "a", "type": "workflow"})) == ["KEY_MISSING"]
    assert codes(workflow({"name": "a", "type": "parallel"})) == ["KEY_MISSING"]
    nothings: list[object] = [[], {}]
    for nothing in nothings:
        assert codes(workflow({"name": "a", "type": "parallel", "tasks": nothing})) == ["VALUE_INVALID"]
    for inside in ([task("b")], {"b": {"action": "core.http"}}):
        found = accepted(workflow({"name": "a", "type": "parallel", "tasks": inside}))
        assert [each.name for each in found.all_tasks()] == ["a", "b"]


def test_tasks_inside_another_keep_the_rules_too() -> None:
    inside = [task("b", on_success="gone", action="netops.gone"), task("a")]
    found, findings = read(workflow({"name": "a", "type": "parallel", "tasks": inside}))
    assert [finding.code for finding in findings] == [
        "ACTION_UNDEFINED",
        "TASK_NAME_DUPLICATE",
        "TASK_UNKNOWN",
    ]
    assert found.task_count == 3


def test_only_parallel_tasks_have_tasks_inside() -> None:
    assert codes(workflow(task("a", tasks=[task("b")]))) == ["TASKS_NOT_PARALLEL"]


@pytest.mark.parametrize(
    "ways",
    [
        {"next": [{"do": "b"}, {"publish": {"x": 1}}]},
        {"next": [{"do": "b"}, {"when": "", "do": "b"}]},
        {"decision": [{"next": "b", "default": True}, {"when": "x", "next": "b", "default": True}]},
        {"decision": [{"next": "b", "default": True}, {"next": "b"}]},
    ],
)
def test_there_is_one_default_branch_at_most(ways: dict[str, Any]) -> None:
    assert codes(workflow(task("a", **ways), task("b"))) == ["DEFAULT_NOT_UNIQUE"]


def test_one_default_branch_is_enough() -> None:
    ways = {
        "next": [{"do": "b"}, {"when": "<% failed() %>", "do": ["b"]}],
        "decision": [{"when": "x", "next": "b"}, {"when": "y", "next": "b"}, {"next": "b", "default": True}],
    }
    accepted(workflow(task("a", **ways), task("b")))


@pytest.mark.parametrize(
    ("retry", "code"),
    [
        ({"count": 0}, "VALUE_INVALID"),
        ({"count": 101}, "VALUE_INVALID"),
        ({"count": "3"}, "WRONG_TYPE"),
        ({"count": 1.5}, "WRONG_TYPE"),
        ({"count": True}, "WRONG_TYPE"),
        ({"delay": 3}, "KEY_MISSING"),
        ({"count": 3, "backoff": "quadratic"}, "VALUE_INVALID"),
        ({"count": 3, "delay": -1}, "VALUE_INVALID"),
        ({"count": 3, "jitter": 1}, "UNKNOWN_KEY"),
        (3, "WRONG_TYPE"),
    ],
)
def test_retries(retry: object, code: str) -> None:
    assert codes(workflow(task("a", retry=retry))) == [code]


@pytest.mark.parametrize("backoff", ["constant", "linear", "exponential"])
def test_retries_that_are_right(backoff: str) -> None:
    for count in (1, 100):
        retry = (
            accepted(workflow(task("a", retry={"count": count, "backoff": backoff, "delay": 0.5})))
            .tasks[0]
            .retry
        )
        assert retry is not None
        assert (retry.count, retry.backoff, retry.delay_s) == (count, backoff, 0.5)


_EXPRESSION = "or an expression, as in {{ vars.x }} or <% ctx(x) %>"
_COUNT = f"a whole number from 1 on, {_EXPRESSION}"
_SECONDS = f"a number of seconds from 0 on, {_EXPRESSION}"


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"timeout": "30s"}, f"'30s' and must be {_COUNT}"),
        ({"timeout": ""}, f"empty and must be {_COUNT}"),
        ({"timeout": "30"}, f"'30' and must be {_COUNT}: take the quotes off"),
        ({"timeout": "vars.x"}, f"'vars.x' and must be {_COUNT}"),
        ({"timeout": "{{ vars.x"}, f"'{{{{ vars.x' and must be {_COUNT}"),
        ({"timeout": "%> 3 <%"}, f"'%> 3 <%' and must be {_COUNT}"),
        ({"batch_size": "-3"}, f"'-3' and must be {_COUNT}"),
        ({"batch_size": 1.5}, f"1.5 and must be {_COUNT}"),
        ({"batch_size": "1.5"}, f"'1.5' and must be {_COUNT}"),
        ({"concurrency": "0"}, f"'0' and must be {_COUNT}"),
        ({"concurrency": 0}, f"0 and must be {_COUNT}"),
        ({"concurrency": True}, f"true and must be {_COUNT}"),
        ({"delay": "5m"}, f"'5m' and must be {_SECONDS}"),
        ({"delay": "1.5"}, f"'1.5' and must be {_SECONDS}: take the quotes off"),
        ({"delay": -1}, f"-1 and must be {_SECONDS}"),
        ({"retry": {"count": 1, "delay": "soon"}}, f"'soon' and must be {_SECONDS}"),
        ({"retry": {"count": 1, "max_delay": "9"}}, f"'9' and must be {_SECONDS}: take the quotes off"),
        ({"retry": {"count": "3"}}, "'3' and must be a whole number: take the quotes off"),
        ({"retry": {"count": "101"}}, "'101' and must be a whole number"),
        ({"join": "2"}, "'2' and must be 'all', or how many tasks are waited for: take the quotes off"),
    ],
)
def test_a_number_is_a_number_or_an_expression(fields: dict[str, Any], rule: str) -> None:
    (finding,) = read(workflow(task("a", **fields)))[1]
    assert finding.code in ("VALUE_INVALID", "WRONG_TYPE")
    assert finding.message.partition(" is ")[2] == rule


@pytest.mark.parametrize(
    "expression",
    ["<% ctx(n) %>", "{{ vars.n }}", "{{\n  vars.n\n}}", "1{{ zeros }}", "{% if x %}1{% else %}2{% endif %}"],
)
def test_expressions_are_taken_for_numbers(expression: str) -> None:
    numbers = dict.fromkeys(("timeout", "batch_size", "concurrency", "delay"), expression)
    accepted(workflow(task("a", **numbers, retry={"count": 1, "delay": expression, "max_delay": expression})))

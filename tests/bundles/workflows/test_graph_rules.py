from __future__ import annotations

from typing import Any

import pytest

from tests.bundles.workflows.written import accepted, codes, read, task, workflow


def unreached(*tasks: dict[str, Any]) -> list[tuple[str, int | None]]:
    found, findings = read(workflow(*tasks))
    assert not found.valid
    assert {finding.code for finding in findings} == {"TASK_UNREACHABLE"}
    return [(finding.message.split("'")[1], finding.line) for finding in findings]


def test_tasks_that_nothing_leads_to_start_by_themselves() -> None:
    accepted(workflow(task("a"), task("b"), task("c", on_success=["d"]), task("d")))


def test_a_loop_is_allowed_where_something_leads_into_it() -> None:
    accepted(workflow(task("start", on_success="a"), task("a", on_success="b"), task("b", on_failure="a")))
    accepted(workflow(task("start", on_success="again"), task("again", on_failure="again")))


def test_a_loop_that_nothing_leads_into_is_not_reached() -> None:
    loop = (task("a", on_success="b"), task("b", on_failure=["a", "c"]), task("c"))
    assert unreached(task("start"), *loop) == [("a", 6), ("b", 9), ("c", 14)]


def test_where_every_task_follows_another_none_starts() -> None:
    assert codes(workflow(task("a", on_success="b"), task("b", on_success="a"))) == ["NO_START_TASK"]


def test_a_task_that_names_only_itself_starts() -> None:
    accepted(workflow(task("a", on_failure="a")))
    accepted(workflow(task("a", on_failure="a", on_success="b"), task("b", next=[{"do": "b"}])))


@pytest.mark.parametrize(
    "way",
    [
        {"on_success": "b"},
        {"on_failure": ["b"]},
        {"on_timeout": "b"},
        {"on_complete": "b"},
        {"next": [{"when": "x", "do": "b"}]},
        {"decision": [{"when": "x", "next": ["b"]}]},
    ],
)
def test_every_way_of_writing_a_transition_counts(way: dict[str, Any]) -> None:
    tasks = (task("a", **way), task("b", on_success="c"), task("c", on_success="b"))
    accepted(workflow(*tasks))
    assert unreached(task("a"), *tasks[1:]) == [("b", 6), ("c", 9)]


def test_tasks_inside_a_parallel_one_are_reached_through_it() -> None:
    inside = [task("b", on_success="c"), task("c", on_success="b")]
    accepted(workflow({"name": "a", "type": "parallel", "tasks": inside}))


def test_a_task_without_a_name_does_not_hide_who_is_named_twice_or_not_at_all() -> None:
    document = workflow({"action": "core.http", "on_success": ["b", ""]}, task("b", on_success="gone"))
    assert codes(document) == ["KEY_MISSING", "VALUE_INVALID", "TASK_UNKNOWN", "TASK_UNKNOWN"]

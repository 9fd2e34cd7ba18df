"""Files that are made to be wrong: none raises, each is told of, and all are read in bounded time."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles.findings import KEPT_FINDINGS, FindingLog
from longshore_bundles.workflows import differences, parsed_form, read_workflows, task_summary
from tests.bundles.workflows.written import (
    HEAD,
    PACK,
    accepted,
    codes,
    read,
    read_pack,
    task,
    workflow,
    written,
)

MANY = 10_000
WRONG: list[object] = [
    None,
    True,
    5,
    -1.5,
    "",
    "text",
    [],
    [None],
    [[1]],
    {},
    {"": None},
    {"a": {"b": []}},
    [{"a": 1}],
]
HEAD_KEYS = [
    *("ref", "label", "version", "description", "tags", "enabled", "vars", "parameters", "output"),
    *("output_map", "tasks", "input"),
]
TASK_KEYS = [
    *("name", "type", "description", "action", "input", "when", "delay", "with_items", "batch_size"),
    *("concurrency", "timeout", "retry", "publish", "join", "next", "decision", "on_success", "on_failure"),
    *("on_timeout", "on_complete", "tasks", "with"),
]
RETRY_KEYS = ["count", "delay", "backoff", "max_delay", "when"]
NEXT_KEYS = ["when", "publish", "do"]


def walk(data: bytes) -> None:
    """Read it in every way there is, and take out what there is to take."""
    log = FindingLog()
    workflows = read_workflows({"workflows/deploy.yaml": data}, PACK, (), log)
    metadata = written({"name": "deploy", "runner_type": "orquesta", "entry_point": "workflows/deploy.yaml"})
    actions, _ = read_pack({"actions/deploy.yaml": metadata, "actions/workflows/deploy.yaml": data})
    for found in (*workflows, *actions):
        assert len(task_summary(found)) == found.task_count
        assert parsed_form(found)["label"] == found.label
    differences(workflows, actions)
    for finding in log.findings():
        finding.message.encode()
        assert len(finding.message) < 2_000


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_every_value_at_every_field(value: object) -> None:
    orquesta = {"version": 1.0, "tasks": {"a": {"action": "core.http"}}}
    for key in HEAD_KEYS:
        walk(written(workflow(**{key: value})))
        walk(written({**orquesta, key: value}))
    for key in TASK_KEYS:
        walk(written(workflow({**task("a"), key: value})))
        walk(written({**orquesta, "tasks": {"a": {"action": "core.http", key: value}}}))
    for key in RETRY_KEYS:
        walk(written(workflow(task("a", retry={"count": 1, key: value}))))
    for key in NEXT_KEYS:
        walk(written(workflow(task("a", next=[{"when": "x", key: value}]))))
        walk(written({**orquesta, "tasks": {"a": {"next": [{key: value}]}}}))
    walk(written(value))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"\x00",
        b"tasks:\n\t- a",
        b"label: [" * 40_000,
        b"a: &a [*a]",
        b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(b"a%d: &a%d [*a]\n" % (n, n) for n in range(9)),
        b"--- a\n--- b\n",
        b"!!python/object/apply:os.system [id]",
        b"label: x\nlabel: y\n",
        b"? [a]\n: b\n",
        b"tasks: {<<: *nothing}",
    ],
)
def test_what_is_no_document(data: bytes) -> None:
    walk(data)
    assert not read(data)[0].valid


@given(st.binary(max_size=400))
def test_random_bytes_are_never_too_much(data: bytes) -> None:
    walk(data)


@settings(max_examples=60)
@given(st.data())
def test_a_file_with_a_few_bytes_changed_is_never_too_much(data: st.DataObject) -> None:
    text = bytearray(written(workflow(task("a", on_success=["b"], retry={"count": 3}), task("b"))))
    for _ in range(data.draw(st.integers(1, 6))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(
            st.sampled_from(b"\x00\t\n {}[]:,-&*!|>'\"%@`a1\xff")
        )
    walk(bytes(text))


def chain(count: int, **last: Any) -> list[dict[str, Any]]:
    """Tasks one after the other, with short names: a file may be 1 MiB large."""
    tasks = [{"name": f"t{n}", "action": "c.h", "on_success": f"t{n + 1}"} for n in range(count)]
    tasks[-1].pop("on_success")
    tasks[-1].update(last)
    return tasks


def flow(tasks: list[dict[str, Any]]) -> bytes:
    """Written shortly."""
    lines = ["  - {" + ", ".join(f"{key}: {value}" for key, value in each.items()) + "}" for each in tasks]
    return written(HEAD) + "\n".join(["tasks:", *lines]).encode()


def test_ten_thousand_tasks_one_after_the_other() -> None:
    tasks = chain(MANY)
    random.Random(1).shuffle(tasks)
    found = accepted(flow(tasks))
    assert found.task_count == MANY


def test_ten_thousand_tasks_in_a_ring() -> None:
    assert codes(flow(chain(MANY, on_success="t0"))) == ["NO_START_TASK"]


def test_ten_thousand_tasks_that_nothing_leads_to() -> None:
    log = FindingLog()
    data = flow([{"name": "start", "action": "c.h"}, *chain(MANY, on_success="t0")])
    read_workflows({"workflows/deploy.yaml": data}, PACK, (), log)
    assert log.total == MANY
    assert {finding.code for finding in log.findings()} == {"TASK_UNREACHABLE"}
    assert len(log.findings()) == KEPT_FINDINGS


def test_tasks_as_deep_in_each_other_as_a_document_can_be() -> None:
    inner: dict[str, Any] = task("t0")
    for depth in range(1, 24):
        inner = {"name": f"t{depth}", "type": "parallel", "tasks": [inner]}
    assert accepted(workflow(inner)).task_count == 24
    for depth in range(24, 40):
        inner = {"name": f"t{depth}", "type": "parallel", "tasks": [inner]}
    assert codes(workflow(inner)) == ["DOCUMENT_TOO_DEEP"]

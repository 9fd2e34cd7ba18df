"""Which files are workflows, what they are called, and what stands beside the tasks."""

from __future__ import annotations

from hashlib import sha256

import pytest

from longshore_bundles.findings import FindingLog, Severity
from longshore_bundles.workflows import read_workflows
from longshore_bundles.workflows.model import Backoff, Outcome, Retry, Task, TaskType, Transition, Workflow
from tests.bundles.workflows.written import (
    HEAD,
    PACK,
    accepted,
    codes,
    read,
    read_files,
    task,
    workflow,
    written,
)

WHOLE = b"""\
ref: netops.deploy
label: Rolling restart
version: 1.0.0
description: One node after the other.
tags: [ops, nodes]
enabled: false
vars: {left: 3}
parameters: {type: object, properties: {nodes: {type: array}}}
output: {type: object}
output_map: {left: "{{ vars.left }}"}
tasks:
  - name: drain
    action: netops.drain
    description: Sends the traffic elsewhere.
    input: {url: "https://x", deep: [1, {a: null}]}
    when: "{{ vars.left }}"
    delay: 1.5
    with_items: "{{ parameters.nodes }}"
    batch_size: 2
    concurrency: "{{ vars.left }}"
    timeout: 60
    retry: {count: 3, delay: 5, backoff: linear, max_delay: 30, when: "x"}
    publish: [{a: 1}, {b: 2}]
    on_success: both
    on_complete: [last]
    next: [{when: "x", publish: {c: 3}, do: last}, {do: [both, last]}]
    decision: [{when: "y", next: last}, {next: both, default: true}]
  - name: both
    type: parallel
    tasks:
      left: {action: core.http}
      right: {action: netops.deploy, type: workflow}
  - {name: last, action: core.http, join: all, with_items: [1, 2]}
"""


def test_everything_that_can_be_written_is_read() -> None:
    assert accepted(WHOLE) == Workflow(
        name="deploy",
        ref="netops.deploy",
        path="workflows/deploy.yaml",
        sha256=sha256(WHOLE).hexdigest(),
        valid=True,
        label="Rolling restart",
        version="1.0.0",
        description="One node after the other.",
        tags=("ops", "nodes"),
        enabled=False,
        vars={"left": 3},
        parameters={"type": "object", "properties": {"nodes": {"type": "array"}}},
        output={"type": "object"},
        output_map={"left": "{{ vars.left }}"},
        tasks=(
            Task(
                name="drain",
                description="Sends the traffic elsewhere.",
                action="netops.drain",
                input={"url": "https://x", "deep": [1, {"a": None}]},
                when="{{ vars.left }}",
                delay_s=1.5,
                with_items="{{ parameters.nodes }}",
                batch_size=2,
                concurrency="{{ vars.left }}",
                timeout_s=60,
                retry=Retry(3, 5, Backoff.LINEAR, 30, "x"),
                publish=(("a", 1), ("b", 2)),
                transitions=(
                    Transition(("both",), Outcome.SUCCESS),
                    Transition(("last",), Outcome.COMPLETE),
                    Transition(("last",), when="x", publish=(("c", 3),)),
                    Transition(("both", "last")),
                    Transition(("last",), when="y", exclusive=True),
                    Transition(("both",), exclusive=True, default=True),
                ),
            ),
            Task(
                name="both",
                type=TaskType.PARALLEL,
                tasks=(
                    Task("left", action="core.http"),
                    Task("right", TaskType.WORKFLOW, action="netops.deploy"),
                ),
            ),
            Task(name="last", action="core.http", join="all", with_items=[1, 2]),
        ),
    )


def test_tasks_may_be_a_list_or_a_map() -> None:
    tasks = [task("b", on_success="a"), task("a")]
    as_map = {each["name"]: {key: each[key] for key in each if key != "name"} for each in tasks}
    assert accepted(workflow(*tasks)).tasks == accepted({**HEAD, "tasks": as_map}).tasks


@pytest.mark.parametrize(
    "change", [lambda data: b"\xef\xbb\xbf" + data, lambda data: data.replace(b"\n", b"\r\n")]
)
def test_a_byte_order_mark_and_other_line_ends_change_nothing(change: object) -> None:
    assert callable(change)
    changed = change(WHOLE)
    found = accepted(changed)
    assert found.sha256 == sha256(changed).hexdigest()
    assert found.tasks == accepted(WHOLE).tasks


def test_files_elsewhere_are_passed_over() -> None:
    files = {
        "pack.yaml": b"-",
        "actions/a.yaml": b"-",
        "workflows/README.md": b"-",
        "a/workflows/x.yaml": b"-",
    }
    assert read_files(files) == ((), ())


@pytest.mark.parametrize("path", ["workflows/more/deploy.yaml", "workflows/deploy.YAML"])
def test_a_workflow_that_is_not_read_is_told_of(path: str) -> None:
    workflows, findings = read_files({path: written(workflow())})
    assert workflows == ()
    assert [(finding.code, finding.severity, finding.path) for finding in findings] == [
        ("WORKFLOW_FILE_IGNORED", Severity.WARNING, path)
    ]


@pytest.mark.parametrize(
    "pair",
    [
        ("workflows/deploy.yaml", "workflows/deploy.yml"),
        ("workflows/deploy.yaml", "workflows/Deploy.yaml"),
        ("workflows/DEPLOY.yml", "workflows/deploy.yaml"),
    ],
)
def test_two_files_of_one_name_are_both_invalid(pair: tuple[str, str]) -> None:
    data = written(workflow())
    workflows, findings = read_files({pair[0]: data, "workflows/other.yaml": data, pair[1]: data})
    assert [(found.path, found.valid) for found in workflows] == sorted(
        [(pair[0], False), (pair[1], False), ("workflows/other.yaml", True)]
    )
    assert sorted((finding.code, finding.path) for finding in findings) == sorted(
        ("WORKFLOW_NAME_NOT_UNIQUE", path) for path in pair
    )


@pytest.mark.parametrize("name", ["-rf", "--help", ".hidden", "a b", "a\nb", "é", "", "..", "a" * 255])
def test_a_name_is_no_path_and_no_option(name: str) -> None:
    (found,), findings = read_files({f"workflows/{name}.yaml": written(workflow())})
    assert [finding.code for finding in findings] == ["WORKFLOW_NAME_INVALID"]
    assert (found.name, found.valid) == (name, False)


@pytest.mark.parametrize("name", ["deploy", "Deploy-2", "_x", "a.b", "1", "a" * (255 - len(PACK) - 1)])
def test_other_names_make_a_ref(name: str) -> None:
    assert read(workflow(), f"workflows/{name}.yml")[0].ref == f"netops.{name}"


def test_a_ref_must_be_the_files() -> None:
    assert accepted(workflow(ref="netops.deploy")).ref == "netops.deploy"
    for wrong in ("deploy", "netops.other", "dns.deploy", ""):
        found, findings = read(workflow(ref=wrong))
        assert [finding.code for finding in findings] == ["REF_WRONG"]
        assert found.ref == "netops.deploy"


def test_what_is_required() -> None:
    assert codes({}) == ["KEY_MISSING"] * 3
    for key in ("label", "version", "tasks"):
        document = {name: value for name, value in workflow().items() if name != key}
        assert codes(document) == ["KEY_MISSING"]


@pytest.mark.parametrize(("key", "most"), [("label", 255), ("version", 50)])
def test_lengths(key: str, most: int) -> None:
    accepted(workflow(**{key: "é" * most}))
    assert codes(workflow(**{key: "é" * (most + 1)})) == ["VALUE_INVALID"]
    assert codes(workflow(**{key: ""})) == ["VALUE_INVALID"]


def test_unknown_keys_are_warnings() -> None:
    found, findings = read(workflow(task("a", timeuot=3), labbel="x"))
    assert found.valid
    assert {(finding.code, finding.severity) for finding in findings} == {("UNKNOWN_KEY", Severity.WARNING)}
    assert len(findings) == 2


@pytest.mark.parametrize("key", ["parameters", "output"])
def test_json_schemas_are_held_against_their_own(key: str) -> None:
    accepted(workflow(**{key: {"type": "object", "$ref": "http://127.0.0.1:1/never-fetched"}}))
    data = written(HEAD) + f"{key}:\n  type: object\n  properties:\n    a: {{type: text}}\n".encode()
    _, findings = read(data + b"tasks: [{name: a, action: core.http}]\n")
    assert [(finding.code, finding.line) for finding in findings] == [("JSON_SCHEMA_INVALID", 6)]
    for wrong in ({"pattern": "("}, {"required": True}, {"properties": {"a": 5}}, {"minimum": "1"}):
        assert codes(workflow(**{key: wrong})) == ["JSON_SCHEMA_INVALID"]


def test_workflows_of_the_pack_count_as_its_actions() -> None:
    files = {
        "workflows/one.yaml": written(workflow(task("a", action="netops.two"))),
        "workflows/two.yml": b"[",
    }
    (one, two), findings = read_files(files)
    assert one.valid
    assert not two.valid
    assert [finding.path for finding in findings] == ["workflows/two.yml"]


def test_no_finding_stops_another() -> None:
    broken = written(workflow(task("a", action="nothing"), task("a"), on="x", label=5))
    workflows, findings = read_files(
        {f"workflows/w{n:02}.yaml": broken for n in range(20)} | {"workflows/x.yml": b""}
    )
    assert len(workflows) == 21
    assert len(findings) == 20 * 4 + 1
    assert all(finding.line for finding in findings if finding.path != "workflows/x.yml")


def test_more_findings_than_are_kept_are_counted() -> None:
    tasks = [task("a", action="nothing") for _ in range(800)]
    files = {f"workflows/w{n}.yaml": written(workflow(*tasks)) for n in range(2)}
    log = FindingLog()
    assert not any(found.valid for found in read_workflows(files, PACK, (), log))
    assert log.total == 2 * (800 + 799)

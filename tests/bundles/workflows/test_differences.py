from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from longshore_bundles.workflows import TaskChange, Workflow, WorkflowChange, differences
from tests.bundles.workflows.written import PACK, read_files, task, workflow, written


def release(**documents: Any) -> tuple[Workflow, ...]:
    files = {
        f"workflows/{name}.yaml": document if isinstance(document, bytes) else written(document)
        for name, document in documents.items()
    }
    return read_files(files)[0]


def change(old: Any, new: Any) -> WorkflowChange:
    found = differences(release(a=old), release(a=new))
    assert (found.added, found.removed) == ((), ())
    (only,) = found.changed
    return only


def test_nothing_changed() -> None:
    found = differences(release(a=workflow(), b=b"["), release(a=workflow(), b=b"["))
    assert not found
    assert not differences((), ())


def test_what_came_and_went_in_the_order_of_names() -> None:
    old = release(c=workflow(), a=workflow(), b=workflow())
    new = release(e=workflow(), b=workflow(), d=workflow())
    found = differences(old, new)
    assert found
    assert [each.ref for each in found.added] == [f"{PACK}.d", f"{PACK}.e"]
    assert [each.ref for each in found.removed] == [f"{PACK}.a", f"{PACK}.c"]
    assert found.changed == ()
    turned = differences(new, old)
    assert (turned.added, turned.removed) == (found.removed, found.added)


def test_fields_and_tasks_that_changed() -> None:
    old = workflow(task("a", on_success="b", timeout=3), task("b", input={"x": 1}), task("c"), version="1")
    new = workflow(
        task("a", on_success="b"), task("b", input={"x": 2}, when="y"), task("d"), version="2", tags=["t"]
    )
    found = change(old, new)
    assert found.fields == ("version", "tags")
    assert found.tasks_added == ("d",)
    assert found.tasks_removed == ("c",)
    assert found.tasks_changed == (TaskChange("a", ("timeout",)), TaskChange("b", ("input", "when")))


def test_tasks_inside_others_are_compared_themselves() -> None:
    def parallel(*inside: dict[str, Any]) -> dict[str, Any]:
        return workflow({"name": "p", "type": "parallel", "tasks": list(inside)})

    found = change(parallel(task("a"), task("b")), parallel(task("a", timeout=1), task("b")))
    assert found.tasks_changed == (TaskChange("a", ("timeout",)),)
    found = change(parallel(task("a")), parallel(task("a"), task("b")))
    assert found.tasks_added == ("b",)
    assert found.tasks_changed == (TaskChange("p", ("tasks",)),)


@pytest.mark.parametrize(
    "way", ["as JSON", "with a comment", "in another order", "as a map", "in sorted keys"]
)
def test_what_means_the_same_is_told_apart(way: str) -> None:
    document = workflow(task("a", on_success="b", input={"x": 1, "y": 2}), task("b"))
    as_map = {each["name"]: {key: each[key] for key in each if key != "name"} for each in document["tasks"]}
    other = {
        "as JSON": json.dumps(document).encode(),
        "with a comment": b"# new\n" + written(document),
        "in another order": {**document, "tasks": document["tasks"][::-1]},
        "as a map": {**document, "tasks": as_map},
        "in sorted keys": yaml.safe_dump(document, sort_keys=True).encode(),
    }[way]
    found = change(document, other)
    assert found == WorkflowChange(found.old, found.new, (), (), (), ())


def test_true_is_not_one() -> None:
    found = change(workflow(task("a", input={"x": True})), workflow(task("a", input={"x": 1})))
    assert found.tasks_changed == (TaskChange("a", ("input",)),)


def test_one_that_became_invalid() -> None:
    found = change(workflow(task("a")), workflow(task("a", on_success="gone")))
    assert found.fields == ("valid",)
    assert found.tasks_changed == (TaskChange("a", ("on_success",)),)
    assert change(workflow(task("a")), b"[").tasks_removed == ("a",)

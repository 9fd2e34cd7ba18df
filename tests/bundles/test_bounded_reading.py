"""What is read stays within bounds of work, whatever a bundle's files hold. Counted, not timed."""

from __future__ import annotations

from typing import Any

import pytest

from longshore_bundles import FindingLog
from longshore_bundles.bundle_files import BundleFile, BundleFiles
from longshore_bundles.bundle_reading import Bundle, read_bundle
from longshore_bundles.component import read_component_manifest
from longshore_bundles.documents import MAX_VALUES, Document, ReadingBudget, budget, read_yaml
from longshore_bundles.findings import KEPT_FINDINGS
from longshore_bundles.schemas import PACK, WORKFLOW, check_shape
from longshore_bundles.schemas.bounded_errors import MAX_CHECKED_VALUES, errors_in
from tests.bundles.sample_bundles import PACK_YAML
from tests.bundles.sample_bundles import WORKFLOW as ROLL

_TASK = {"name": "a", "action": "core.http"}


def read(files: dict[str, bytes]) -> tuple[Bundle, list[tuple[str, str]]]:
    kept, log = BundleFiles(), FindingLog()
    for path, content in files.items():
        kept.add(path, BundleFile(content))
    bundle = read_bundle(kept, log)
    return bundle, [(each.code, each.path) for each in log.findings()]


def codes(document: str) -> list[str]:
    log = FindingLog()
    assert read_yaml(document.encode(), "x", log) is None
    return [each.code for each in log.findings()]


def test_aliases_of_a_long_text_are_counted_in_characters() -> None:
    assert codes(f"a: &a {'x' * (1 << 19)}\nb: [{'*a, ' * 8}]\n") == ["DOCUMENT_TOO_COMPLEX"]


def test_aliases_of_long_keys_are_counted_in_characters() -> None:
    key = "k" * 1000
    mapping = ", ".join(f"{key}{n}: 1" for n in range(500))
    assert codes(f"a: &a {{{mapping}}}\nb: [{'*a, ' * 10}]\n") == ["DOCUMENT_TOO_COMPLEX"]


def test_what_is_merged_again_and_again_is_counted_each_time() -> None:
    lines = ["m0: &m0 {" + ", ".join(f"k{n}: {n}" for n in range(1000)) + "}"]
    lines += [f"m{n}: &m{n} {{<<: *m0, x{n}: 1}}" for n in range(1, 200)]
    assert codes("\n".join(lines)) == ["DOCUMENT_TOO_COMPLEX"]


def test_the_documents_of_a_bundle_share_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MAX_BUNDLE_VALUES", 30)
    bundle, found = read(
        {"pack.yaml": PACK_YAML, **{f"workflows/w{n}.yaml": ROLL.replace(b"netops", b"x") for n in range(6)}}
    )
    valid = [workflow.valid for workflow in bundle.workflows]
    assert valid == sorted(valid, reverse=True)
    assert set(valid) == {True, False}
    assert found == [("DOCUMENT_TOO_COMPLEX", each.path) for each in bundle.workflows if not each.valid]


def test_one_definition_of_many_actions_is_counted_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    definition = b"version: 1.0\ntasks: {a: {action: core.noop}}\n#" + b"x" * 1000
    monkeypatch.setattr(budget, "MAX_BUNDLE_CHARACTERS", 5000)
    metadata = {
        f"actions/a{n}.yaml": b"runner_type: orquesta\nentry_point: workflows/w.yaml\n" for n in range(10)
    }
    bundle, found = read({"pack.yaml": PACK_YAML, **metadata, "actions/workflows/w.yaml": definition})
    assert len(bundle.workflows) == 10
    assert 1 <= sum(workflow.valid for workflow in bundle.workflows) <= 4
    assert ("DOCUMENT_TOO_COMPLEX", "actions/workflows/w.yaml") in found


def test_a_document_that_cannot_be_read_is_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"x: [1, 2\n" + b"#" * 1000
    monkeypatch.setattr(budget, "MAX_BUNDLE_CHARACTERS", 2 * len(text))
    shared, log = ReadingBudget(), FindingLog()
    for _ in range(3):
        assert read_yaml(text, "x", log, budget=shared) is None
    assert [each.code for each in log.findings()] == ["YAML_INVALID", "YAML_INVALID", "DOCUMENT_TOO_COMPLEX"]


@pytest.mark.parametrize(
    "toml",
    [
        "a." * 50_000 + "a = 1",
        '"\u2028".' * 50_000 + "a = 1",
        "[" + "a." * 5_000 + "a]\n" + "".join(f"k{n} = 1\n" for n in range(5_000)),
        "x = {" + "a." * 50_000 + "a = 1}",
    ],
    ids=["key", "quoted", "header", "inline"],
)
def test_dotted_keys_of_toml_are_not_left_to_a_parser_that_takes_their_square(toml: str) -> None:
    log = FindingLog()
    read_component_manifest({"pyproject.toml": toml.encode()}, log)
    assert [each.code for each in log.findings()] == ["MANIFEST_INVALID"]
    assert "too many dots" in log.findings()[0].message


def test_honest_toml_may_have_many_dots() -> None:
    needs = ", ".join(f'"package{n}>=1.{n}.0"' for n in range(400))
    dots = "..." * 400
    text = f'[project]\nname = "x"\nversion = "1.0.0"\ndependencies = [{needs}]\nx = """\n{dots}\n"""\n'
    log = FindingLog()
    manifest = read_component_manifest({"pyproject.toml": text.encode()}, log)
    assert manifest is not None
    assert (manifest.project, log.findings()) == ("x", ())


def shape_of(value: Any, schema: dict[str, Any]) -> tuple[bool, FindingLog]:
    log = FindingLog()
    return check_shape(Document(value, "x", lambda: 1), schema, log), log


def flow(tasks: list[Any]) -> dict[str, Any]:
    return {"label": "x", "version": "1", "tasks": tasks}


def test_a_flood_of_errors_is_made_of_the_beginning_only() -> None:
    from jsonschema_rs import Draft202012Validator

    validator = Draft202012Validator(WORKFLOW)
    errors = errors_in(validator, flow([1] * MAX_VALUES))
    assert not errors.complete
    assert 1000 < len(errors.found) <= MAX_CHECKED_VALUES
    deep: Any = [1] * 10_000
    for _ in range(20):
        deep = {"k" * 10_000: deep}
    errors = errors_in(Draft202012Validator({"$defs": {"x": {"items": {"type": "string"}}}}), deep)
    assert errors.found == []
    any_depth: dict[str, Any] = {
        "type": ["object", "array", "string"],
        "additionalProperties": {"$ref": "#"},
        "items": {"$ref": "#"},
    }
    errors = errors_in(Draft202012Validator(any_depth), deep)
    assert sum(len(str(each.instance_path)) for each in errors.found) < 200 * MAX_CHECKED_VALUES


def test_what_is_wrong_behind_the_beginning_is_told_too() -> None:
    tasks: list[Any] = [_TASK] * MAX_CHECKED_VALUES
    assert shape_of(flow(tasks), WORKFLOW)[0]
    fits, log = shape_of(flow([*tasks, 7]), WORKFLOW)
    assert (fits, [each.code for each in log.findings()]) == (False, ["WRONG_TYPE"])
    fits, log = shape_of(flow([{**_TASK, "x": 1}, *tasks, 7]), WORKFLOW)
    assert (fits, [each.code for each in log.findings()]) == (False, ["WRONG_TYPE", "UNKNOWN_KEY"])
    fits, log = shape_of(flow([{**_TASK, "x": 1}, *tasks]), WORKFLOW)
    assert (fits, [each.code for each in log.findings()]) == (True, ["UNKNOWN_KEY"])


def test_what_is_cut_short_is_not_wrong_for_that() -> None:
    task = {**_TASK, "input": dict.fromkeys(map(str, range(MAX_CHECKED_VALUES)), 1)}
    late = {"input": task["input"], **_TASK}
    fits, log = shape_of(flow([late, {**_TASK, "retry": 1}]), WORKFLOW)
    assert (fits, [each.code for each in log.findings()]) == (False, ["WRONG_TYPE"])


def test_thousands_of_unknown_keys_are_warnings() -> None:
    good = {"ref": "a", "label": "x", "description": "x", "version": "1.0.0"}
    fits, log = shape_of({**dict.fromkeys(map(str, range(50_000)), 1), **good}, PACK)
    assert fits
    assert len(log.findings()) == KEPT_FINDINGS


def test_a_large_configuration_schema_is_checked_to_its_end() -> None:
    properties = "".join(f"    p{n}: {{type: string}}\n" for n in range(MAX_CHECKED_VALUES))
    schema = PACK_YAML + f"conf_schema:\n  properties:\n{properties}    last: {{type: 7}}\n".encode()
    assert read({"pack.yaml": schema})[1] == [("JSON_SCHEMA_INVALID", "pack.yaml")]

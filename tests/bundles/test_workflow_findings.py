"""What is found about workflows is kept apart from the rest, and never crowded out by it."""

from __future__ import annotations

import pytest

from longshore_bundles import BundleScan, FindingLog, Severity
from longshore_bundles import bundle_files as bundle_files_module
from longshore_bundles.findings import KEPT_FINDINGS
from longshore_bundles.workflows import read_all_workflows
from tests.bundles.sample_bundles import PACK, WORKFLOW, scanned
from tests.bundles.trees import File, Tree

METADATA = b"name: roll\nrunner_type: orquesta\nentry_point: workflows/roll.yaml\n"
ORQUESTA = b"version: 1.0\ntasks:\n  a: {action: netops.restart}\n"


def errors(found: BundleScan) -> list[tuple[str, str]]:
    told = [(each.code, each.path) for each in found.workflow_findings if each.severity is Severity.ERROR]
    assert len(told) == found.workflow_error_count
    assert set(found.workflow_findings) <= set(found.findings)
    return told


def pack(**more: bytes) -> Tree:
    return {**PACK, **{path.replace("__", "/") + ".yaml": File(data) for path, data in more.items()}}


def test_nothing_is_told_of_a_good_pack() -> None:
    assert errors(scanned(PACK)) == []


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        (METADATA.replace(b"roll.yaml", b"gone.yaml"), "ENTRY_POINT_MISSING"),
        (METADATA + b"\t", "YAML_INVALID"),
        (METADATA.replace(b"roll", b"restart", 1), "NAME_DUPLICATE"),
        (METADATA.replace(b"roll", b"a/b", 1), "INVALID_NAME_FORMAT"),
    ],
)
def test_what_is_wrong_in_an_actions_metadata_is_told(metadata: bytes, code: str) -> None:
    tree = pack(actions__s=metadata, actions__workflows__roll=ORQUESTA)
    assert errors(scanned(tree)) == [(code, "actions/s.yaml")]


def test_one_name_in_both_forms_is_told() -> None:
    tree = pack(actions__s=METADATA, actions__workflows__roll=ORQUESTA)
    found = scanned(tree)
    assert errors(found) == [("WORKFLOW_NAME_NOT_UNIQUE", "actions/workflows/roll.yaml")]
    assert [(each.path, each.valid) for each in found.workflows] == [("workflows/roll.yaml", True)]


def test_a_pack_that_is_too_large_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_files_module, "MAX_KEPT_FILES", 6)
    tree = pack(**{f"workflows__{number}": WORKFLOW for number in range(6)})
    assert ("PACK_TOO_LARGE", "workflows/0.yaml") in errors(scanned(tree))


@pytest.mark.parametrize(
    ("pack_yaml", "code"), [(b"\xff", "DOCUMENT_NOT_UTF8"), (b"[]", "WRONG_TYPE"), (b"ref: Net Ops!\n", "")]
)
def test_an_unreadable_manifest_is_told_and_makes_every_workflow_invalid(pack_yaml: bytes, code: str) -> None:
    found = scanned({**PACK, "pack.yaml": File(pack_yaml)})
    assert (code or "INVALID_NAME_FORMAT", "pack.yaml") in errors(found)
    assert [each.valid for each in found.workflows] == [False]


def test_a_workflow_of_a_pack_without_a_ref_does_not_carry_what_stands_in_its_place() -> None:
    found = scanned({**PACK, "pack.yaml": File(b"ref: " + b"A" * 5_000)})
    assert [(each.valid, len(each.ref)) for each in found.workflows] == [(False, 105)]


def test_a_workflow_that_nobody_could_find_is_told_and_not_listed() -> None:
    folder = "/".join(["d" * 200] * 3)
    metadata = METADATA.replace(b"roll.yaml", folder.encode() + b"/x.yaml").replace(b"roll", b"deep", 1)
    tree = pack(actions__deep=metadata, **{f"actions__workflows__{folder}__x": ORQUESTA})
    found = scanned(tree)
    assert [code for code, _ in errors(found)] == ["WORKFLOW_NAME_INVALID"]
    assert [each.name for each in found.workflows] == ["roll"]


def test_workflows_whose_long_names_begin_alike_are_not_listed() -> None:
    log = FindingLog()
    names = [b"x" * 300 + end for end in (b"a", b"b")]
    metadata = {
        f"actions/{number}.yaml": METADATA.replace(b"roll", name, 1) for number, name in enumerate(names)
    }
    files = {**metadata, "actions/workflows/roll.yaml": ORQUESTA}
    assert read_all_workflows(files, "netops", (), log) == ()
    assert {each.code for each in log.findings()} == {"WORKFLOW_NAME_INVALID"}


def test_what_else_is_wrong_with_a_pack_is_not_about_its_workflows() -> None:
    found = scanned(
        {**PACK, "pack.yaml": File(b"ref: netops\nversion: 1\n"), "sensors/bad.yaml": File(b"\xff")}
    )
    assert (errors(found), found.has_errors) == ([], True)


def test_other_findings_do_not_crowd_them_out() -> None:
    flood = b"".join(b"k: 1\n" for _ in range(2 * KEPT_FINDINGS))
    bad = b"label: x\nversion: 1.0.0\ntasks:\n" + b"  - {name: a, action: x.y, on_failure: gone}\n" * 2
    tree = pack(sensors__flood=flood, workflows__bad=bad)
    found = scanned(tree)
    assert len(found.findings) == KEPT_FINDINGS
    assert {each.path for each in found.findings} != {each.path for each in found.workflow_findings}
    told = [each.code for each in found.workflow_findings]
    assert told.count("TASK_UNKNOWN") == 2
    assert found.workflow_error_count == len(told)


def test_errors_are_counted_that_are_not_kept() -> None:
    flood = WORKFLOW + b"".join(b"label: x\n" for _ in range(2 * KEPT_FINDINGS))
    found = scanned(pack(workflows__flood=flood))
    assert len(found.workflow_findings) == KEPT_FINDINGS
    assert found.workflow_error_count == 2 * KEPT_FINDINGS


def test_files_of_both_forms_call_each_other() -> None:
    log = FindingLog()
    files = {
        "workflows/own.yaml": WORKFLOW.replace(b"restart", b"roll"),
        "actions/roll.yaml": METADATA,
        "actions/workflows/roll.yaml": ORQUESTA.replace(b"restart", b"own"),
    }
    read = read_all_workflows(files, "netops", (), log)
    assert [(each.name, each.valid) for each in read] == [("own", True), ("roll", True)]
    assert not log.has_errors

"""The schemas are valid, and what does not fit them is told in our own words with its line."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles.documents import Document, read_yaml
from longshore_bundles.findings import KEPT_FINDINGS, Finding, FindingLog
from longshore_bundles.schemas import INDEX, PACK, SKILL_FRONT_MATTER, WORKFLOW, check_shape

SCHEMAS = [INDEX, PACK, SKILL_FRONT_MATTER, WORKFLOW]


def check(text: str, schema: dict[str, Any]) -> list[Finding]:
    log = FindingLog()
    document = read_yaml(text.encode(), "x.yaml", log)
    assert document is not None
    fits = check_shape(document, schema, log)
    assert fits is not log.has_errors
    return list(log.findings())


def codes(text: str, schema: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(finding.code, finding.line) for finding in check(text, schema)]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: str(schema["title"]))
def test_a_schema_is_valid_and_explains_itself(schema: dict[str, Any]) -> None:
    jsonschema_rs.meta.validate(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    if schema is not INDEX:
        assert all("description" in field for field in schema["properties"].values())


def test_what_fits_is_not_mentioned() -> None:
    assert check("name: Log-Rotate_2\nversion: 1.2.0\ntags: [ops]\n", SKILL_FRONT_MATTER) == []
    assert check("ref: a\nlabel: A\ndescription: x\nversion: 1.0.0-rc.1\ndependencies: [b]\n", PACK) == []


def test_everything_that_does_not_fit_is_told_at_once() -> None:
    text = (
        "ref: Net Ops\nlabl: x\ndescription: ''\nversion: 1.4\nkeywords: [a, 1]\ndependencies:\n  - core\n"
        "  - {ref: dns, verson: x}\n  - 3\n  - {version: '1'}\nruntime_deps:\n  python: 3.11\n"
    )
    findings = check(text, PACK)
    assert [(finding.code, finding.line) for finding in findings] == [
        ("KEY_MISSING", 1),
        ("INVALID_NAME_FORMAT", 1),
        ("VALUE_INVALID", 3),
        ("WRONG_TYPE", 4),
        ("WRONG_TYPE", 5),
        ("WRONG_TYPE", 9),
        ("KEY_MISSING", 10),
        ("WRONG_TYPE", 12),
        ("UNKNOWN_KEY", 2),
        ("UNKNOWN_KEY", 8),
    ]
    messages = "\n".join(finding.message for finding in findings)
    assert "unknown key 'labl': did you mean 'label'?" in messages
    assert "'version' is 1.4 and must be a SemVer version such as 1.4.0" in messages
    assert "'ref' is missing in 'dependencies[3]'" in messages
    assert {finding.severity.value for finding in findings if finding.code == "UNKNOWN_KEY"} == {"warning"}


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: str(schema["title"]))
@pytest.mark.parametrize("text", ["~", "[]", "7", "text"])
def test_a_document_of_another_type(text: str, schema: dict[str, Any]) -> None:
    assert codes(text, schema) == [("WRONG_TYPE", 1)]


def test_every_field_tells_a_wrong_type() -> None:
    for schema in SCHEMAS:
        for field in schema["properties"]:
            for wrong in ("~", "7", "[[[]]]"):
                found = {code for code, line in codes(f"{field}: {wrong}", schema) if line == 1}
                allowed = (
                    {"WRONG_TYPE", "VALUE_INVALID"} if field in ("version", "enabled") else {"WRONG_TYPE"}
                )
                assert found & allowed, (field, wrong)


def test_a_flood_of_findings_is_cut_off() -> None:
    log = FindingLog()
    document = Document({f"key {n}": n for n in range(KEPT_FINDINGS * 3)}, "x", lambda: 1)
    check_shape(document, PACK, log)
    assert log.total == KEPT_FINDINGS


_keys = st.sampled_from(
    [
        "name",
        "ref",
        "label",
        "version",
        "tasks",
        "packs",
        "retry",
        "next",
        "dependencies",
        "releases",
        "tags",
        "zz",
    ]
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=4)),
    max_leaves=20,
)


@settings(deadline=None)
@given(_values, st.sampled_from(SCHEMAS))
def test_checking_never_raises_and_agrees_with_the_schema(value: Any, schema: dict[str, Any]) -> None:
    log = FindingLog()
    document = Document(value, "x", lambda: 1)
    fits = check_shape(document, schema, log)
    valid = jsonschema_rs.is_valid(schema, value)
    assert valid is not bool(log.total)
    assert fits is not log.has_errors

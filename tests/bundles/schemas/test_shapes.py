"""The schemas are valid, and what does not fit them is told in our own words with its line."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles.documents import Document, read_yaml
from longshore_bundles.documents.findings_about import FindingsAbout
from longshore_bundles.findings import KEPT_FINDINGS, Finding, FindingLog
from longshore_bundles.schemas import INDEX, PACK, SKILL_FRONT_MATTER, WORKFLOW, check_shape
from longshore_bundles.schemas.json_schemas import check_json_schema

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


@pytest.mark.parametrize(
    ("schema", "text", "message"),
    [
        (
            SKILL_FRONT_MATTER,
            "name: 123",
            "'name' is 123 and must be 1 to 100 of a-z, A-Z, 0-9, '_' and '-': ",
        ),
        (
            SKILL_FRONT_MATTER,
            "name: no",
            "'name' is false and must be 1 to 100 of a-z, A-Z, 0-9, '_' and '-': ",
        ),
        (SKILL_FRONT_MATTER, "{name: a, author: 7}", "'author' is 7 and must be text: "),
        (
            WORKFLOW,
            "{label: x, version: 1.0, tasks: {a: {action: b.c}}}",
            "'version' is 1.0 and must be text: ",
        ),
    ],
)
def test_quotes_are_advised_where_they_help(schema: dict[str, Any], text: str, message: str) -> None:
    assert [each.message for each in check(text, schema)] == [f"{message}write it in quotes"]


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (SKILL_FRONT_MATTER, "name: 1.5"),
        (SKILL_FRONT_MATTER, "{name: a, version: 1.4}"),
        (PACK, "ref: 7"),
        (WORKFLOW, "{label: x, version: a, tasks: {a: {action: b.c, batch_size: 1.5}}}"),
        (WORKFLOW, "{label: x, version: a, tasks: {a: {action: b.c, timeout: '0', delay: '-1'}}}"),
    ],
)
def test_quotes_are_not_advised_where_they_are_no_help(schema: dict[str, Any], text: str) -> None:
    messages = [each.message for each in check(text, schema)]
    assert messages
    assert not any("quotes" in message for message in messages)


def test_quotes_are_to_be_taken_off_where_they_are_all_that_is_wrong() -> None:
    text = "{label: x, version: '1', enabled: 'yes', tasks: {a: {action: b.c, timeout: '5'}}}"
    messages = [each.message for each in check(text, WORKFLOW)]
    assert len(messages) == 2
    assert all(message.endswith(": take the quotes off") for message in messages)


_RULES = (
    "one of 'array', 'boolean', 'integer', 'null', 'number', 'object', 'string', or a list of some of them"
)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "text"}, [f"'type' is 'text' and must be {_RULES}"]),
        ({"type": []}, [f"'type' is an empty list and must be {_RULES}"]),
        (
            {"properties": {"a": {"required": True}, "b": 5}},
            [
                "'properties.a.required' is true and must be a list",
                "'properties.b' is 5 and must be a JSON Schema: a mapping, or true or false",
            ],
        ),
        ({"required": ["a", "a"]}, ["'required' is a list and must be without repetitions"]),
        ({"pattern": "("}, ["'pattern' is '(' and must be a regular expression"]),
        (
            {"patternProperties": {"(": {}}},
            ["'patternProperties' is a mapping and must be one whose keys are each a regular expression"],
        ),
        ({"minLength": -1}, ["'minLength' is -1 and must be at least 0"]),
        ({"multipleOf": 0}, ["'multipleOf' is 0 and must be above 0"]),
        ({"$id": "a b"}, ["'$id' is 'a b' and must be a name or an address"]),
        (
            {"dependencies": {"a": 3}},
            ["'dependencies.a' is 3 and must be a JSON Schema: a mapping, or true or false, or a list"],
        ),
    ],
)
def test_what_is_no_json_schema_is_told_in_our_words(schema: dict[str, Any], told: list[str]) -> None:
    log = FindingLog()
    document = Document({"conf_schema": schema}, "pack.yaml", lambda: 1)
    check_json_schema(schema, ("conf_schema",), FindingsAbout(document, log))
    assert [each.message for each in log.findings()] == [
        f"'conf_schema' is no JSON Schema: {each}" for each in told
    ]


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

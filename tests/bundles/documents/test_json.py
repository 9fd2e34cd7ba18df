"""JSON as RFC 8259 has it, with lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles.documents import MAX_DEPTH, MAX_DOCUMENT_BYTES, Document, read_json
from longshore_bundles.findings import FindingLog


def read(data: str | bytes) -> tuple[Document | None, list[tuple[str, int | None]]]:
    log = FindingLog()
    document = read_json(data.encode() if isinstance(data, str) else data, "x.json", log)
    return document, [(finding.code, finding.line) for finding in log.findings()]


def test_every_value_has_its_line() -> None:
    document, findings = read(
        '\ufeff{\r\n  "a": [\r\n    1,\r\n    {"b \\"}": "]\\n"}\r\n  ],\r\n  "c":\r\n    null\r\n}'
    )
    assert document is not None
    assert findings == []
    assert document.value == {"a": [1, {'b "}': "]\n"}], "c": None}
    assert document.line() == 1
    assert document.line(["a"]) == 2
    assert document.line(["a", 0]) == 3
    assert document.line(["a", 1, 'b "}']) == 4
    assert document.line(["c"]) == 6
    assert document.line(["a", 7]) == 2


def test_a_duplicate_key_is_an_error() -> None:
    log = FindingLog()
    document = read_json(b'{\n"a": 1,\n"b": {"c": 1,\n"c": 2},\n"a": 3}', "x.json", log)
    assert document is not None
    assert document.value == {"a": 3, "b": {"c": 2}}
    assert [(each.code, each.line, each.message) for each in log.findings()] == [
        ("KEY_DUPLICATE", 4, "the key 'c' stands in line 3 already: keep one of the two"),
        ("KEY_DUPLICATE", 5, "the key 'a' stands in line 2 already: keep one of the two"),
    ]


def test_a_value_that_another_takes_the_place_of_is_as_deep_as_allowed_too() -> None:
    deep = "[" * (MAX_DEPTH + 10) + "]" * (MAX_DEPTH + 10)
    assert read(f'{{"a": {deep}, "a": 1}}') == (None, [("DOCUMENT_TOO_DEEP", None)])


def test_many_duplicate_keys_take_no_more_time_than_others() -> None:
    # Counted by pairs, these took hours.
    pairs = ", ".join(f'"{number // 2}": 1' for number in range(600_000))
    log = FindingLog()
    document = read_json(f"{{{pairs}}}".encode(), "x.json", log, max_bytes=1 << 24)
    assert document is not None
    assert {finding.code for finding in log.findings()} == {"KEY_DUPLICATE"}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", ("DOCUMENT_EMPTY", None)),
        ("{\n'a': 1}", ("JSON_INVALID", 2)),
        ("[1] []", ("JSON_INVALID", 1)),
        ("[NaN]", ("JSON_INVALID", None)),
        ("[-Infinity]", ("JSON_INVALID", None)),
        ("[1e999]", ("JSON_INVALID", None)),
        ("9" * 10_000, ("JSON_INVALID", None)),
        ('["\\ud800"]', ("TEXT_UNSUPPORTED", None)),
        ('{"\\u0000": 1}', ("TEXT_UNSUPPORTED", None)),
        ("[" * 100_000, ("DOCUMENT_TOO_DEEP", None)),
        ("[" * (MAX_DEPTH + 1) + "1" + "]" * (MAX_DEPTH + 1), ("DOCUMENT_TOO_DEEP", None)),
        (" " * (MAX_DOCUMENT_BYTES + 1), ("DOCUMENT_TOO_LARGE", None)),
        (b'["\xff"]', ("DOCUMENT_NOT_UTF8", 1)),
    ],
)
def test_what_cannot_be_read_is_one_finding(text: str | bytes, finding: tuple[str, int | None]) -> None:
    document, findings = read(text)
    assert document is None
    assert findings == [finding]


def test_as_deep_as_allowed() -> None:
    document, findings = read("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert document is not None
    assert findings == []


_characters = st.characters(codec="utf-8", exclude_characters="\0")
_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text('ab"\\{]\n:,'), inner)),
    max_leaves=15,
)


@settings(deadline=None)
@given(_values, st.sampled_from([None, 0, 2]))
def test_lines_are_those_of_the_text(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    document, findings = read(text)
    assert document is not None
    assert findings == []
    assert document.value == value
    assert document.line() == 1
    lines = text.split("\n")
    if isinstance(value, dict) and indent is not None:
        for key in value:
            line = document.line([key])
            assert line is not None
            assert lines[line - 1].strip().startswith(json.dumps(key))


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=100), st.text('{}[]",:\\u0e1 ', max_size=60).map(str.encode)))
def test_reading_never_raises(data: bytes) -> None:
    document, findings = read(data)
    assert document is not None or findings
    if document is not None:
        document.line(["a", 0])

"""YAML as people and their enemies write it."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles.documents import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_VALUES, Document, read_yaml
from longshore_bundles.findings import FindingLog


@pytest.fixture(params=[True, False], ids=["libyaml", "pure"])
def use_libyaml(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def read(data: str | bytes, use_libyaml: bool = True) -> tuple[Document | None, list[tuple[str, int | None]]]:
    log = FindingLog()
    content = data.encode() if isinstance(data, str) else data
    document = read_yaml(content, "x.yaml", log, use_libyaml=use_libyaml)
    assert all(finding.path == "x.yaml" for finding in log.findings())
    return document, [(finding.code, finding.line) for finding in log.findings()]


def value_of(text: str | bytes, use_libyaml: bool = True) -> object:
    document, findings = read(text, use_libyaml)
    assert document is not None
    assert findings == []
    return document.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None),
        ("yes", True),
        ("Off", False),
        ("0", 0),
        ("-12", -12),
        ("0x1f", 31),
        ("0o17", "0o17"),
        ("1.50", 1.5),
        ("1e3", "1e3"),
        ("1.0e+3", 1000.0),
        ("-.5", -0.5),
        ("0644", "0644"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("1.0e+999", "1.0e+999"),
        ("2026-11-21", "2026-11-21"),
        ("1.2.3", "1.2.3"),
        ("9" * 41, "9" * 41),
        ("'12'", "12"),
        ("|\n yes\n", "yes\n"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!int 12", 12),
        ("!!int '12'", 12),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
        ("!!map {}", {}),
    ],
)
def test_a_value_is_what_json_can_hold(text: str, value: object, use_libyaml: bool) -> None:
    found = value_of(text, use_libyaml)
    assert found == value
    assert type(found) is type(value)


def test_a_key_is_the_text_it_is_written_as(use_libyaml: bool) -> None:
    assert value_of("{on: 1, 200: 2, ~: 3, 'x y': 4}", use_libyaml) == {"on": 1, "200": 2, "~": 3, "x y": 4}


@pytest.mark.parametrize(
    "text", ["a: 1\nb: [é]\n", "\ufeffa: 1\nb: [é]\n", "a: 1\r\nb: [é]\r\n", "---\na: 1\nb: [é]"]
)
def test_line_ends_and_byte_order_marks_do_not_matter(text: str, use_libyaml: bool) -> None:
    assert value_of(text, use_libyaml) == {"a": 1, "b": ["é"]}


def test_every_value_has_its_line(use_libyaml: bool) -> None:
    document, _ = read("# a comment\na:\n  b:\n    - 1\n    - x: 2\n      y:\n        3\nc: 4\n", use_libyaml)
    assert document is not None
    assert document.line() == 2
    assert document.line(["a"]) == 2
    assert document.line(["a", "b"]) == 3
    assert document.line(["a", "b", 0]) == 4
    assert document.line(["a", "b", 1, "y"]) == 6
    assert document.line(["c"]) == 8
    assert document.line(["a", "b", 2]) == 3
    assert document.line(["a", "missing", "deeper"]) == 2
    assert document.line(["c", "d"]) == 8


def test_an_alias_stands_where_it_is_used(use_libyaml: bool) -> None:
    document, findings = read(
        "x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz:\n  - *x\nv:\n  <<: [{a: 5}, *x]\n", use_libyaml
    )
    assert document is not None
    assert findings == []
    inner = {"a": 1, "b": 2}
    assert document.value == {"x": inner, "y": {"b": 3, "a": 1}, "z": [inner], "v": {"a": 5, "b": 2}}
    assert document.line(["z", 0]) == 6
    assert document.line(["y", "a"]) == 1


def test_a_quoted_merge_key_is_a_key(use_libyaml: bool) -> None:
    assert value_of("'<<': {a: 1}", use_libyaml) == {"<<": {"a": 1}}


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029"])
def test_a_line_is_what_editors_have_for_one(end: str, use_libyaml: bool) -> None:
    document, findings = read(f"a: 'é{end}x'\r\nb: 1  # {end}\na: 2\n", use_libyaml)
    assert document is not None
    assert (document.line(["a"]), document.line(["b"])) == (1, 2)
    assert findings == [("KEY_DUPLICATE", 3)]
    assert read(f"a: 'é{end}x'\nb: ]\n", use_libyaml)[1] == [("YAML_INVALID", 2)]


def test_a_duplicate_key_is_an_error_and_the_first_counts(use_libyaml: bool) -> None:
    document, findings = read("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", use_libyaml)
    assert document is not None
    assert document.value == {"a": 1, "b": {"c": 1}}
    assert findings == [("KEY_DUPLICATE", 4), ("KEY_DUPLICATE", 5)]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", ("DOCUMENT_EMPTY", None)),
        ("# nothing\n", ("DOCUMENT_EMPTY", None)),
        ("a: 1\n---\nb: 2\n", ("DOCUMENT_NOT_SINGLE", 2)),
        ("a: 1\n\tb: 2\n", ("YAML_INVALID", 2)),
        ("a:\n  b: [1, 2\n", ("YAML_INVALID", 3)),
        ("a: 1\nb: c: d\n", ("YAML_INVALID", 2)),
        ("a: 1\n\n\x07\n", ("YAML_INVALID", 3)),
        ('a: "\\0"', ("TEXT_UNSUPPORTED", 1)),
        ('"\\0": 1', ("TEXT_UNSUPPORTED", 1)),
        ("\na: *nowhere\n", ("YAML_UNSUPPORTED", 2)),
        ("&a [*a]", ("YAML_UNSUPPORTED", 1)),
        ("a: &a x\n*a : 1\n", ("YAML_UNSUPPORTED", 2)),
        ("? [a]\n: b\n", ("YAML_UNSUPPORTED", 1)),
        ("? {a: b}\n: b\n", ("YAML_UNSUPPORTED", 1)),
        ("a: 1\nb: !!python/object/apply:os.system [id]\n", ("YAML_UNSUPPORTED", 2)),
        ("!!binary aGk=", ("YAML_UNSUPPORTED", 1)),
        ("!!int x", ("YAML_UNSUPPORTED", 1)),
        ("!mine {}", ("YAML_UNSUPPORTED", 1)),
        ("<<: [1]", ("YAML_UNSUPPORTED", 1)),
        ("<<: x", ("YAML_UNSUPPORTED", 1)),
        ("[" * 100_000, ("DOCUMENT_TOO_DEEP", 1)),
        ("{a: " * (MAX_DEPTH + 1), ("DOCUMENT_TOO_DEEP", 1)),
        ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 12 + "*a" + "]" * 12, ("DOCUMENT_TOO_DEEP", 2)),
        (" " * (MAX_DOCUMENT_BYTES + 1), ("DOCUMENT_TOO_LARGE", None)),
        (b"a: 1\nb: \xff\n", ("DOCUMENT_NOT_UTF8", 2)),
        ("a: 1\n".encode("utf-16"), ("DOCUMENT_NOT_UTF8", 1)),
    ],
)
def test_what_cannot_be_read_is_one_finding(
    text: str | bytes, finding: tuple[str, int | None], use_libyaml: bool
) -> None:
    document, findings = read(text, use_libyaml)
    assert document is None
    assert findings == [finding]


def test_half_a_surrogate_pair_is_refused_by_either_parser(use_libyaml: bool) -> None:
    document, findings = read('"\\ud800"', use_libyaml)
    assert document is None
    assert len(findings) == 1


def test_tabs_are_told_as_tabs() -> None:
    log = FindingLog()
    read_yaml(b"a:\n\tb: 1\n", "x", log)
    assert "tab" in log.findings()[0].message


def test_as_deep_as_allowed(use_libyaml: bool) -> None:
    value_of("[" * MAX_DEPTH + "]" * MAX_DEPTH, use_libyaml)


def test_billions_of_laughs_are_counted() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    document, findings = read("\n".join(lines))
    assert document is None
    assert [code for code, _ in findings] == ["DOCUMENT_TOO_COMPLEX"]


def test_as_many_values_as_allowed() -> None:
    assert len(str(value_of("[" + "1," * (MAX_VALUES - 1) + "]"))) > MAX_VALUES
    assert read("[" + "1," * MAX_VALUES + "]")[1][0][0] == "DOCUMENT_TOO_COMPLEX"


_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("abc <-:#é", max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(deadline=None)
@given(_values, st.booleans())
def test_what_is_written_is_what_is_read(value: object, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    assert value_of(text) == value


_pieces = st.sampled_from(
    [
        *"abé1~:-#[]{},>'\"\\%@`\n\t\r\0\u2028",
        ": ",
        "  ",
        "- ",
        "? ",
        "&x ",
        "*x",
        "<<",
        "!!str ",
        "!x ",
        "|\n",
        "---\n",
    ]
)
_texts = st.lists(_pieces, max_size=40).map(lambda pieces: "".join(pieces).encode())


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), _texts))
def test_reading_never_raises(data: bytes) -> None:
    for use_libyaml in (True, False):
        document, findings = read(data, use_libyaml)
        assert document is not None or findings
        if document is not None:
            document.line(["a", 0, "b"])

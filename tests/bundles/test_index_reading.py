"""Indexes are read whole or not at all, and whatever is wrong in them is told with its line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from longshore_bundles import Dependency, FindingLog, Severity
from longshore_bundles.registry import (
    MAX_INDEX_BYTES,
    ContentItem,
    IndexedRelease,
    InstallSource,
    index_text,
    read_index,
)
from longshore_bundles.schemas import INDEX

from .indexes import checksum, document, findings, pack, read

FULL = pack(
    author="Ops",
    license="MIT",
    keywords=["network"],
    runtime_deps={"python": ">=3.11"},
    dependencies=["core", {"ref": "dns", "version": "^2.1"}],
    install_sources=[
        {"type": "archive", "url": "https://packs.example.org/netops.tar", "checksum": checksum("a")},
        {"type": "git", "url": "https://git.example.org/netops", "ref": "v1.4.0"},
    ],
    contents={
        "actions": [{"name": "restart", "description": "Starts again"}],
        "workflows": [{"name": "roll"}],
    },
    releases=[
        {"version": "1.3.0", "checksum": checksum("c")},
        {"version": "1.4.0", "checksum": checksum("a"), "published_at": "2026-11-21T00:00:00.5+01:00"},
        {"version": "1.10.0-rc.1", "checksum": checksum("b"), "install_sources": []},
    ],
)


def test_an_index_as_values() -> None:
    index = read(document(pack("zone"), FULL))
    assert [each.ref for each in index.packs] == ["netops", "zone"]
    found = index.pack("netops")
    assert found is not None
    assert [each.version for each in found.releases] == ["1.10.0-rc.1", "1.4.0", "1.3.0"]
    assert (found.highest.version, found.latest.version) == ("1.10.0-rc.1", "1.4.0")
    assert found.release("1.4.0") == IndexedRelease(
        "1.4.0",
        checksum("a"),
        "2026-11-21T00:00:00.5+01:00",
        (
            InstallSource("archive", "https://packs.example.org/netops.tar", "", checksum("a")),
            InstallSource("git", "https://git.example.org/netops", "v1.4.0"),
        ),
    )
    assert found.dependencies == (Dependency("core"), Dependency("dns", "^2.1"))
    assert found.contents["actions"] == (ContentItem("restart", "Starts again"),)
    assert index.pack("dns") is None


def test_which_release_is_wanted() -> None:
    found = read(document(FULL)).packs[0]

    def version(wanted: str) -> str | None:
        release = found.wanted(wanted)
        return release.version if release else None

    assert version("latest") == "1.4.0"
    assert version("1.10.0-rc.1") == "1.10.0-rc.1"
    assert version("^1") == "1.4.0"
    assert version("<1.4") == "1.3.0"
    assert version(">=1.10.0-rc.0") == "1.10.0-rc.1"
    assert version("^2") is None
    only_prerelease = read(document(pack(version="2.0.0-rc.1"))).packs[0]
    assert only_prerelease.latest.version == "2.0.0-rc.1"


def test_a_pack_without_releases_has_the_one_that_it_is_described_as() -> None:
    found = pack(install_sources=[{"type": "archive", "url": "a.tar", "checksum": checksum("a")}])
    del found["releases"]
    assert read(document(found)).packs[0].releases[0].checksum == checksum("a")
    del found["install_sources"][0]["checksum"]
    assert [each.code for each in findings(document(found))] == ["CHECKSUM_MISSING"]


def test_what_is_read_is_written_again_and_read_the_same() -> None:
    index = read(document(FULL, pack("zone", more="kept"), note="kept"))
    text = index_text(index)
    again = read(json.loads(text))
    assert again == index
    assert index_text(again) == text
    written = json.loads(text)
    assert (written["note"], written["packs"][1]["more"]) == ("kept", "kept")
    assert written["packs"][0]["version"] == "1.10.0-rc.1"
    assert written["packs"][0]["install_sources"] == []
    assert written["packs"][0]["releases"][1]["install_sources"] == FULL["install_sources"]


def test_keys_that_are_not_known_are_warned_about_and_kept_everywhere() -> None:
    found = document(
        pack(
            homepage="h",
            install_sources=[{"type": "archive", "url": "a", "mirror": "m"}],
            contents={"actions": [{"name": "a", "since": "1"}], "rules": [{"name": "r"}]},
            releases=[{"version": "1.4.0", "checksum": checksum("a"), "yanked": False}],
        ),
        mirror_of="x",
    )
    told = findings(found)
    assert {each.severity for each in told} == {Severity.WARNING}
    assert sorted(each.message.split("'")[1] for each in told) == [
        *("homepage", "mirror", "mirror_of", "since", "yanked"),
    ]
    written = json.loads(index_text(read(found)))
    assert written["mirror_of"] == "x"
    (only,) = written["packs"]
    assert only["homepage"] == "h"
    assert only["install_sources"][0]["mirror"] == "m"
    assert only["contents"] == found["packs"][0]["contents"]
    assert only["releases"][0]["yanked"] is False


def test_two_claims_for_one_version() -> None:
    other = {"version": "1.4.0", "checksum": checksum("b")}
    (told,) = findings(document(pack(releases=[*pack()["releases"], other])))
    assert (told.code, told.line) == ("VERSION_DUPLICATE", 16)
    assert told.message == "version 1.4.0 of 'netops' is here a second time with another checksum: keep one"
    (told,) = findings(document(pack(releases=[*pack()["releases"]] * 2)))
    assert told.message == "version 1.4.0 of 'netops' is here a second time: keep one"
    folded = {"version": "2.0.0-RC.1", "checksum": checksum("b")}
    same = {"version": "2.0.0-rc.1", "checksum": checksum("b")}
    told = findings(document(pack(version="2.0.0-rc.1", releases=[folded, same])))[0]
    assert told.code == "VERSION_DUPLICATE"
    (told,) = findings(document(pack(), pack(version="1.5.0")))
    assert (told.code, told.message) == (
        "PACK_DUPLICATE",
        "the pack 'netops' is here already (line 6): keep one",
    )
    source = {"type": "archive", "url": "a.tar", "checksum": checksum("b")}
    (told,) = findings(document(pack(install_sources=[source])))
    assert told.code == "CHECKSUM_CONFLICT"
    release = {"version": "1.3.0", "checksum": checksum("c"), "install_sources": [source]}
    (told,) = findings(document(pack(releases=[*pack()["releases"], release])))
    assert (told.code, told.line) == ("CHECKSUM_CONFLICT", 20)


def test_a_pack_that_is_described_as_a_lower_version_is_warned_about() -> None:
    (told,) = findings(
        document(
            pack(
                releases=[{"version": "1.10.0", "checksum": checksum("b")}],
                version="1.9.0",
                install_sources=[{"type": "archive", "url": "a", "checksum": checksum("a")}],
            )
        )
    )
    assert (told.code, told.severity) == ("VERSION_NOT_HIGHEST", Severity.WARNING)
    assert "'netops' is described as version 1.9.0, but has a higher release, 1.10.0" in told.message


_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"version": 1.4}, "WRONG_TYPE"),
    ({"version": "1.4"}, "INVALID_VERSION_FORMAT"),
    ({"version": "1.4.0+build"}, "INVALID_VERSION_FORMAT"),
    ({"version": "latest"}, "INVALID_VERSION_FORMAT"),
    ({"releases": [{"version": "v1.4.0", "checksum": checksum("a")}]}, "INVALID_VERSION_FORMAT"),
    ({"releases": [{"version": "1.4.0", "checksum": checksum("A")}]}, "CHECKSUM_INVALID"),
    ({"releases": [{"version": "1.4.0", "checksum": "a" * 64}]}, "CHECKSUM_INVALID"),
    ({"releases": [{"version": "1.4.0"}]}, "KEY_MISSING"),
    ({"releases": [{**pack()["releases"][0], "published_at": "yesterday"}]}, "VALUE_INVALID"),
    ({"releases": {}}, "WRONG_TYPE"),
    ({"ref": "../netops"}, "INVALID_NAME_FORMAT"),
    ({"ref": "/etc/passwd"}, "INVALID_NAME_FORMAT"),
    ({"ref": "--upload-pack"}, "INVALID_NAME_FORMAT"),
    ({"ref": "netops\n"}, "INVALID_NAME_FORMAT"),
    ({"ref": "a" * 101}, "INVALID_NAME_FORMAT"),
    ({"ref": "n\u0435tops"}, "INVALID_NAME_FORMAT"),
    ({"ref": "\uff4eetops"}, "INVALID_NAME_FORMAT"),
    ({"ref": "net\u200bops"}, "INVALID_NAME_FORMAT"),
    ({"ref": "netops\u0301"}, "INVALID_NAME_FORMAT"),
    ({"ref": "x" * 1_000_000}, "INVALID_NAME_FORMAT"),
    ({"ref": 10**400}, "WRONG_TYPE"),
    ({"version": "\u0661.4.0"}, "INVALID_VERSION_FORMAT"),
    ({"releases": [{"version": "1.4.0", "checksum": "sha256:" + "\u0430" * 64}]}, "CHECKSUM_INVALID"),
    ({"runtime_deps": {"python": "^" * 1_000_000}}, "CONSTRAINT_INVALID"),
    ({"ref": None}, "WRONG_TYPE"),
    ({"label": ["x"]}, "WRONG_TYPE"),
    ({"description": {}}, "WRONG_TYPE"),
    ({"keywords": "dns"}, "WRONG_TYPE"),
    ({"runtime_deps": ["python"]}, "WRONG_TYPE"),
    ({"runtime_deps": {"python": "~=3.11"}}, "CONSTRAINT_INVALID"),
    ({"runtime_deps": {"python": 3}}, "WRONG_TYPE"),
    ({"dependencies": {"dns": "1"}}, "WRONG_TYPE"),
    ({"dependencies": [{"ref": "dns", "version": "latest"}]}, "CONSTRAINT_INVALID"),
    ({"dependencies": [{"version": "1"}]}, "KEY_MISSING"),
    ({"dependencies": ["-x"]}, "INVALID_NAME_FORMAT"),
    ({"install_sources": [{"type": "git", "url": "https://x/y"}]}, "KEY_MISSING"),
    ({"install_sources": [{"type": "git", "url": "https://x/y", "ref": "--exec=x"}]}, "ADDRESS_INVALID"),
    ({"install_sources": [{"type": "archive", "url": "-oProxyCommand"}]}, "ADDRESS_INVALID"),
    ({"install_sources": [{"type": "archive", "url": "a b"}]}, "ADDRESS_INVALID"),
    ({"install_sources": [{"type": "npm", "url": "x"}]}, "VALUE_INVALID"),
    ({"contents": {"actions": ["restart"]}}, "WRONG_TYPE"),
    ({"contents": {"other": 1}}, "WRONG_TYPE"),
]


@pytest.mark.parametrize(
    ("change", "code"), _WRONG, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_wrong_in_a_pack_is_told_with_its_line(change: dict[str, Any], code: str) -> None:
    told = [
        each for each in findings(document(pack(), {**pack("other"), **change})) if each.severity == "error"
    ]
    assert [each.code for each in told] == [code]
    assert told[0].path == "index.json"
    assert told[0].line is not None
    assert told[0].line > 17
    assert len(told[0].message) < 600


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "DOCUMENT_EMPTY"),
        (b"[]", "WRONG_TYPE"),
        (b"null", "WRONG_TYPE"),
        (b"registry_name: ops\n", "JSON_INVALID"),
        (b"<html>", "JSON_INVALID"),
        (b"\xff\xfe", "DOCUMENT_NOT_UTF8"),
        (b"\x1f\x8b\x08", "DOCUMENT_NOT_UTF8"),
        (b'{"registry_name": NaN}', "JSON_INVALID"),
        (b'{"a": 1, "a": 2}', "KEY_DUPLICATE"),
        (b"[" * 100_000, "DOCUMENT_TOO_DEEP"),
        (b'{"packs":' * 1000 + b"1" + b"}" * 1000, "DOCUMENT_TOO_DEEP"),
        (b'{"registry_name": "\\ud800"}', "TEXT_UNSUPPORTED"),
        (b"9" * 10_000, "JSON_INVALID"),
        (b'"' + b"x" * MAX_INDEX_BYTES + b'"', "DOCUMENT_TOO_LARGE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_index(value: bytes, code: str) -> None:
    assert code in [each.code for each in findings(value)]


def test_a_key_that_is_there_twice_is_told_with_its_line() -> None:
    text = json.dumps(document(pack()), indent=1).replace(
        '"version": "1"', '"version": "1",\n "version": "1"'
    )
    assert [(each.code, each.line) for each in findings(text.encode())] == [("KEY_DUPLICATE", 4)]


def test_an_index_of_another_format_is_refused() -> None:
    (told,) = findings(document(pack(), version="2"))
    assert (told.code, told.line) == ("VALUE_INVALID", 3)
    assert "it may be too old for this index" in told.message


def test_an_index_as_editors_of_windows_save_it_is_read() -> None:
    text = json.dumps(document(pack()), indent=1).replace("\n", "\r\n")
    assert findings(b"\xef\xbb\xbf" + text.encode()) == []


_VALIDATOR = Draft202012Validator(INDEX)
# What no JSON Schema can say.
_BEYOND_SHAPES = {
    *("CONSTRAINT_INVALID", "PACK_DUPLICATE", "VERSION_DUPLICATE", "VERSION_NOT_HIGHEST"),
    *("CHECKSUM_CONFLICT", "CHECKSUM_MISSING"),
}
_NO_DOCUMENT = {"JSON_INVALID", "TEXT_UNSUPPORTED"}
_LIKELY = (
    "1.4.0",
    "1.4.0\n",
    "netops",
    "https://x/y",
    checksum("b"),
    "git",
    "archive",
    "^1",
    "2026-11-21T00:00:00Z",
)
_json = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
        st.sampled_from(_LIKELY),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.data())
def test_any_value_at_any_place_is_read_or_told(draw: st.DataObject) -> None:
    value: Any = json.loads(json.dumps(document(FULL)))
    holder, step = _place(value, draw)
    holder[step] = draw.draw(_json)
    log = FindingLog()
    index = read_index(json.dumps(value).encode(), "index.json", log)
    assert (index is None) == log.has_errors
    if index is not None:
        assert read(json.loads(index_text(index))) == index
    found = {each.code for each in log.findings()}
    if not found & _NO_DOCUMENT:
        assert _VALIDATOR.is_valid(value) == (found <= _BEYOND_SHAPES)


def _place(value: Any, draw: st.DataObject) -> tuple[Any, Any]:
    while True:
        steps = list(value) if isinstance(value, dict) else list(range(len(value)))
        step = draw.draw(st.sampled_from(steps))
        inner = value[step]
        if not isinstance(inner, dict | list) or not inner or draw.draw(st.booleans()):
            return value, step
        value = inner


def test_an_index_with_very_many_of_everything_is_read_in_one_go() -> None:
    many = 20_000
    sources = [{"type": "archive", "url": f"https://x/{number}"} for number in range(many)]
    releases = [{"version": f"1.0.{number}", "checksum": checksum("a")} for number in range(many)]
    index = read(document(pack(version=f"1.0.{many - 1}", install_sources=sources * 2, releases=releases)))
    assert len(index.packs[0].releases) == many
    assert len(index.packs[0].highest.install_sources) == many

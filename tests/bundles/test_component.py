from __future__ import annotations

import json

import pytest

from longshore_bundles import BundleManifest
from longshore_bundles.component import read_component_manifest
from longshore_bundles.findings import FindingLog


def read(**files: bytes) -> tuple[BundleManifest | None, list[tuple[str, str]]]:
    log = FindingLog()
    names = {"package": "package.json", "pyproject": "pyproject.toml"}
    manifest = read_component_manifest({names[key]: value for key, value in files.items()}, log)
    return manifest, [(f.code, f.severity.value) for f in log.findings()]


def test_a_component_needs_no_manifest() -> None:
    assert read() == (None, [])


def test_name_and_version_come_from_either() -> None:
    package = json.dumps({"name": "@Acme/Web", "version": "1.2.3", "dependencies": {}}).encode()
    assert read(package=package) == (BundleManifest(("package.json",), "@Acme/Web", "acme.web", "1.2.3"), [])
    pyproject = b'[project]\nname = "Web"\nversion = "2.0.0-rc.1"\n[tool.x]\ny = 1\n'
    assert read(pyproject=b"\xef\xbb\xbf" + pyproject)[0] == BundleManifest(
        ("pyproject.toml",), "Web", "web", "2.0.0-rc.1"
    )


@pytest.mark.parametrize("text", [b"[tool.x]\ny = 1\n", b'[project]\ndynamic = ["version"]\n', b""])
def test_a_pyproject_without_them_says_nothing(text: bytes) -> None:
    assert read(pyproject=text) == (BundleManifest(("pyproject.toml",)), [])


def test_what_cannot_be_used_is_a_warning() -> None:
    manifest, findings = read(pyproject=b'[project]\nname = "a b"\nversion = "5.2"\n')
    assert manifest == BundleManifest(("pyproject.toml",))
    assert findings == [("INVALID_NAME_FORMAT", "warning"), ("INVALID_VERSION_FORMAT", "warning")]
    manifest, findings = read(package=b'{"name": "\\ud800", "version": "\\ud800"}')
    assert [code for code, _ in findings] == ["INVALID_NAME_FORMAT", "INVALID_VERSION_FORMAT"]
    log = FindingLog()
    read_component_manifest({"package.json": b'{"name": "\\ud800"}'}, log)
    log.findings()[0].message.encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1]",
        b'"x"',
        b'{"name": 1}',
        b'{"version": 1.0}',
        b'{"name": ["a"]}',
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"name": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_damaged_package_json_is_an_error(text: bytes) -> None:
    manifest, findings = read(package=text)
    assert manifest == BundleManifest(("package.json",))
    assert findings == [("MANIFEST_INVALID", "error")]


@pytest.mark.parametrize(
    "text",
    [b"[project", b"project = 1", b"[project]\nname = 1", b"\xff", b"x = " + b"[" * 100_000, b"a=1\na=2"],
)
def test_a_damaged_pyproject_is_an_error(text: bytes) -> None:
    assert read(pyproject=text)[1] == [("MANIFEST_INVALID", "error")]


def test_a_package_json_that_says_it_twice_says_nothing_that_can_be_used() -> None:
    text = b'{"version": "1.0.0",\n "x": {"name": 1, "name": 2},\n "name": "web",\n "version": "2.0.0"}'
    log = FindingLog()
    manifest = read_component_manifest({"package.json": text}, log)
    assert manifest == BundleManifest(("package.json",), "web", "web")
    (finding,) = log.findings()
    assert (finding.code, finding.severity.value, finding.path) == ("KEY_DUPLICATE", "error", "package.json")
    assert (finding.line, finding.message) == (
        4,
        "the key 'version' stands in line 1 already: keep one of the two",
    )
    assert read(package=b'{"name": "web", "scripts": {"a": "", "a": ""}, "x": 1, "x": 2}')[1] == []
    deep = b"[" * 100 + b"]" * 100
    assert read(package=b'{"x": ' + deep + b', "name": "a", "name": "b"}')[1] == [
        ("MANIFEST_INVALID", "error")
    ]


def test_a_manifest_has_a_size_limit() -> None:
    assert read(package=b" " * 2**20 + b"{")[1] == [("MANIFEST_TOO_LARGE", "error")]
    assert read(package=b'{"name":"a"}' + b" " * (2**20 - 12))[1] == []


def test_two_that_agree_add_up_and_two_that_disagree_count_for_nothing() -> None:
    assert read(package=b'{"name": "web"}', pyproject=b'[project]\nname="Web"\nversion="1.0.0"')[
        0
    ] == BundleManifest(("package.json", "pyproject.toml"), "web", "web", "1.0.0")
    manifest, findings = read(package=b'{"name": "web"}', pyproject=b'[project]\nname="api"')
    assert manifest == BundleManifest(("package.json", "pyproject.toml"))
    assert findings == [("MANIFESTS_DISAGREE", "warning")]

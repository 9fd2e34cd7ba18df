"""Versions of Python's packages: which are one, and what a release of each is called."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore_bundles import check_version
from longshore_bundles.versions import order_key
from longshore_client.sources import FetchOptions, PypiSource, SourceNotFound, fetch
from longshore_client.sources.python_versions import PythonVersion

from .web_server import WebServer

BODY = b"an archive"

MAPPED = [
    ("1.2.3", "1.2.3"),
    ("1", "1.0.0"),
    ("1.0", "1.0.0"),
    ("2024.1", "2024.1.0"),
    ("1.2.3.0", "1.2.3"),
    ("v1.0", "1.0.0"),
    ("1.0a1", "1.0.0-alpha.1"),
    ("1.0.0-beta.2", "1.0.0-beta.2"),
    ("1.0rc1", "1.0.0-rc.1"),
    ("1.0.RC", "1.0.0-rc.0"),
    ("1.0c1", "1.0.0-rc.1"),
    ("1.0.dev3", "1.0.0-0.dev.3"),
]
NONE = ["2024.1.post1", "1.0-1", "1!1.0", "1.0+local", "1.2.3.4", "1.0rc1.dev2", f"{'9' * 120}.0"]


@pytest.mark.parametrize(("written", "version"), MAPPED)
def test_what_a_release_is_called(written: str, version: str) -> None:
    parsed = PythonVersion.parse(written)
    assert parsed is not None
    assert check_version(parsed.semver) == version


@pytest.mark.parametrize("written", NONE)
def test_versions_that_no_release_can_have(written: str) -> None:
    parsed = PythonVersion.parse(written)
    assert parsed is not None
    assert parsed.semver == ""


@pytest.mark.parametrize("written", ["", "x", "1.", "1..0", "1.0-", "1.0+", "1.0\n2", "١.0", "1" * 256])
def test_what_is_no_version(written: str) -> None:
    assert PythonVersion.parse(written) is None


def test_the_order_stays_the_same() -> None:
    """From PEP 440, without what SemVer cannot say."""
    written = ["1.0.dev1", "1.0.dev10", "1.0a1", "1.0a2", "1.0b1", "1.0rc1", "1.0rc10", "1.0", "1.0.1"]
    versions = [parsed.semver for parsed in map(PythonVersion.parse, written) if parsed]
    assert versions == sorted(versions, key=order_key)


@given(st.lists(st.sampled_from(["1", ".0", "0", ".", "-", "_", "a", "rc", "post", "dev", "!", "+", "v"])))
def test_no_text_takes_long(pieces: list[str]) -> None:
    """The longest that is looked at, over and over the same."""
    text = "".join(pieces)
    parsed = PythonVersion.parse((text * 255)[:255])
    assert parsed is None or parsed.semver == "" or check_version(parsed.semver)


def _served(server: WebServer, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", server.url("/simple"))
    url = server.serve("/file", BODY)
    sha256 = hashlib.sha256(BODY).hexdigest()
    files = [{"filename": name, "url": url, "hashes": {"sha256": sha256}} for name in names]
    server.serve("/simple/widget/", json.dumps({"files": files}).encode())


def test_names_that_are_longer_than_any_file_is(
    server: WebServer, into: Path, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody compares them, which could take hours."""
    _served(server, monkeypatch, *(f"widget-1{'.0' * count}.tar.gz" for count in (200, 500_000)))
    with pytest.raises(SourceNotFound):
        fetch(PypiSource("widget", "1.0"), into, plain)


@pytest.mark.parametrize(
    ("written", "version", "told"),
    [
        ("1.2.3", "1.2.3", None),
        ("1.0", "1.0.0", "version 1.0 of widget is released as 1.0.0"),
        ("1.0rc1", "1.0.0-rc.1", "version 1.0rc1 of widget is released as 1.0.0-rc.1"),
        ("2024.1.post1", "", "version 2024.1.post1 of widget is none of SemVer"),
    ],
)
def test_what_the_release_is_called_is_told(
    server: WebServer,
    into: Path,
    plain: FetchOptions,
    monkeypatch: pytest.MonkeyPatch,
    written: str,
    version: str,
    told: str | None,
) -> None:
    _served(server, monkeypatch, f"widget-{written}.tar.gz")
    fetched = fetch(PypiSource("widget", written), into, plain)
    assert fetched.version == version
    assert fetched.provenance.ref == f"widget=={written}"
    assert [told is not None and note.startswith(told) for note in fetched.notes] == [True] * (
        told is not None
    )

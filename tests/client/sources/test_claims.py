"""Content that is what its checksum says, and calls itself something else than its registry does."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longshore_bundles import UnpackLimits
from longshore_client.sources import (
    Checksum,
    Deadline,
    FetchOptions,
    IndexSource,
    NpmSource,
    PypiSource,
    SourceDamaged,
    SourceUnavailable,
    claims,
    fetch,
    pypi,
)

from .archives import archive_of, packed
from .indexes import archive_at, index_of, written
from .repositories import Repository, serve_repository
from .web_server import WebServer

EVIL = {"pack.yaml": b"ref: evil\nversion: 9.0.0\n"}


@pytest.fixture(autouse=True)
def registries(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", server.url("/npm/"))
    monkeypatch.setenv("PIP_INDEX_URL", server.url("/simple/"))


def _damaged(source: IndexSource | NpmSource | PypiSource, into: Path, options: FetchOptions) -> str:
    with pytest.raises(SourceDamaged) as raised:
        fetch(source, into, options)
    assert not list(into.iterdir())
    return raised.value.message


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("ref: evil\nversion: 9.0.0\n", "evil 9.0.0"),
        ("ref: evil\nversion: 1.2.0\n", "evil 1.2.0"),
        ("ref: netops\nversion: 9.0.0\n", "netops 9.0.0"),
    ],
)
def test_a_pack_that_is_another_than_its_index_says(
    server: WebServer, into: Path, plain: FetchOptions, tmp_path: Path, manifest: str, says: str
) -> None:
    files = {"pack.yaml": manifest.encode()}
    body, checksum = packed(tmp_path, files)
    repository = Repository(tmp_path / "repository")
    repository.commit({"pack.yaml": manifest})
    for place in (
        archive_at(server.serve("/n.tar.gz", body)),
        {"type": "git", "url": serve_repository(server, repository), "ref": "main"},
    ):
        index = written(tmp_path / "index.json", index_of({"1.2.0": (str(checksum), [place])}))
        message = _damaged(IndexSource("netops"), into, replace(plain, indexes=(index,)))
        assert f"netops 1.2.0, but its own pack.yaml says {says}" in message


def test_an_archive_beside_its_index_stays_where_it_is(
    into: Path, plain: FetchOptions, tmp_path: Path
) -> None:
    body, checksum = packed(tmp_path, EVIL)
    archive = tmp_path / "n.tar.gz"
    archive.write_bytes(body)
    index = written(tmp_path / "index.json", index_of({"1.2.0": (str(checksum), [archive_at("n.tar.gz")])}))
    assert "evil 9.0.0" in _damaged(IndexSource("netops"), into, replace(plain, indexes=(index,)))
    assert archive.read_bytes() == body


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"package.json": b'{"name": "evil", "version": "1.0.0"}'}, "package.json says evil 1.0.0"),
        ({"package.json": b'{"name": "@scope/widget", "version": "9.0.0"}'}, "says @scope/widget 9.0.0"),
        ({"package.json": b'{"name": "widget", "version": "1.0.0"}'}, "package.json says widget 1.0.0"),
        (EVIL, "pack.yaml says evil 9.0.0"),
        ({"SKILL.md": b"---\nname: evil\ndescription: d\n---\n"}, "SKILL.md says evil"),
    ],
)
def test_a_package_of_npm_that_is_another(
    server: WebServer, into: Path, plain: FetchOptions, files: Mapping[str, bytes], says: str
) -> None:
    _npm(server, files, "@scope/widget", {})
    message = _damaged(NpmSource("@scope/widget", "1.0.0"), into, plain)
    assert "npm has this as @scope/widget 1.0.0" in message
    assert says in message


@pytest.mark.parametrize(
    "files",
    [
        {"package.json": b'{"name": "@Scope/Widget", "version": "1.0.0"}'},
        {"package.json": b'{"name": "@scope/widget", "version": "v1.0.0"}'},
        {"pack.yaml": b"ref: widget\nversion: 1.0.0\n"},
        {"readme": b""},
    ],
)
def test_a_package_of_npm_that_is_the_same(
    server: WebServer, into: Path, plain: FetchOptions, files: Mapping[str, bytes]
) -> None:
    _npm(server, files, "@scope/widget", {})
    assert fetch(NpmSource("@scope/widget", "1.0.0"), into, plain).version == "1.0.0"


@pytest.mark.parametrize("facts", [{"name": "evil"}, {"version": "9.0.0"}])
def test_an_npm_registry_that_answers_with_another_package(
    server: WebServer, into: Path, plain: FetchOptions, facts: Mapping[str, str]
) -> None:
    _npm(server, {"readme": b""}, "@scope/widget", facts)
    message = _damaged(NpmSource("@scope/widget", "1.0.0"), into, plain)
    assert next(iter(facts.values())) in message
    assert "@scope/widget" in message


def _npm(server: WebServer, files: Mapping[str, bytes], name: str, facts: Mapping[str, str]) -> None:
    body = archive_of({f"package/{each}": content for each, content in files.items()})
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(body).digest()).decode()}"
    dist = {"tarball": server.serve("/w.tgz", body), "integrity": integrity}
    package = {"name": name, "versions": {"1.0.0": {"dist": dist, **facts}}}
    server.serve(f"/npm/{name.replace('/', '%2F')}", json.dumps(package).encode())


def _pypi(server: WebServer, file_name: str, body: bytes, **facts: Any) -> None:
    url = server.serve(f"/files/{file_name}", body)
    file = {"filename": file_name, "url": url, "hashes": {"sha256": hashlib.sha256(body).hexdigest()}}
    server.serve("/simple/zope-widget/", json.dumps({"files": [file], **facts}).encode())


@pytest.mark.parametrize(
    ("project", "says"),
    [
        ('name = "evil"\nversion = "1.0.0"', "evil 1.0.0"),
        ('name = "zope.widget"\nversion = "9.0.0"', "9.0.0"),
    ],
)
def test_a_project_of_pypi_that_is_another(
    server: WebServer, into: Path, plain: FetchOptions, project: str, says: str
) -> None:
    toml = f"[project]\n{project}\n".encode()
    _pypi(server, "zope_widget-1.0.tar.gz", archive_of({"zope_widget-1.0/pyproject.toml": toml}))
    message = _damaged(PypiSource("Zope.Widget", "1.0"), into, plain)
    assert "Zope.Widget 1.0, but its own pyproject.toml says" in message
    assert says in message


@pytest.mark.parametrize(
    "project", ['name = "zope_widget"\nversion = "1.0.0-rc1"', 'name = "ZOPE.widget"', 'version = "0.0"']
)
def test_a_project_of_pypi_that_is_the_same(
    server: WebServer, into: Path, plain: FetchOptions, project: str
) -> None:
    toml = f"[project]\n{project}\n".encode()
    _pypi(server, "zope_widget-1.0rc1.tar.gz", archive_of({"zope_widget-1.0rc1/pyproject.toml": toml}))
    assert fetch(PypiSource("zope.widget", "1.0rc1"), into, plain).path.exists()


def test_what_others_serve_is_unpacked_within_a_limit(
    server: WebServer, into: Path, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {"widget-1.0/pyproject.toml": b"[project]\nname = 'other'\n", "widget-1.0/large": bytes(5000)}
    _pypi(server, "zope_widget-1.0.tar.gz", archive_of(members))
    assert "its own pyproject.toml says" in _damaged(PypiSource("zope.widget", "1.0"), into, plain)
    for path in into.iterdir():
        path.unlink()
    # What is too large is not unpacked, so nobody here knows what it is; a server says what is wrong with it.
    monkeypatch.setattr(claims, "FETCHED_LIMITS", UnpackLimits(max_total_bytes=1000, max_file_bytes=1000))
    assert fetch(PypiSource("zope.widget", "1.0"), into, plain).path.exists()


@pytest.mark.parametrize("unpack_wheel", [False, True])
def test_the_time_holds_for_looking_into_it_too(
    server: WebServer, into: Path, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch, *, unpack_wheel: bool
) -> None:
    def late(path: Path, claim: claims.Claim, into: Path, deadline: Deadline, *more: Any) -> None:
        claims.hold_to_claim(path, claim, into, Deadline(0), *more)

    _pypi(server, "zope_widget-1.0-py3-none-any.whl", archive_of({"a": b"content"}))
    monkeypatch.setattr(pypi, "hold_to_claim", late)
    with pytest.raises(SourceUnavailable, match="took longer than 0 s"):
        fetch(PypiSource("zope.widget", "1.0"), into, replace(plain, unpack_wheel=unpack_wheel))


def test_a_wheel_that_is_unpacked_is_looked_into(server: WebServer, into: Path, plain: FetchOptions) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        wheel.writestr("pack.yaml", "ref: evil\nversion: 9.0.0\n")
    _pypi(server, "zope_widget-1.0-py3-none-any.whl", buffer.getvalue())
    assert fetch(PypiSource("zope.widget", "1.0"), into, plain).path.exists()
    for path in into.iterdir():
        path.unlink()
    unpacked = replace(plain, unpack_wheel=True)
    assert "evil 9.0.0" in _damaged(PypiSource("zope.widget", "1.0"), into, unpacked)


def test_an_index_of_python_that_answers_with_another_project(
    server: WebServer, into: Path, plain: FetchOptions
) -> None:
    _pypi(server, "zope_widget-1.0.tar.gz", archive_of({"x": b""}), name="evil")
    assert "'evil', not 'zope.widget'" in _damaged(PypiSource("zope.widget", "1.0"), into, plain)


def test_a_checksum_that_a_person_gave_changes_nothing(
    server: WebServer, into: Path, plain: FetchOptions
) -> None:
    body = archive_of({"package.json": b'{"name": "evil", "version": "1.0.0"}'})
    _npm(server, {"package.json": b'{"name": "evil", "version": "1.0.0"}'}, "widget", {})
    server.serve("/w.tgz", body)
    given = Checksum("sha256", hashlib.sha256(body).hexdigest())
    assert "evil 1.0.0" in _damaged(NpmSource("widget", "1.0.0"), into, replace(plain, checksum=given))

"""npm and PyPI as local registries answer, honest ones and others."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longshore_client.models import PayloadFormat
from longshore_client.sources import (
    Checksum,
    FetchOptions,
    NpmSource,
    PypiSource,
    SourceDamaged,
    SourceError,
    SourceInvalid,
    SourceKind,
    SourceNotFound,
    SourceRefused,
    fetch,
)

from .conftest import NewServer
from .web_server import WebServer

BODY = b"an archive"
SHA256 = hashlib.sha256(BODY).hexdigest()
INTEGRITY = f"sha512-{base64.b64encode(hashlib.sha512(BODY).digest()).decode()}"


@pytest.fixture(autouse=True)
def registries(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", server.url("/npm/"))
    monkeypatch.setenv("PIP_INDEX_URL", server.url("/simple/"))


def _npm(
    server: WebServer, versions: Mapping[str, Mapping[str, Any]], name: str = "widget", **tags: str
) -> None:
    """A package with versions, each with the facts of its ``dist``, and tags."""
    package = {
        "name": name,
        "dist-tags": tags,
        "versions": {version: {"version": version, "dist": dist} for version, dist in versions.items()},
    }
    server.serve(f"/npm/{name.replace('/', '%2F')}", json.dumps(package).encode())


def _tarball(server: WebServer, **facts: str) -> dict[str, str]:
    return {"tarball": server.serve("/tarballs/w.tgz", BODY), "integrity": INTEGRITY, **facts}


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("1.2.0", "1.2.0"),
        ("latest", "1.10.0"),
        ("next", "2.0.0-rc.1"),
        ("^1.2", "1.10.0"),
        ("~1.2", "1.2.0"),
        (">=1, <1.5", "1.2.0"),
        ("1", "1.10.0"),
        ("2.0.0-rc.1", "2.0.0-rc.1"),
    ],
)
def test_which_version_is_meant(
    server: WebServer, into: Path, plain: FetchOptions, wanted: str, version: str
) -> None:
    versions = dict.fromkeys(("1.2.0", "1.10.0", "2.0.0-rc.1", "not-semver"), _tarball(server))
    _npm(server, versions, latest="1.10.0", next="2.0.0-rc.1")
    fetched = fetch(NpmSource("widget", wanted), into, plain)
    assert (fetched.name, fetched.version) == ("widget", version)
    assert fetched.path == into / f"widget-{version}.tgz"
    assert fetched.provenance.ref == f"widget@{version}"


def test_where_a_package_came_from(server: WebServer, into: Path, plain: FetchOptions) -> None:
    _npm(server, {"1.0.0": _tarball(server)}, name="@scope/widget", latest="1.0.0")
    fetched = fetch(NpmSource("@scope/widget"), into, plain)
    assert fetched.path.name == "scope-widget-1.0.0.tgz"
    provenance = fetched.provenance
    assert provenance.kind is SourceKind.NPM
    assert provenance.url == server.url("/tarballs/w.tgz")
    assert provenance.checksum == f"sha256:{SHA256}"
    assert (provenance.verified, provenance.verified_by) == (True, "npm integrity sha512")


@pytest.mark.parametrize(
    ("wanted", "match"), [("3.0.0", "latest is 1.0.0"), ("^3", "no version"), ("beta", "no version 'beta'")]
)
def test_a_version_that_is_not_there(
    server: WebServer, into: Path, plain: FetchOptions, wanted: str, match: str
) -> None:
    _npm(server, {"1.0.0": _tarball(server)}, latest="1.0.0")
    with pytest.raises(SourceNotFound, match=match):
        fetch(NpmSource("widget", wanted), into, plain)


def test_a_package_that_is_not_there(into: Path, plain: FetchOptions) -> None:
    for source in (NpmSource("nothing"), PypiSource("nothing", "1.0")):
        with pytest.raises(SourceNotFound, match=r"nothing/? is not there"):
            fetch(source, into, plain)


def test_a_tarball_that_was_changed_since(server: WebServer, into: Path, plain: FetchOptions) -> None:
    _npm(server, {"1.0.0": _tarball(server)}, latest="1.0.0")
    server.serve("/tarballs/w.tgz", b"something else")
    with pytest.raises(SourceDamaged, match="another checksum"):
        fetch(NpmSource("widget"), into, plain)
    assert not list(into.iterdir())


def test_nothing_to_verify_by(server: WebServer, into: Path, plain: FetchOptions) -> None:
    _npm(server, {"1.0.0": _tarball(server, integrity="sha1-AAAA")}, latest="1.0.0")
    with pytest.raises(SourceRefused, match="--allow-unverified"):
        fetch(NpmSource("widget"), into, plain)
    given = replace(plain, checksum=Checksum("sha256", SHA256))
    fetched = fetch(NpmSource("widget"), into, given)
    assert fetched.provenance.verified_by == "checksum given"
    fetched.path.unlink()
    provenance = fetch(NpmSource("widget"), into, replace(plain, allow_unverified=True)).provenance
    assert (provenance.verified, provenance.verified_by) == (False, "")


@pytest.mark.parametrize(
    "package",
    [
        {},
        {"versions": []},
        {"versions": {"1.0.0": None}, "dist-tags": {"latest": "1.0.0"}},
        {"versions": {"1.0.0": {"dist": 5}}, "dist-tags": {"latest": "1.0.0"}},
        {"versions": {"1.0.0": {"dist": {"tarball": 5}}}, "dist-tags": {"latest": "1.0.0"}},
        {
            "versions": {"1.0.0": {"dist": {"tarball": "file:///etc/passwd"}}},
            "dist-tags": {"latest": "1.0.0"},
        },
        {"versions": {"1.0.0": {"dist": {"tarball": "/etc/passwd"}}}, "dist-tags": {"latest": "1.0.0"}},
        {"versions": {"1.0.0": {}}, "dist-tags": {"latest": "9.9.9"}},
    ],
)
def test_a_registry_that_answers_nonsense(
    server: WebServer, into: Path, plain: FetchOptions, package: dict[str, Any]
) -> None:
    server.serve("/npm/widget", json.dumps(package).encode())
    with pytest.raises(SourceError):
        fetch(NpmSource("widget"), into, replace(plain, allow_unverified=True))
    assert not list(into.iterdir())


def test_a_version_that_is_a_path(server: WebServer, into: Path, plain: FetchOptions) -> None:
    _npm(server, {"/../../x": _tarball(server)}, latest="/../../x")
    with pytest.raises(SourceDamaged, match="names a file that cannot be"):
        fetch(NpmSource("widget"), into, plain)


def test_a_deprecated_package_says_so(server: WebServer, into: Path, plain: FetchOptions) -> None:
    package = {
        "versions": {"1.0.0": {"dist": _tarball(server), "deprecated": "use gadget"}},
        "dist-tags": {"latest": "1.0.0"},
    }
    server.serve("/npm/widget", json.dumps(package).encode())
    (note,) = fetch(NpmSource("widget"), into, plain).notes
    assert "use gadget" in note


def test_a_public_registry_leads_to_no_private_address(
    new_server: NewServer,
    public_address: str,
    server: WebServer,
    into: Path,
    plain: FetchOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    public = new_server(public_address)
    monkeypatch.setenv("npm_config_registry", public.url("/npm"))
    _npm(public, {"1.0.0": _tarball(server)}, latest="1.0.0")
    with pytest.raises(SourceRefused, match="private address"):
        fetch(NpmSource("widget"), into, plain)
    assert not server.requests


def _pypi(server: WebServer, *names: str, name: str = "widget", **facts: Any) -> None:
    files = []
    for file_name in names:
        server.serve(f"/files/{file_name}", BODY)
        files.append(
            {"filename": file_name, "url": f"../../files/{file_name}", "hashes": {"sha256": SHA256}, **facts}
        )
    server.serve(f"/simple/{name}/", json.dumps({"files": files}).encode())


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("widget-1.0.tar.gz", "widget-1.0-py3-none-any.whl"), "widget-1.0-py3-none-any.whl"),
        (("widget-1.0-cp311-cp311-linux_x86_64.whl", "widget-1.0.tar.gz"), "widget-1.0.tar.gz"),
        (("widget-1.0.0.tar.gz", "widget-1.0.1.tar.gz"), "widget-1.0.0.tar.gz"),
        (("Widget-1.0.zip", "widget-11.0.zip", "widget-extra-1.0.zip"), "Widget-1.0.zip"),
        (("widget-1.0.tar.gz.asc", "widget-1.0.exe", "widget-1.0.tar.gz"), "widget-1.0.tar.gz"),
    ],
)
def test_which_file_is_taken(
    server: WebServer, into: Path, plain: FetchOptions, names: tuple[str, ...], chosen: str
) -> None:
    _pypi(server, *names)
    fetched = fetch(PypiSource("widget", "1.0"), into, plain)
    assert fetched.path == into / chosen
    assert fetched.payload_format is None
    provenance = fetched.provenance
    assert (provenance.kind, provenance.ref) == (SourceKind.PYPI, "widget==1.0")
    assert (provenance.verified, provenance.verified_by) == (True, "index sha256")


def test_a_wheel_is_unpacked_where_that_is_asked_for(
    server: WebServer, into: Path, plain: FetchOptions
) -> None:
    _pypi(server, "widget-1.0-py3-none-any.whl")
    fetched = fetch(PypiSource("widget", "1.0"), into, replace(plain, unpack_wheel=True))
    assert fetched.payload_format is PayloadFormat.ZIP


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.0", "1.0.0"), ("v1.0", "1"), ("1.0RC1", "1.0rc1"), ("1.0.0.post1", "1.0.post1"), ("2!1.0", "2!1")],
)
def test_versions_that_are_one(
    server: WebServer, into: Path, plain: FetchOptions, one: str, other: str
) -> None:
    _pypi(server, f"widget-{one}.tar.gz", "widget-10.tar.gz", "widget-1.0.1.tar.gz")
    assert fetch(PypiSource("widget", other), into, plain).path.name == f"widget-{one}.tar.gz"


def test_names_are_compared_as_the_index_does(server: WebServer, into: Path, plain: FetchOptions) -> None:
    _pypi(server, "zope_interface-7.0.tar.gz", name="zope-interface")
    assert fetch(PypiSource("Zope.Interface", "7.0"), into, plain).path.exists()


def test_wheels_for_some_machines_only(server: WebServer, into: Path, plain: FetchOptions) -> None:
    _pypi(server, "widget-1.0-cp311-cp311-linux_x86_64.whl")
    with pytest.raises(SourceInvalid, match="name the URL"):
        fetch(PypiSource("widget", "1.0"), into, plain)


def test_which_versions_there_are_instead(server: WebServer, into: Path, plain: FetchOptions) -> None:
    _pypi(server, "widget-1.0.tar.gz", "widget-1.1.tar.gz")
    with pytest.raises(SourceNotFound, match=r"there are 1\.0, 1\.1"):
        fetch(PypiSource("widget", "2.0"), into, plain)


def test_a_yanked_file_says_so(server: WebServer, into: Path, plain: FetchOptions) -> None:
    _pypi(server, "widget-1.0.tar.gz", yanked="broken")
    *_, note = fetch(PypiSource("widget", "1.0"), into, plain).notes
    assert "broken" in note


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"hashes": {}}, SourceRefused),
        ({"hashes": {"md5": "00"}}, SourceRefused),
        ({"hashes": {"sha256": "00"}}, SourceDamaged),
        ({"hashes": {"sha256": "0" * 64}}, SourceDamaged),
        ({"url": "file:///etc/passwd"}, SourceInvalid),
        ({"url": 5}, SourceDamaged),
    ],
)
def test_an_index_that_answers_nonsense(
    server: WebServer, into: Path, plain: FetchOptions, facts: dict[str, Any], kind: type[SourceError]
) -> None:
    _pypi(server, "widget-1.0.tar.gz", **facts)
    with pytest.raises(kind):
        fetch(PypiSource("widget", "1.0"), into, plain)
    assert not list(into.iterdir())


def test_the_token_goes_to_the_registry_and_not_to_where_its_files_are(
    new_server: NewServer,
    server: WebServer,
    into: Path,
    plain: FetchOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REGISTRY_TOKEN", "s3cret")
    elsewhere = new_server()
    url = elsewhere.serve("/w", BODY)
    _npm(server, {"1.0.0": {"tarball": url, "integrity": INTEGRITY}}, latest="1.0.0")
    _pypi(server, "widget-1.0.tar.gz", url=url)
    options = replace(plain, token_env="REGISTRY_TOKEN", cache_folder=None)
    fetch(NpmSource("widget"), into, options)
    fetch(PypiSource("widget", "1.0"), into, options)
    assert [each.headers.get("authorization") for each in server.requests] == ["Bearer s3cret"] * 2
    assert [each.headers.get("authorization") for each in elsewhere.requests] == [None, None]


@pytest.mark.parametrize("url", ["http://[::1", "http://h:port/x", "//u:s3cret@[x", "http://u:s3cret@h/x"])
def test_files_that_are_nowhere(server: WebServer, into: Path, plain: FetchOptions, url: str) -> None:
    _npm(server, {"1.0.0": {"tarball": url, "integrity": INTEGRITY}}, latest="1.0.0")
    _pypi(server, "widget-1.0.tar.gz", url=url)
    for source in (NpmSource("widget"), PypiSource("widget", "1.0")):
        with pytest.raises((SourceInvalid, SourceRefused)) as raised:
            fetch(source, into, plain)
        assert "s3cret" not in str(raised.value)


def test_a_version_of_npm_that_no_release_can_have(
    server: WebServer, into: Path, plain: FetchOptions
) -> None:
    _npm(server, {"not-semver": _tarball(server)}, latest="not-semver")
    fetched = fetch(NpmSource("widget"), into, plain)
    assert (fetched.version, fetched.provenance.ref) == ("", "widget@not-semver")
    assert "none of SemVer" in fetched.notes[0]


def test_a_file_name_that_is_a_path(server: WebServer, into: Path, plain: FetchOptions) -> None:
    url = server.serve("/x", BODY)
    entry = {"filename": "../../widget-1.0.tar.gz", "url": url, "hashes": {"sha256": SHA256}}
    wheel = {"filename": "widget-1.0-/../../x-none-any.whl", "url": url, "hashes": {"sha256": SHA256}}
    server.serve("/simple/widget/", json.dumps({"files": [entry, wheel, None, 5]}).encode())
    with pytest.raises(SourceDamaged, match="names a file that cannot be"):
        fetch(PypiSource("widget", "1.0"), into, plain)

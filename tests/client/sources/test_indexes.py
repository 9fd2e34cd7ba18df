"""Bundles by their ref: several indexes, their versions, their sources, and indexes that lie."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from longshore_client.sources import (
    Checksum,
    FetchOptions,
    IndexSource,
    SourceDamaged,
    SourceError,
    SourceInvalid,
    SourceKind,
    SourceNotFound,
    SourceRefused,
    SourceUnavailable,
    fetch,
)

from .archives import packed
from .conftest import NewServer
from .indexes import archive_at, index_of, written
from .repositories import Repository, serve_repository
from .web_server import WebServer

PACK = {"pack.yaml": b"ref: netops\n", "actions/a.sh": b"true\n"}
OTHER = f"sha256:{'0' * 64}"


@pytest.fixture
def archive(tmp_path: Path) -> tuple[bytes, Checksum]:
    return packed(tmp_path / "pack", PACK)


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("latest", "1.10.0"),
        ("1.2.0", "1.2.0"),
        ("~1.2", "1.2.0"),
        ("^1", "1.10.0"),
        ("2.0.0-rc.1", "2.0.0-rc.1"),
        (">=2.0.0-rc.1", "2.0.0-rc.1"),
    ],
)
def test_which_version_is_meant(
    server: WebServer,
    archive: tuple[bytes, Checksum],
    into: Path,
    plain: FetchOptions,
    wanted: str,
    version: str,
) -> None:
    body, checksum = archive
    sources = [archive_at(server.serve("/netops.tar.gz", body))]
    versions = dict.fromkeys(("2.0.0-rc.1", "1.10.0", "1.2.0"), (str(checksum), sources))
    url = server.serve("/index.json", json.dumps(index_of(versions)).encode())
    fetched = fetch(IndexSource("netops", wanted), into, replace(plain, indexes=(url,)))
    assert (fetched.name, fetched.version) == ("netops", version)
    provenance = fetched.provenance
    assert (provenance.kind, provenance.index) == (SourceKind.URL, url)
    assert (provenance.verified, provenance.verified_by) == (True, "index checksum")


def test_the_first_index_that_has_it_decides(
    server: WebServer, archive: tuple[bytes, Checksum], into: Path, plain: FetchOptions, tmp_path: Path
) -> None:
    """An index further on with a higher version does not stand in for one's own."""
    body, checksum = archive
    release = (str(checksum), [archive_at(server.serve("/netops.tar.gz", body))])
    empty = written(tmp_path / "empty.json", index_of({"9.0.0": release}, ref="other"))
    own = written(tmp_path / "own.json", index_of({"1.0.0": release}))
    public = written(tmp_path / "public.json", index_of({"2.0.0": release, "1.0.0": release}))
    options = replace(plain, indexes=(empty, own, public))
    for wanted, version, index in (("latest", "1.0.0", own), ("^2", "2.0.0", public)):
        folder = into / version
        folder.mkdir()
        fetched = fetch(IndexSource("netops", wanted), folder, options)
        assert (fetched.version, fetched.provenance.index) == (version, index)
    with pytest.raises(SourceNotFound, match=r"no version '\^3'; there are 1\.0\.0, 2\.0\.0"):
        fetch(IndexSource("netops", "^3"), into, options)
    with pytest.raises(SourceNotFound, match="no index has 'nothing'"):
        fetch(IndexSource("nothing"), into, options)


def test_without_an_index(into: Path, plain: FetchOptions) -> None:
    with pytest.raises(SourceInvalid, match=r"--index, or write \./"):
        fetch(IndexSource("netops"), into, plain)


def test_the_first_source_that_can_be_had_is_taken(
    server: WebServer, archive: tuple[bytes, Checksum], into: Path, plain: FetchOptions, tmp_path: Path
) -> None:
    body, checksum = archive
    sources = [
        archive_at(server.url("/gone.tar.gz")),
        archive_at(server.serve("/other.tar.gz", b"other")),
        {"type": "git", "url": f"file://{tmp_path}/nothing", "ref": "v1"},
        archive_at(server.serve("/good.tar.gz", body)),
    ]
    index = written(tmp_path / "index.json", index_of({"1.0.0": (str(checksum), sources)}))
    fetched = fetch(IndexSource("netops"), into, replace(plain, indexes=(index,)))
    assert fetched.provenance.url == server.url("/good.tar.gz")
    assert [path.name for path in into.iterdir()] == ["good.tar.gz"]


def test_when_no_source_can_be_had_all_failures_are_told(
    server: WebServer, into: Path, plain: FetchOptions, tmp_path: Path
) -> None:
    sources = [archive_at(server.url("/gone.tar.gz")), archive_at(server.serve("/other.tar.gz", b"x"))]
    index = written(tmp_path / "index.json", index_of({"1.0.0": (OTHER, sources)}))
    with pytest.raises(SourceNotFound, match="gone") as raised:
        fetch(IndexSource("netops"), into, replace(plain, indexes=(index,)))
    assert "another checksum" in raised.value.__notes__[0]
    assert not list(into.iterdir())


def test_a_version_without_sources(into: Path, plain: FetchOptions, tmp_path: Path) -> None:
    index = written(tmp_path / "index.json", index_of({"1.0.0": (OTHER, [])}))
    with pytest.raises(SourceNotFound, match="does not say where"):
        fetch(IndexSource("netops"), into, replace(plain, indexes=(index,)))


def test_a_repository_that_an_index_names(
    server: WebServer, archive: tuple[bytes, Checksum], into: Path, plain: FetchOptions, tmp_path: Path
) -> None:
    repository = Repository(tmp_path / "repository")
    commit = repository.commit({name: content.decode() for name, content in PACK.items()})
    repository.git("tag", "v1")
    source = {"type": "git", "url": serve_repository(server, repository), "ref": "v1"}
    index = written(tmp_path / "index.json", index_of({"1.0.0": (str(archive[1]), [source])}))
    fetched = fetch(IndexSource("netops"), into, replace(plain, indexes=(index,)))
    provenance = fetched.provenance
    assert (provenance.kind, provenance.ref, provenance.verified) == (SourceKind.GIT, commit, True)
    assert provenance.checksum == str(archive[1])
    repository.commit({"added": "x"})
    repository.git("tag", "--force", "v1")
    again = into / "again"
    again.mkdir()
    with pytest.raises(SourceDamaged, match="another content"):
        fetch(IndexSource("netops"), again, replace(plain, indexes=(index,)))
    assert not list(again.iterdir())


@pytest.mark.parametrize(
    ("url", "ref", "kind"),
    [
        ("file:///etc", "v1", SourceInvalid),
        ("ext::sh -c true", "v1", SourceError),
        ("https://host.test/x", "--upload-pack=x", SourceError),
        ("--upload-pack=x", "v1", SourceError),
        ("https://user:s3cret@host.test/x", "v1", SourceRefused),
    ],
)
def test_repositories_that_no_index_may_name(
    into: Path, plain: FetchOptions, tmp_path: Path, url: str, ref: str, kind: type[SourceError]
) -> None:
    source = {"type": "git", "url": url, "ref": ref}
    index = written(tmp_path / "index.json", index_of({"1.0.0": (OTHER, [source])}))
    with pytest.raises(kind) as raised:
        fetch(IndexSource("netops"), into, replace(plain, indexes=(index,)))
    assert "s3cret" not in str(raised.value)


def test_a_public_index_leads_to_no_private_address(
    new_server: NewServer,
    public_address: str,
    server: WebServer,
    archive: tuple[bytes, Checksum],
    into: Path,
    plain: FetchOptions,
    tmp_path: Path,
) -> None:
    body, checksum = archive
    repository = Repository(tmp_path / "repository")
    repository.commit({name: content.decode() for name, content in PACK.items()})
    inside = [
        archive_at(server.serve("/netops.tar.gz", body)),
        {"type": "git", "url": serve_repository(server, repository), "ref": "main"},
        {"type": "git", "url": "ssh://git@127.0.0.1/x", "ref": "main"},
        {"type": "git", "url": "git@127.0.0.1:x", "ref": "main"},
    ]
    public = new_server(public_address)
    url = public.serve("/index.json", json.dumps(index_of({"1.0.0": (str(checksum), inside)})).encode())
    options = replace(plain, indexes=(url,))
    with pytest.raises(SourceRefused, match="private address") as raised:
        fetch(IndexSource("netops"), into, options)
    assert [note.count("private address") for note in raised.value.__notes__] == [1, 1, 1]
    assert not server.requests
    assert fetch(IndexSource("netops"), into, replace(options, allow_private=True)).path.exists()


def test_git_connects_to_the_address_that_was_checked(
    server: WebServer,
    names: dict[str, list[str]],
    archive: tuple[bytes, Checksum],
    into: Path,
    plain: FetchOptions,
    tmp_path: Path,
) -> None:
    """No name server knows the host: git is told where it is."""
    names["repositories.test"] = ["127.0.0.1"]
    repository = Repository(tmp_path / "repository")
    repository.commit({name: content.decode() for name, content in PACK.items()})
    serve_repository(server, repository)
    source = {"type": "git", "url": server.url("/repository", host="repositories.test"), "ref": "main"}
    index = written(tmp_path / "index.json", index_of({"1.0.0": (str(archive[1]), [source])}))
    assert fetch(IndexSource("netops"), into, replace(plain, indexes=(index,))).path.is_dir()


@pytest.mark.parametrize(("version", "holds"), [("2.36.6", False), ("2.37.0", True), ("3.0.0.rc1", True)])
def test_a_git_that_cannot_be_held_to_an_address(
    new_server: NewServer,
    public_address: str,
    archive: tuple[bytes, Checksum],
    into: Path,
    plain: FetchOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    holds: bool,
) -> None:
    """It passes over the setting, and asks the name server for an address that nobody checked."""
    programs = tmp_path / "programs"
    programs.mkdir()
    git = programs / "git"
    git.write_text(
        '#!/bin/sh\nfor last; do :; done\n[ "$last" = version ] && echo "git version '
        f'{version}" && exit\nexec {shutil.which("git")} "$@"\n'
    )
    git.chmod(0o755)
    repository = Repository(tmp_path / "repository")
    repository.commit({name: content.decode() for name, content in PACK.items()})
    public = new_server(public_address)
    source = {"type": "git", "url": serve_repository(public, repository), "ref": "main"}
    index = public.serve("/index.json", json.dumps(index_of({"1.0.0": (str(archive[1]), [source])})).encode())
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    options = replace(plain, indexes=(index,))
    if holds:
        assert fetch(IndexSource("netops"), into, options).path.is_dir()
    else:
        with pytest.raises(SourceUnavailable, match=r"git 2\.37 or later"):
            fetch(IndexSource("netops"), into, options)
        assert fetch(IndexSource("netops"), into, replace(options, allow_private=True)).path.is_dir()


def test_an_archive_beside_its_index(
    archive: tuple[bytes, Checksum], into: Path, plain: FetchOptions, tmp_path: Path, server: WebServer
) -> None:
    body, checksum = archive
    registry = tmp_path / "registry"
    (registry / "packs").mkdir(parents=True)
    (registry / "packs" / "n.tar.gz").write_bytes(body)
    index = index_of({"1.0.0": (str(checksum), [archive_at("packs/n.tar.gz")])})
    path = written(registry / "index.json", index)
    fetched = fetch(IndexSource("netops"), into, replace(plain, indexes=(path,)))
    assert fetched.path == registry / "packs" / "n.tar.gz"
    assert (fetched.provenance.kind, fetched.provenance.verified) == (SourceKind.ARCHIVE, True)
    server.serve("/registry/packs/n.tar.gz", body)
    url = server.serve("/registry/index.json", json.dumps(index).encode())
    fetched = fetch(IndexSource("netops"), into, replace(plain, indexes=(url,)))
    assert fetched.provenance.url == server.url("/registry/packs/n.tar.gz")


@pytest.mark.parametrize(
    "url", ["/etc/passwd", "../secret.tar", "packs/../../secret.tar", "link/x", "~/x", "file:///x"]
)
def test_archives_that_do_not_lie_beside_their_index(
    into: Path, plain: FetchOptions, tmp_path: Path, url: str
) -> None:
    registry = tmp_path / "registry"
    registry.mkdir()
    (tmp_path / "secret.tar").touch()
    (registry / "link").symlink_to("/etc")
    path = written(registry / "index.json", index_of({"1.0.0": (OTHER, [archive_at(url)])}))
    with pytest.raises(SourceRefused, match=r"below its own folder|out of its own folder"):
        fetch(IndexSource("netops"), into, replace(plain, indexes=(path,)))


def test_two_claims_for_one_version(into: Path, plain: FetchOptions, tmp_path: Path) -> None:
    index = index_of({"1.0.0": (OTHER, [])})
    index["packs"][0]["releases"].append({"version": "1.0.0", "checksum": f"sha256:{'1' * 64}"})
    path = written(tmp_path / "index.json", index)
    with pytest.raises(SourceDamaged, match="no index that can be used"):
        fetch(IndexSource("netops"), into, replace(plain, indexes=(path,)))


def test_an_index_without_a_checksum(into: Path, plain: FetchOptions, tmp_path: Path) -> None:
    index = index_of({"1.0.0": (OTHER, [])})
    index["packs"][0]["releases"] = []
    path = written(tmp_path / "index.json", index)
    with pytest.raises(SourceDamaged, match="nothing tells the checksum"):
        fetch(IndexSource("netops"), into, replace(plain, indexes=(path,), allow_unverified=True))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"packs": []}', b"[" * 200_000])
def test_what_is_no_index(server: WebServer, into: Path, plain: FetchOptions, body: bytes) -> None:
    url = server.serve("/index.json", body)
    with pytest.raises(SourceDamaged, match="no index that can be used"):
        fetch(IndexSource("netops"), into, replace(plain, indexes=(url,)))


def test_an_index_that_cannot_be_read_is_not_passed_over(
    server: WebServer, archive: tuple[bytes, Checksum], into: Path, plain: FetchOptions, tmp_path: Path
) -> None:
    body, checksum = archive
    release = (str(checksum), [archive_at(server.serve("/n.tar.gz", body))])
    good = written(tmp_path / "good.json", index_of({"1.0.0": release}))
    slow = server.silent("/slow.json")
    endless = server.dripping("/endless.json", b"HTTP/1.1 200 OK\r\n\r\n", b" " * 4_000_000)
    failing = server.serve("/failing.json", b"", status=503)
    for location, kind in (
        (slow, SourceUnavailable),
        (endless, SourceError),
        (failing, SourceUnavailable),
        (server.url("/gone.json"), SourceNotFound),
        (str(tmp_path / "gone.json"), SourceNotFound),
        (str(tmp_path), SourceUnavailable),
    ):
        options = replace(plain, indexes=(location, good), idle_timeout_s=0.3)
        with pytest.raises(kind):
            fetch(IndexSource("netops"), into, options)


def test_an_index_that_changes_while_it_is_used_is_read_once(
    server: WebServer, archive: tuple[bytes, Checksum], into: Path, plain: FetchOptions
) -> None:
    body, checksum = archive
    good = index_of({"1.0.0": (str(checksum), [archive_at(server.serve("/n.tar.gz", body))])})
    bad = index_of({"1.0.0": (OTHER, [archive_at(server.url("/n.tar.gz"))])})
    answers = [json.dumps(good).encode(), json.dumps(bad).encode()]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + answers.pop(0))

    server.answers["/index.json"] = answer
    options = replace(plain, indexes=(server.url("/index.json"),), cache_folder=None)
    fetched = fetch(IndexSource("netops"), into, options)
    assert fetched.provenance.verified
    fetched.path.unlink()
    with pytest.raises(SourceDamaged, match="another checksum"):
        fetch(IndexSource("netops"), into, options)


def test_a_checksum_that_was_given_must_be_the_indexs_too(
    server: WebServer, archive: tuple[bytes, Checksum], into: Path, plain: FetchOptions, tmp_path: Path
) -> None:
    body, checksum = archive
    release = (str(checksum), [archive_at(server.serve("/n.tar.gz", body))])
    options = replace(plain, indexes=(written(tmp_path / "index.json", index_of({"1.0.0": release})),))
    with pytest.raises(SourceDamaged, match="its index states"):
        fetch(IndexSource("netops"), into, replace(options, checksum=Checksum.parse(OTHER)))
    assert fetch(IndexSource("netops"), into, replace(options, checksum=checksum)).path.exists()


def test_what_an_index_names_comes_from_the_cache_the_second_time(
    server: WebServer, archive: tuple[bytes, Checksum], into: Path, plain: FetchOptions, tmp_path: Path
) -> None:
    body, checksum = archive
    release = (str(checksum), [archive_at(server.serve("/n.tar.gz", body))])
    options = replace(plain, indexes=(written(tmp_path / "index.json", index_of({"1.0.0": release})),))
    fetch(IndexSource("netops"), into, options).path.unlink()
    server.answers.clear()
    assert fetch(IndexSource("netops"), into, options).path.read_bytes() == body
    assert len(server.requests) == 1


def test_of_several_indexes_the_first_alone_gets_the_token(
    new_server: NewServer,
    server: WebServer,
    archive: tuple[bytes, Checksum],
    into: Path,
    plain: FetchOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INDEX_TOKEN", "s3cret")
    body, checksum = archive
    public = new_server()
    sources = [archive_at(public.serve("/n.tar.gz", body))]
    own = server.serve("/index.json", json.dumps(index_of({"1.0.0": (OTHER, [])}, ref="other")).encode())
    index = json.dumps(index_of({"1.0.0": (str(checksum), sources)})).encode()
    options = replace(plain, indexes=(own, public.serve("/index.json", index)), token_env="INDEX_TOKEN")
    fetch(IndexSource("netops"), into, options)
    assert [each.headers.get("authorization") for each in server.requests] == ["Bearer s3cret"]
    assert [each.headers.get("authorization") for each in public.requests] == [None, None]

"""``longshore deploy`` of what is not on this machine yet, and what a release tells of where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore_bundles import UnpackLimits
from longshore_client import contents

from .command_line import Run
from .indexed import pack_of, packed, write_index
from .packs import write_pack
from .sources.repositories import Repository
from .sources.web_server import WebServer

INDEXED = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, and no proxy before what is on this machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.close()


def source_of(run: Run, project: str, version: str = "1.0.0") -> dict[str, object]:
    (told,) = run("releases", project, version, "-o", "json").objects
    source = told["source"]
    assert isinstance(source, dict)
    return source


def test_from_a_url(run: Run, project: str, tmp_path: Path, web: WebServer) -> None:
    url = web.serve("/pack.tar?token=secret", packed(write_pack(tmp_path / "pack", project)))
    refused = run("deploy", url)
    assert refused.code == 4
    assert "--allow-http" in refused.err
    deployed = run("deploy", url, "--allow-http")
    assert (deployed.code, deployed.out) == (0, f"{project} 1.0.0 is live in default on 1 node\n")
    assert "not verified" in deployed.err
    source = source_of(run, project)
    assert (source["kind"], source["url"], source["verified"]) == (
        "url",
        web.url("/pack.tar") + "?…",
        False,
    )
    assert "secret" not in deployed.err + deployed.out


def test_with_another_checksum_it_is_not_sent(run: Run, project: str, tmp_path: Path, web: WebServer) -> None:
    url = web.serve("/pack.tar", packed(write_pack(tmp_path / "pack", project)))
    wrong = run("deploy", url, "--allow-http", "--checksum", f"sha256:{INDEXED}")
    assert wrong.code == 8
    assert INDEXED in wrong.err
    assert run("projects", project).code == 3


def test_of_what_was_fetched_not_too_much_is_unpacked(
    run: Run, project: str, tmp_path: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = web.serve("/pack.tar", packed(write_pack(tmp_path / "pack", project)))
    (tmp_path / "pack.tar").write_bytes(packed(tmp_path / "pack"))
    monkeypatch.setattr(contents, "FETCHED_LIMITS", UnpackLimits(max_total_bytes=1000))
    refused = run("deploy", url, "--allow-http")
    assert refused.code != 0
    assert "unpacks to more than 1000 bytes" in refused.err
    needing = run("deploy", url, "--allow-http", "--with-dependencies", "--yes", "--project", project)
    assert needing.code != 0
    assert "TOTAL_TOO_LARGE" in needing.err
    # The servers look for themselves, and a person's own file is looked at whole.
    assert run("deploy", url, "--allow-http", "--project", project).code == 0
    assert run("deploy", tmp_path / "pack.tar").code == 0


def test_a_manifest_that_leads_out_of_a_repository(run: Run, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    (tmp_path / "outside").write_text("ref: secret\n")
    (repository.path / "pack.yaml").symlink_to(tmp_path / "outside")
    repository.commit({".longshoreignore": "pack.yaml\n", "a.txt": "hi"})
    refused = run("deploy", f"git+{repository.url}")
    assert refused.code != 0
    assert "pack.yaml is not read: it is a link" in refused.err
    assert "secret" not in refused.err


def test_from_a_commit(run: Run, project: str, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    write_pack(repository.path, project)
    commit = repository.commit({})
    deployed = run("deploy", f"git+{repository.url}")
    assert (deployed.code, deployed.out) == (0, f"{project} 1.0.0 is live in default on 1 node\n")
    source = source_of(run, project)
    assert (source["kind"], source["ref"]) == ("git", commit)


@pytest.mark.parametrize(
    ("source", "code", "told"),
    [
        ("./nowhere", 3, "./nowhere does not exist"),
        ("nowhere", 3, "nowhere does not exist, and there is no index"),
        ("nowhere@^1", 3, "name one with --index"),
        ("no such thing", 3, "does not exist"),
        ("npm:", 2, "npm:NAME@VERSION"),
        ("https://github.com/ada/netops", 2, "write git+https://github.com/ada/netops"),
        ("https://github.com/ada/netops/tree/main", 2, "write git+https://github.com/ada/netops@main"),
        ("https://github.com/ada/netops/tree/v1.4/packs", 2, "write git+https://github.com/ada/netops@v1.4"),
        ("https://git.example.org/a/b/c/-/tree/v2", 2, "write git+https://git.example.org/a/b/c@v2"),
        ("https://codeberg.org/ada/netops/src/branch/main", 2, "git+https://codeberg.org/ada/netops@main"),
    ],
    ids=str,
)
def test_what_is_none_says_what_to_write(run_alone: Run, source: str, code: int, told: str) -> None:
    refused = run_alone("deploy", source)
    assert (refused.code, refused.out) == (code, "")
    assert told in refused.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-", "--checksum", f"sha256:{INDEXED}"], "give --sha256"),
        (["-", "--index", "index.json", "--allow-http"], "--index and --allow-http: standard input"),
        ([".", "--index", "index.json"], "add --with-dependencies"),
        (
            [".", "--allow-http", "--source-token-env", "TOKEN"],
            "--source-token-env and --allow-http: the source",
        ),
        ([".", "--with-dependencies", "--source-token-env", "TOKEN"], "--source-token-env: the source is on"),
        ([".", "--unpack"], "--unpack is for the wheels"),
        (["https://example.org/pack.tar", "--index", "index.json"], "add --with-dependencies"),
        (["npm:left-pad", "--unpack"], "--unpack is for the wheels"),
        (["-", "--with-dependencies"], "can be looked at before"),
        ([".", "--with-dependencies", "--skip-dependencies"], "exclude each other"),
        ([".", "--with-dependencies", "--stage"], "--stage makes nothing live"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_options_that_would_do_nothing_are_refused(run_alone: Run, arguments: list[str], told: str) -> None:
    refused = run_alone("deploy", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert told in refused.err


@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "directory"])
def test_a_path_that_has_its_checksum(run: Run, project: str, tmp_path: Path, is_archive: bool) -> None:
    pack = write_pack(tmp_path / "pack", project)
    path = tmp_path / "pack.tar"
    path.write_bytes(packed(pack))
    checksum = run("checksum", pack, "-q").out.strip()
    path = path if is_archive else pack
    assert run("deploy", path, "--checksum", f"sha256:{INDEXED}").code == 8
    disagreeing = run("deploy", path, "--checksum", checksum, "--sha256", INDEXED)
    assert disagreeing.code == 4
    assert INDEXED in disagreeing.err
    assert run("deploy", path, "--checksum", checksum).code == 0
    source = source_of(run, project)
    assert (source["kind"], source["url"]) == ("file" if is_archive else "directory", str(path))
    assert (source["verified"], str(source["checksum"])[:7]) == (True, "sha256:")


def test_a_release_tells_the_index_ref_that_it_came_by(run: Run, project: str, tmp_path: Path) -> None:
    pack = pack_of(tmp_path, project, "1.2.0")
    index = write_index(tmp_path, pack)
    assert run("deploy", f"{project}@^1", "--index", index).code == 0
    sha256 = hashlib.sha256(packed(pack)).hexdigest()
    assert source_of(run, project, "1.2.0") == {
        "kind": "file",
        "url": str(tmp_path / f"{project}-1.2.0.tar"),
        "ref": f"{project}@1.2.0",
        "checksum": f"sha256:{sha256}",
        "verified": True,
    }

"""Commits of real repositories, and what repositories try to bring along."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longshore_bundles import directory_checksum
from longshore_client.errors import DestinationUnusable
from longshore_client.sources import (
    Checksum,
    Deadline,
    FetchOptions,
    GitSource,
    SourceDamaged,
    SourceError,
    SourceInvalid,
    SourceKind,
    SourceNotFound,
    SourceRefused,
    SourceTooLarge,
    SourceUnavailable,
    fetch,
    git_fetching,
)
from tests.services.certificates import Authority

from .conftest import NewServer
from .repositories import Repository, serve_repository
from .web_server import WebServer


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's own configuration of git, empty at first."""
    settings = tmp_path / "gitconfig"
    settings.touch()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return settings


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "widgets.git")
    made.commit({"a.txt": "one\n", "sub/b.txt": "two\n"})
    return made


def _files(tree: Path) -> dict[str, str]:
    return {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}


def test_branches_tags_and_commits(repository: Repository, into: Path) -> None:
    repository.git("tag", "-a", "v1", "-m", "m")
    first = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "--quiet", "-b", "feature/x")
    second = repository.commit({"a.txt": "changed\n"})
    for number, (ref, commit, text) in enumerate(
        [
            ("", second, "changed\n"),
            ("main", first, "one\n"),
            ("v1", first, "one\n"),
            (second, second, "changed\n"),
        ]
    ):
        folder = into / str(number)
        folder.mkdir()
        fetched = fetch(GitSource(repository.url, ref), folder)
        assert fetched.path == folder / "widgets"
        assert _files(fetched.path) == {"a.txt": text, "sub/b.txt": "two\n"}
        assert [path.name for path in folder.iterdir()] == ["widgets"]
        provenance = fetched.provenance
        assert (provenance.kind, provenance.url, provenance.ref) == (SourceKind.GIT, repository.url, commit)
        assert provenance.checksum == f"sha256:{directory_checksum(fetched.path)}"
        assert provenance.verified == (ref == commit)


@pytest.mark.parametrize("ref", ["nothing", "refs/heads/nothing", "0" * 40, "v1.0.0-rc.1"])
def test_a_ref_that_is_not_there(repository: Repository, into: Path, ref: str) -> None:
    with pytest.raises(SourceNotFound, match="has not the ref"):
        fetch(GitSource(repository.url, ref), into)
    assert not list(into.iterdir())


def test_a_repository_that_is_not_there(tmp_path: Path, into: Path) -> None:
    with pytest.raises(SourceNotFound, match="no git repository"):
        fetch(GitSource(f"file://{tmp_path}/nothing"), into)


def test_a_repository_without_a_commit(tmp_path: Path, into: Path) -> None:
    with pytest.raises(SourceNotFound, match="default branch"):
        fetch(GitSource(Repository(tmp_path / "empty").url), into)


@pytest.mark.parametrize(
    "ref", ["-x", "--upload-pack=touch pwned", "main:refs/heads/x", "+main", "a b", "@{-1}"]
)
def test_refs_that_are_something_else(repository: Repository, into: Path, ref: str) -> None:
    with pytest.raises(SourceInvalid, match=r"looks like an option|no git ref"):
        fetch(GitSource(repository.url, ref), into)


def test_a_ref_to_what_is_no_commit(repository: Repository, into: Path) -> None:
    repository.git("tag", "tree", "HEAD^{tree}")
    with pytest.raises(SourceError):
        fetch(GitSource(repository.url, "tree"), into)
    assert not list(into.iterdir())


def test_nothing_that_a_repository_names_is_run(
    repository: Repository, into: Path, tmp_path: Path, no_settings_of_this_machine: Path
) -> None:
    ran = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / name).chmod(0o755)
    repository.commit({".gitattributes": "*.txt filter=evil ident\n", "c.txt": "$Id$\n"})
    no_settings_of_this_machine.write_text(
        f"[core]\n\thooksPath = {hooks}\n\tautocrlf = true\n"
        f'[filter "evil"]\n\tsmudge = touch {ran}; cat\n\trequired = true\n'
    )
    fetched = fetch(GitSource(repository.url), into)
    assert not ran.exists()
    assert (fetched.path / "c.txt").read_bytes() == b"$Id$\n"


def test_what_a_repository_or_a_person_says_of_line_ends_and_encodings(
    repository: Repository, into: Path, tmp_path: Path, no_settings_of_this_machine: Path
) -> None:
    """A commit is the same tree everywhere, and no larger than was counted."""
    (tmp_path / "attributes").write_text("* eol=crlf\n")
    no_settings_of_this_machine.write_text(
        f"[core]\n\teol = crlf\n\tautocrlf = true\n\tattributesFile = {tmp_path}/attributes\n"
    )
    (repository.path / ".gitattributes").write_text("a.txt text\nc.txt working-tree-encoding=UTF-32\n")
    repository.git("add", ".gitattributes")
    (repository.path / "c.txt").write_text("c\n", "utf-32")
    repository.commit({"d.txt": "d\n"})
    fetched = fetch(GitSource(repository.url), into)
    contents = {path.name: path.read_bytes() for path in fetched.path.glob("*.txt")}
    assert contents == {"a.txt": b"one\n", "c.txt": b"c\n", "d.txt": b"d\n"}


def test_submodules_and_large_files_elsewhere_are_told(
    repository: Repository, into: Path, tmp_path: Path
) -> None:
    inner = Repository(tmp_path / "inner")
    inner.commit({"x": "y"})
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.url, "vendored")
    repository.commit({"model.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"})
    fetched = fetch(GitSource(repository.url), into)
    assert list((fetched.path / "vendored").iterdir()) == []
    submodules, large = sorted(fetched.notes, reverse=True)
    assert "vendored" in submodules
    assert "model.bin" in large


def test_links_and_modes_come_along(repository: Repository, into: Path) -> None:
    (repository.path / "run").write_text("#!/bin/sh\n")
    (repository.path / "run").chmod(0o755)
    (repository.path / "link").symlink_to("sub/b.txt")
    repository.commit({})
    fetched = fetch(GitSource(repository.url), into)
    assert (fetched.path / "run").stat().st_mode & 0o100
    assert (fetched.path / "link").readlink() == Path("sub/b.txt")
    assert fetched.provenance.checksum == f"sha256:{directory_checksum(repository.path)}"


def test_a_commit_that_is_too_large(repository: Repository, into: Path) -> None:
    repository.commit({"zeros": "0" * 200_000})
    with pytest.raises(SourceTooLarge, match="holds more than 100000 bytes"):
        fetch(GitSource(repository.url), into, FetchOptions(most_bytes=100_000))
    assert not list(into.iterdir())


def test_a_commit_whose_list_of_files_never_ends(
    repository: Repository, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each tree holds the last one ten times over: 10^9 files out of ten objects."""
    monkeypatch.setattr(git_fetching, "MOST_ENTRIES", 5_000)
    blob = repository.git("hash-object", "-w", "a.txt")
    tree = _tree(repository, [f"100644 blob {blob}\t{number}" for number in range(10)])
    for _ in range(8):
        tree = _tree(repository, [f"040000 tree {tree}\t{number}" for number in range(10)])
    commit = repository.git("commit-tree", "-m", "m", tree)
    repository.git("branch", "bomb", commit)
    with pytest.raises(SourceTooLarge, match="more than 5000 files"):
        fetch(GitSource(repository.url, "bomb"), into)


def test_a_path_that_never_ends(repository: Repository, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_fetching, "_MOST_PATH_BYTES", 1_000)
    blob = repository.git("hash-object", "-w", "a.txt")
    tree = _tree(repository, [f"100644 blob {blob}\tx"])
    for _ in range(30):
        tree = _tree(repository, [f"040000 tree {tree}\t{'a' * 100}"])
    repository.git("branch", "deep", repository.git("commit-tree", "-m", "m", tree))
    with pytest.raises(SourceError):
        fetch(GitSource(repository.url, "deep"), into)
    assert not list(into.iterdir())


def _tree(repository: Repository, entries: list[str]) -> str:
    listing = repository.path / ".git" / "listing"
    listing.write_text("\n".join(entries) + "\n")
    return repository.git("-c", f"alias.made=!git mktree < '{listing}'", "made")


def test_the_time_is_bounded(server: WebServer, into: Path, plain: FetchOptions) -> None:
    url = server.silent("/slow/info/refs?service=git-upload-pack").removesuffix(
        "/info/refs?service=git-upload-pack"
    )
    with pytest.raises(SourceUnavailable, match=r"took longer than 0\.5 s"):
        fetch(GitSource(url), into, replace(plain, timeout_s=0.5))
    assert not list(into.iterdir())


def test_the_time_holds_for_looking_into_it_too(
    repository: Repository, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadline = Deadline(3600)

    def late(*arguments: Any) -> tuple[str, tuple[str, ...]]:
        found = check_out(*arguments)
        monkeypatch.setattr(deadline, "left_s", lambda: ended.left_s())
        return found

    check_out, ended = git_fetching._check_out, Deadline(0)
    monkeypatch.setattr(git_fetching, "_check_out", late)
    with pytest.raises(SourceUnavailable, match="took longer than 0 s"):
        git_fetching.fetch_git(GitSource(repository.url), into, FetchOptions(), deadline, expected=None)
    assert not list(into.iterdir())


def test_over_http(server: WebServer, repository: Repository, into: Path, plain: FetchOptions) -> None:
    url = serve_repository(server, repository)
    with pytest.raises(SourceRefused, match="--allow-http"):
        fetch(GitSource(url, "main"), into)
    assert not server.requests
    fetched = fetch(GitSource(url, "main"), into, plain)
    assert fetched.path.name == "repository"
    assert (fetched.path / "a.txt").read_text() == "one\n"


def test_redirects_of_repositories_are_not_followed(
    server: WebServer, new_server: NewServer, repository: Repository, into: Path, plain: FetchOptions
) -> None:
    elsewhere = new_server()
    serve_repository(elsewhere, repository)
    target = "/repository/info/refs?service=git-upload-pack"
    server.redirect(target, elsewhere.url(target))
    with pytest.raises(SourceUnavailable, match="git cannot fetch"):
        fetch(GitSource(server.url("/repository")), into, plain)
    assert not elsewhere.requests


def test_a_checksum_that_was_given(repository: Repository, into: Path) -> None:
    right = Checksum("sha256", directory_checksum(repository.path))
    provenance = fetch(GitSource(repository.url), into, FetchOptions(checksum=right)).provenance
    assert (provenance.verified, provenance.verified_by) == (True, "checksum given")
    other = into / "other"
    other.mkdir()
    with pytest.raises(SourceDamaged, match="not sha256:000"):
        fetch(GitSource(repository.url), other, FetchOptions(checksum=Checksum("sha256", "0" * 64)))
    assert not list(other.iterdir())


def test_the_token_goes_to_the_server_as_git_wants_it(
    new_server: NewServer,
    authority: Authority,
    repository: Repository,
    into: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_TOKEN", "s3cret")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(authority.ca_file))
    server = new_server(tls=authority.issue("x", hosts=["127.0.0.1"]))
    fetched = fetch(
        GitSource(serve_repository(server, repository)), into, FetchOptions(token_env="GIT_TOKEN")
    )
    encoded = base64.b64encode(b"x-access-token:s3cret").decode()
    assert {each.headers.get("authorization") for each in server.requests} == {f"Basic {encoded}"}
    assert "s3cret" not in repr(fetched)


def test_the_token_never_goes_out_unencrypted(
    server: WebServer,
    repository: Repository,
    into: Path,
    plain: FetchOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_TOKEN", "s3cret")
    with pytest.raises(SourceRefused, match="over plain HTTP"):
        fetch(GitSource(serve_repository(server, repository)), into, replace(plain, token_env="GIT_TOKEN"))
    assert not server.requests


def test_a_server_that_repeats_the_token(
    new_server: NewServer, authority: Authority, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server says goes into the error, by way of git."""
    monkeypatch.setenv("GIT_TOKEN", "s3cret")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(authority.ca_file))
    server = new_server(tls=authority.issue("x", hosts=["127.0.0.1"]))
    encoded = base64.b64encode(b"x-access-token:s3cret").decode()
    server.serve(
        "/x/info/refs?service=git-upload-pack",
        f"you sent {encoded} which is s3cret".encode(),
        status=403,
        Content_Type="text/plain",
    )
    with pytest.raises(SourceError, match="you sent … which is …") as raised:
        fetch(GitSource(server.url("/x")), into, FetchOptions(token_env="GIT_TOKEN"))
    assert "s3cret" not in repr(raised.value.__cause__)


def test_a_directory_that_is_there_already(repository: Repository, into: Path) -> None:
    (into / "widgets").mkdir()
    (into / "widgets" / "mine").touch()
    with pytest.raises(DestinationUnusable, match="exists already"):
        fetch(GitSource(repository.url), into)
    assert (into / "widgets" / "mine").exists()


def test_without_the_program(into: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(into))
    with pytest.raises(SourceUnavailable, match="git is not installed"):
        fetch(GitSource(repository.url), into)


def test_over_ssh(
    repository: Repository, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What git starts for ssh is told the host and the command, and has no terminal to ask anybody at."""
    script = tmp_path / "ssh"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n'
        f"(: < /dev/tty) 2>/dev/null && echo terminal >> {tmp_path}/asked\n"
        'for command; do :; done\nexec sh -c "$command"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    for number, url in enumerate(
        (f"git@host.test:{repository.path}", f"ssh://git@host.test{repository.path}")
    ):
        folder = into / str(number)
        folder.mkdir()
        fetched = fetch(GitSource(url, "main"), folder)
        assert fetched.provenance.url == url
        assert (fetched.path / "a.txt").exists()
    asked = (tmp_path / "asked").read_text()
    assert "git@host.test git-upload-pack" in asked
    assert "terminal" not in asked


def test_an_ssh_that_stays_for_the_next_connection(
    repository: Repository, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the other end of git's complaints, as ``ControlPersist`` has it."""
    script = tmp_path / "ssh"
    script.write_text('#!/bin/sh\nsleep 60 > /dev/null &\nfor command; do :; done\nexec sh -c "$command"\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    options = FetchOptions(timeout_s=20)
    assert fetch(GitSource(f"git@host.test:{repository.path}", "main"), into, options).path.exists()


def test_what_is_set_for_another_repository_does_not_count(
    repository: Repository, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a hook or a CI job that runs inside a repository."""
    other = Repository(tmp_path / "other")
    other.commit({"mine": "x"})
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git" / "index"))
    fetched = fetch(GitSource(repository.url), into)
    assert _files(fetched.path) == {"a.txt": "one\n", "sub/b.txt": "two\n"}
    assert (other.path / "mine").exists()

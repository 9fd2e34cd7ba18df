"""Contexts: which server is asked, a whole file or an error that names the line, and no lost change."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from longshore_client.cli.choosing import choose
from longshore_client.cli.contexts import ContextError, change_contexts, load_contexts
from tests.services.processes import ServerProcess

from .command_line import Run

FILE = """\
current: a
contexts:
  a:
    server: a:1
    environment: staging
    project: web
  b:
    server: b:1,b:2
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The contexts file, with two contexts; no server is named."""
    monkeypatch.delenv("LONGSHORE_SERVER", raising=False)
    file = tmp_path / "config" / "longshore" / "contexts.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(FILE)
    return file


@pytest.mark.parametrize(
    ("options", "variables", "chosen"),
    [
        ((None, None), (None, None), ("a:1", "staging", "web", "current")),
        ((None, None), (None, "b"), ("b:1,b:2", "default", "", "LONGSHORE_CONTEXT")),
        ((None, None), ("v:1", None), ("v:1", "default", "", "LONGSHORE_SERVER")),
        ((None, None), ("v:1", "a"), ("v:1", "staging", "web", "LONGSHORE_SERVER")),
        ((None, "a"), ("v:1", "b"), ("a:1", "staging", "web", "--context")),
        (("o:1", None), ("v:1", None), ("o:1", "default", "", "--server")),
        (("o:1", None), (None, "a"), ("o:1", "staging", "web", "--server")),
        (("o:1", "a"), ("v:1", "b"), ("o:1", "staging", "web", "--server")),
    ],
)
def test_what_goes_first(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str | None, str | None],
    variables: tuple[str | None, str | None],
    chosen: tuple[str, str, str, str],
) -> None:
    for name, value in zip(("LONGSHORE_SERVER", "LONGSHORE_CONTEXT"), variables, strict=True):
        if value is not None:
            monkeypatch.setenv(name, value)
    found = choose(*options)
    assert (found.server, found.environment, found.project, found.source) == chosen


def test_without_a_file_the_default_is_asked(path: Path) -> None:
    path.unlink()
    found = choose(None, None)
    assert (found.server, found.environment, found.source) == ("127.0.0.1:7420", "default", "default")


@contextmanager
def somebody_else() -> Iterator[None]:
    """Whom root is not: every folder is open to it."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.parametrize("home", ["another's", "/dev/null", "/no/such/folder"])
def test_a_home_that_cannot_be_entered_holds_no_contexts(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    (tmp_path / "another's" / ".config").mkdir(parents=True)
    (tmp_path / "another's").chmod(0)
    monkeypatch.setenv("HOME", str(tmp_path / home))
    with somebody_else():
        found = choose(None, None)
        assert (found.server, found.source) == ("127.0.0.1:7420", "default")
        with pytest.raises(ContextError):
            choose(None, "a")
        with pytest.raises(ContextError):
            choose("o:1", "a")


def test_a_file_that_only_another_may_read_is_no_missing_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a command would go to another server than the one that is in use."""
    path.chmod(0)
    with tempfile.TemporaryDirectory() as config:
        monkeypatch.setenv("XDG_CONFIG_HOME", config)
        Path(config).chmod(0o755)
        path.parent.rename(Path(config) / "longshore")
        with somebody_else(), pytest.raises(ContextError, match="Permission denied"):
            choose(None, None)


def test_without_a_home_there_are_no_contexts(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert choose(None, None).server == "127.0.0.1:7420"
    for command in (["--context", "a", "list"], ["context", "list"]):
        ran = run(*command)
        assert (ran.code, "set XDG_CONFIG_HOME" in ran.err) == (2, True)


def test_a_walk(run: Run, server: ServerProcess, monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    monkeypatch.delenv("LONGSHORE_SERVER")
    assert "no contexts in" in run("context", "list").err
    assert run("context", "set", "new").code == 2
    made = run("context", "set", "here", "--server", server.address, "--project", "walk")
    assert made.out == f"here is {server.address}; commands use it\n"
    run("context", "set", "away", "--server", "127.0.0.1:1", "-e", "production")
    assert [row["name"] for row in run("context", "list", "-o", "json").objects if row["current"]] == ["here"]

    deployed = run("deploy", tree)
    assert deployed.out == "walk 1.0.0 is live in default on 1 node\n"
    assert "1.0.0" in run("releases").out
    assert run("deploy-release", "@1.0.0").out == deployed.out
    assert run("--context", "away", "context", "show", "-q").out == "away\n"
    assert run("context", "use", "away").out == "commands talk to 127.0.0.1:1\n"
    assert run("list").code == 6
    assert run("--server", server.address, "rollback").code == 2
    shown = run("context", "show", "-o", "json").objects
    assert (shown[0]["server"], shown[0]["environment"]) == ("127.0.0.1:1", "production")
    removed = run("context", "remove", "away")
    assert (removed.code, removed.out) == (0, "away is forgotten\n")
    assert run("context", "show", "-q").out == ""
    nowhere = run("context", "use", "away")
    assert (nowhere.code, "there are here" in nowhere.err) == (2, True)


def test_the_manifest_goes_before_the_context(
    run: Run, server: ServerProcess, path: Path, project: str, tree: Path
) -> None:
    path.write_text(f"contexts:\n  here:\n    server: {server.address}\n    project: other\n")
    (tree / "package.json").write_text(f'{{"name": "{project}", "version": "3.0.0"}}')
    assert run("--context", "here", "deploy", tree).out.startswith(f"{project} 3.0.0 is live")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("contexts: [", 1, "expected the node content"),
        ("contexts:\n  a:\n    server: x:1\n    sever: y:1\n", 4, "'sever' is unknown"),
        ("contexts:\n  a:\n    server: nonsense\n", 3, "write HOST:PORT"),
        ("contexts:\n  a:\n    server: x:1\n    environment: Prod\n", 4, "'Prod' is no name"),
        ("contexts:\n  a:\n    project: web\n", 3, "has no server"),
        ("contexts:\n  a:\n    server: [x]\n", 3, "must be a word"),
        ("contexts:\n  a:\n    server: x:1\n  a:\n    server: y:1\n", 4, "'a' stands here twice"),
        ("current: b\ncontexts:\n  a:\n    server: x:1\n", 1, "no context is called 'b'"),
        ("- a\n", 1, "the file must be keys"),
        ("contexts:\n\t a: b\n", 2, "cannot start any token"),
    ],
)
def test_a_broken_file_is_named_with_its_line(run: Run, path: Path, text: str, line: int, says: str) -> None:
    path.write_text(text)
    for command in (
        ["context", "list"],
        ["context", "set", "c", "--server", "c:1"],
        ["--context", "a", "list"],
    ):
        ran = run(*command)
        assert ran.code == 2
        assert f"{path}, line {line}: " in ran.err
        assert says in ran.err
    assert path.read_text() == text


def test_a_file_that_is_no_text(run: Run, path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    assert (run("context", "list").code, run("context", "list").out) == (2, "")
    path.unlink()
    path.mkdir()
    assert str(path) in run("context", "list").err


def test_a_named_server_needs_no_file(run: Run, server: ServerProcess, path: Path) -> None:
    path.write_text("broken: [")
    assert run("list").code == 2
    assert run("--server", server.address, "list").code == 0


def test_only_its_owner_may_read_it_and_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "dotfiles" / "contexts.yaml"
    elsewhere.parent.mkdir()
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    change_contexts(lambda before: before)
    assert path.is_symlink()
    assert elsewhere.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in elsewhere.parent.iterdir()] == ["contexts.yaml"]
    assert load_contexts().by_name.keys() == {"a", "b"}


def test_changes_made_at_once_are_all_kept(path: Path) -> None:
    code = (
        "import dataclasses, sys\n"
        "from longshore_client.cli.contexts import Context, change_contexts\n"
        "for number in range(20):\n"
        "    made = Context(f'{sys.argv[1]}{number}', 'x:1')\n"
        "    add = lambda all: dataclasses.replace(all, by_name={**all.by_name, made.name: made})\n"
        "    change_contexts(add)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, prefix]) for prefix in ("p", "q", "r")]
    assert [each.wait(60) for each in writers] == [0, 0, 0]
    assert len(load_contexts().by_name) == 2 + 3 * 20

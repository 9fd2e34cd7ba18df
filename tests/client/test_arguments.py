"""Arguments that no command can mean anything by: wrong usage, told in words, before anything is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from longshore_client import Finding, Severity, errors
from longshore_client.cli.field_words import told_in_words

from .command_line import Run

ODD = os.fsdecode(b"f\xe9.bin")


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", ODD],
        ["deploy", ".", "-p", ODD],
        ["deploy", ".", "-p", "web", "-e", ODD],
        ["deploy", ".", "-p", "web", "--label", f"a={ODD}"],
        ["freeze", "web", "--reason", ODD],
        ["get", ODD],
        ["search", ODD, "--index", "index.json"],
        ["--context", ODD, "list"],
    ],
    ids=lambda arguments: " ".join(arguments).encode("ascii", "backslashreplace").decode(),
)
def test_what_is_not_utf8(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run(*arguments)
    assert ran.code == 2, ran.err
    assert r"f\xe9.bin' is not UTF-8" in ran.err


def test_what_is_not_utf8_for_a_command_of_the_server(run_alone: Run, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    assert run_alone("admin", "migrate", "--data-dir", data_dir).code == 0
    ran = run_alone("admin", "remove-node", ODD, "--yes", "--data-dir", data_dir)
    assert ran.code == 2, ran.err
    assert r"f\xe9.bin' is not UTF-8" in ran.err


def test_paths_are_whatever_bytes_they_are(run: Run, project: str, tmp_path: Path) -> None:
    (tmp_path / ODD).write_text("content")
    folder = tmp_path / os.fsdecode(b"d\xe9")
    folder.mkdir()
    (folder / "file").write_text("content")
    assert run("checksum", tmp_path / ODD, "-q").code == 0
    assert run("validate", folder).code == 0
    assert run("deploy", folder, "-p", project).code == 0
    refused = run("deploy", tmp_path / ODD, "-p", project)
    assert refused.code == 4, refused.err
    assert r"the file's name 'f\xe9.bin' is not UTF-8: give it one for the nodes (--file-name)" in refused.err
    assert run("deploy", tmp_path / ODD, "-p", project, "--file-name", "f.bin").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["deploy", ".", "--max-failed", "99999999999999"], "99999999999999 is more than 2147483647"),
        (["deploy", ".", "--at-once", "99999999999999"], "99999999999999 is more than 2147483647"),
        (["deploy", ".", "--canary", "99999999999999"], "99999999999999 is more than 2147483647"),
        (["keep", "web", "--releases", "999999999999999999999"], "is more than 2147483647"),
        (["keep", "web", "--rollback-targets", "2147483648"], "is more than 2147483647"),
        (["keep", "web", "--size", "99999999PB"], "is more than 9223372036854775807"),
        (["keep", "web", "--age", "99999999w"], "99999999w is more than 3652500d"),
        (["keep", "web", "--age", "9" * 400 + "w"], "is not like 12h or 30d"),
        (["watch", "ffffffff", "--after", "9223372036854775808"], "is more than 9223372036854775807"),
        (["watch", "ffffffff", "--wait-for-creation", "nan"], "'nan' is no number of seconds"),
        (["deploy", ".", "--timeout", "nan"], "'nan' is no number of seconds"),
        (["deploy", ".", "--timeout", "inf"], "'inf' is no number of seconds"),
        (["deploy", ".", "--timeout", "-1"], "-1.0 is not in the range x>=0"),
        (["verify", "web", "--timeout", "nan"], "'nan' is no number of seconds"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else None,
)
def test_numbers_that_no_call_can_carry(run: Run, arguments: list[str], says: str) -> None:
    ran = run(*arguments)
    assert (ran.code, says in ran.err) == (2, True), ran.err


def test_the_largest_numbers_are_taken(run: Run, project: str) -> None:
    for arguments in (
        ["keep", project, "--releases", "2147483647"],
        ["watch", "ffffffff-0000-4000-8000-000000000000", "--after", "9223372036854775807"],
    ):
        assert run(*arguments).code == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["deploy", ".", "-p", "Bad Name!"], "error: project: 'Bad Name!' is not a valid project name"),
        (["deploy", ".", "-p", "web", "--expect-live", "xyz"], "error: --expect-live: 'xyz' is no UUID"),
        (["deploy", ".", "-p", "web", "--label", "A B=c"], "error: --label: the key 'A B' does not match"),
        (["deploy", ".", "-p", "web", "--deployment-id", "xyz"], "error: deployment id: 'xyz' is no UUID"),
        (["deploy", ".", "-p", "web", "--failure-domain", "A B"], "error: --failure-domain: the key 'A B'"),
        (["deploy", ".", "-p", "web", "--kind", "pack"], "  --kind: the payload is a component"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_a_server_refuses_is_told_by_options_and_not_by_fields(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").touch()
    monkeypatch.chdir(tmp_path / "tree")
    ran = run(*arguments)
    assert (ran.code, says in ran.err) == (4, True), ran.err
    assert "header." not in ran.err


def test_findings_stay_as_they_are() -> None:
    finding = Finding("PATH_ESCAPES", Severity.ERROR, "leads out", "header.x", None)
    violation = errors.FieldViolation("header.x", "PATH_ESCAPES: leads out")
    error = errors.PayloadRefused("header.x: bad", findings=[finding], field_violations=[violation])
    assert told_in_words(error) == ("header.x: bad", [])

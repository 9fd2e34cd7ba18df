"""Lists that are cut say so, on standard error, and how to see the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from .command_line import Run
from .packs import GREET, LOST, write_pack

MORE = "… and more: {} shown; --limit N shows more, --limit all all\n"


@pytest.fixture
def published(run: Run, project: str, tmp_path: Path) -> str:
    """A project with two releases of three workflows."""
    for version in ("1.0.0", "1.1.0"):
        pack = write_pack(tmp_path / "pack", project, dict.fromkeys("abc", GREET), version=version)
        assert run("deploy", pack).code == 0
    return project


@pytest.mark.parametrize(
    ("command", "rows"),
    [
        (["workflows", "list"], 3),
        (["list"], 2),
        (["releases"], 2),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_list_that_is_cut(run: Run, published: str, command: Sequence[str], rows: int) -> None:
    for options in ([], ["-q"], ["-o", "json"]):
        heading = 0 if options else 1
        cut = run(*command, published, "-n", rows - 1, *options)
        # Who reads them one by one and said how many knows what they are.
        assert (cut.code, cut.err) == (0, "" if options else MORE.format(rows - 1))
        assert len(cut.out.splitlines()) == rows - 1 + heading
        for limit in (rows, "all"):
            whole = run(*command, published, "--limit", limit, *options)
            assert (whole.code, whole.err) == (0, "")
            assert len(whole.out.splitlines()) == rows + heading


def test_the_trail(run: Run, published: str) -> None:
    whole = run("audit", published, "--limit", "all", "-q")
    assert whole.err == ""
    ids = whole.out.splitlines()
    assert run("audit", published, "-q", "-n", str(len(ids))).err == ""
    assert run("audit", published, "-n", "1").err == MORE.format(1)


def test_a_list_that_nobody_limited(run: Run, project: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", project, {f"w{number}": GREET for number in range(21)})
    assert run("deploy", pack).code == 0
    for options in ([], ["-q"], ["-o", "json"]):
        cut = run("workflows", "list", project, *options)
        assert (cut.code, cut.err) == (0, MORE.format(20))
        assert len(cut.out.splitlines()) == (20 if options else 21)


@pytest.fixture
def wrong(project: str, tmp_path: Path) -> Path:
    """A pack with more errors than are kept one by one."""
    tasks = (f"  - {{name: t{number}, action: core.echo, on_success: nowhere}}" for number in range(1003))
    lost = "\n".join(["label: Lost", "version: 1.0.0", "tasks:", *tasks, ""])
    return write_pack(tmp_path / "pack", project, {"lost": lost, "other": LOST})


def test_findings_of_which_some_are_only_counted(run: Run, project: str, wrong: Path) -> None:
    assert run("deploy", wrong).code == 4
    (deployment_id,) = run("list", project, "-q").out.split()
    listed = {limit: run("findings", deployment_id, "-n", limit) for limit in ("20", "1000", "all")}
    assert [len(each.out.splitlines()) - 1 for each in listed.values()] == [20, 1000, 1000]
    total = 20 + int(listed["20"].err.split()[2].replace(",", ""))
    assert total > 1000
    assert {limit: each.err for limit, each in listed.items()} == {
        "20": f"… and {total - 20:,} more: 20 shown; --limit N shows more, --limit all all that are kept\n",
        "1000": f"… and {total - 1000:,} more, which were only counted\n",
        "all": f"… and {total - 1000:,} more, which were only counted\n",
    }
    assert run("findings", deployment_id, "-q").err == listed["20"].err
    assert run("findings", deployment_id, "-q", "-n", "20").err == ""


def test_a_summary_counts_what_is_not_told(run: Run, wrong: Path) -> None:
    checked = run("validate", wrong)
    lines = checked.out.splitlines()
    (told,) = run("validate", wrong, "-o", "json").objects
    total = told["total_findings"]
    assert isinstance(total, int)
    assert total > 1000
    assert len(lines) == 1002
    assert lines[-2] == f"… and {total - 1000} more"
    assert lines[-1].endswith(f" is not valid: 1,000 errors and more: {total:,} findings in all")
    by_server = run("workflows", "validate", wrong).out.splitlines()
    errors = int(by_server[-1].split()[3].replace(",", ""))
    assert 1000 < errors <= total
    assert by_server[-2:] == [
        f"… and {errors - 1000} more errors",
        f"2 workflows validated, {errors:,} errors",
    ]


def test_more_workflows_than_a_server_tells(run: Run, project: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", project, {f"w{number}": GREET for number in range(503)})
    assert run("deploy", pack).code == 0
    synced = run("workflows", "sync", project)
    assert synced.code == 0
    assert synced.out.splitlines()[-3:] == ["… and 3 more", "", "503 files read, 503 registered"]
    (told,) = run("workflows", "sync", project, "-o", "json").objects
    assert (told["total_registered"], told["total_pruned"]) == (503, 0)


def test_what_a_limit_cannot_be(run: Run) -> None:
    for arguments in (["list", "-n", "0"], ["list", "-n", "everything"], ["list", "--watch", "-n", "all"]):
        refused = run(*arguments)
        assert (refused.code, "--limit" in refused.err) == (2, True)

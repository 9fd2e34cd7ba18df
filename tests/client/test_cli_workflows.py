"""``longshore workflows`` against a real node."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore_client import SyncClient, Terms
from longshore_client.cli.workflow_diff import difference_lines, print_difference
from longshore_client.cli.workflow_results import ChangedTask, ChangedWorkflow, WorkflowDifferences
from tests.services.processes import ServerProcess

from .command_line import Run
from .hostile import TEXT
from .packs import GREET, LOST, OFF, write_pack
from .screen import Screen
from .test_hostile_words import bad_in


@pytest.fixture
def published(run: Run, project: str, tmp_path: Path) -> str:
    """A project with two releases: 1.0.0, in which one workflow is not valid, and 1.1.0, which is live."""
    pack = write_pack(tmp_path / "pack", project, {"greet": GREET, "lost": LOST, "off": OFF})
    assert run("deploy", pack, "--skip-validation").code == 0
    greet = GREET.replace("1.0.0", "1.1.0").replace("count", "sum").replace("hello", "bye")
    write_pack(pack, project, {"greet": greet, "new": GREET, "off": f"# A remark\n{OFF}"}, version="1.1.0")
    assert run("deploy", pack).code == 0
    return project


def test_looked_at(run: Run, published: str) -> None:
    listed = run("workflows", "list", published).out.splitlines()
    assert [line.split()[:3] for line in listed] == [
        ["WORKFLOW", "VERSION", "STATE"],
        [f"{published}.greet", "1.1.0", "enabled"],
        [f"{published}.new", "1.0.0", "enabled"],
        [f"{published}.off", "0.1.0", "disabled"],
    ]
    old = run("workflows", "list", published, "--version", "1.0.0", "--all")
    assert f"{published}.lost   1.0.0    not valid" in old.out
    assert run("workflows", "list", published, "-q", "-n", "1").out == f"{published}.greet\n"
    counted = run("workflows", "count", published)
    assert counted.out == "3 workflows live in default, 2 enabled\n"
    assert run("workflows", "count", published, "-q").out == "3\n"
    assert run("workflows", "list", published, "--version", "1.0.0", "-e", "default").code == 2


def test_one(run: Run, published: str) -> None:
    shown = run("workflows", "get", f"{published}.greet").out
    facts = dict(line.split("  ", 1) for line in shown.partition("\n\n")[0].splitlines())
    assert facts["release"].strip() == f"{published}@1.1.0"
    assert [line.split() for line in shown.partition("\n\n")[2].splitlines()] == [
        ["TASK", "RUNS", "THEN"],
        ["say", "core.echo", "sum"],
        ["sum", "core.sum"],
    ]
    lost = run("workflows", "get", f"{published}.lost", "--version", "1.0.0")
    assert f"longshore workflows validate {published}@1.0.0" in lost.err
    written = run("workflows", "get", f"{published}.lost", "--version", "1.0.0", "--source")
    assert written.out == LOST
    missing = run("workflows", "get", f"{published}.lost")
    assert (missing.code, "longshore workflows list" in missing.err) == (3, True)
    assert run("workflows", "get", published).code == 2
    assert run("workflows", "get", f"{published}.new", "--source", "-q").code == 2


def test_compared(run: Run, published: str) -> None:
    ran = run("workflows", "diff", published, "1.0.0", "1.1.0")
    assert (ran.code, ran.out.splitlines()) == (
        0,
        [
            f"+ {published}.new",
            f"- {published}.lost",
            f"~ {published}.greet: version",
            "  + task sum",
            "  - task count",
            "  ~ task say: input, on_success",
            f"~ {published}.off",
            "  it means the same: only comments, layout or the order of tasks differ",
        ],
    )
    refs = run("workflows", "diff", published, "1.0.0", "1.1.0", "-q").out.split()
    assert refs == [f"{published}.{name}" for name in ("new", "lost", "greet", "off")]
    same = run("workflows", "diff", published, "1.1.0", "1.1.0")
    assert (same.code, same.out, "are the same" in same.err) == (0, "", True)
    assert run("workflows", "diff", published, "1.0.0", "3.0.0").code == 3


def test_what_is_unregistered_is_not_compared(run: Run, published: str) -> None:
    assert run("workflows", "delete", published, "--yes").code == 0
    for old, new, which in (("1.0.0", "1.1.0", "1.0.0 and 1.1.0"), ("1.1.0", "1.1.0", "1.1.0")):
        for options in ([], ["-q"], ["-o", "json"]):
            refused = run("workflows", "diff", published, old, new, *options)
            assert (refused.code, refused.out) == (4, "")
            assert f"the workflows of {published} {which} are unregistered" in refused.err
    assert run("workflows", "sync", published, "--version", "1.1.0").code == 0
    one = run("workflows", "diff", published, "1.0.0", "1.1.0")
    assert (one.code, one.out) == (4, "")
    assert f"the workflows of {published} 1.0.0 are unregistered" in one.err
    assert f"`longshore workflows sync {published}` brings them back" in one.err
    assert run("workflows", "sync", published).code == 0
    assert run("workflows", "diff", published, "1.0.0", "1.1.0").out.startswith(f"+ {published}.new\n")


def test_releases_without_workflows(run: Run, project: str, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0"):
        assert run("deploy", write_pack(tmp_path / "pack", project, {}, version=version)).code == 0
    none = run("workflows", "diff", project, "1.0.0", "1.1.0")
    assert (none.code, none.out) == (0, "")
    assert none.err == f"the workflows of {project} 1.0.0 and 1.1.0 are the same\n"


def test_registered_again(run: Run, published: str) -> None:
    assert run("workflows", "delete", published).code == 2, "nobody can be asked"
    # Five that were registered, in two releases, and one that is not valid.
    deleted = run("workflows", "delete", published, "--yes").out
    assert deleted == f"6 workflows of all releases of {published} unregistered, also what was not valid\n"
    assert run("workflows", "delete", published, "--yes").out == "there was none\n"
    assert run("workflows", "list", published).err == "no workflows\n"
    synced = run("workflows", "sync", published)
    assert (synced.code, synced.out.splitlines()[-1]) == (0, "3 files read, 3 registered")
    assert [line.split()[2] for line in synced.out.splitlines()[1:4]] == ["created"] * 3
    assert run("workflows", "sync", published, "-q").out.split()[0] == f"{published}.greet"
    old = run("workflows", "sync", published, "--version", "1.0.0")
    assert (old.code, old.out.splitlines()[-1]) == (4, "3 files read, 2 registered, 1 error")
    assert "TASK_UNKNOWN workflows/lost.yaml:6" in old.out


def test_validated(run: Run, published: str, tmp_path: Path) -> None:
    stored = run("workflows", "validate", f"{published}@1.0.0")
    assert (stored.code, stored.out.splitlines()) == (
        4,
        [
            "error TASK_UNKNOWN workflows/lost.yaml:6: Task 'say' references non-existent task 'nowhere'",
            "3 workflows validated, 1 error",
        ],
    )
    here = run("workflows", "validate", tmp_path / "pack")
    assert (here.code, here.out) == (0, "3 workflows validated, no errors\n")
    own = GREET.replace("core.echo", f"{published}.restart")
    write_pack(tmp_path / "pack", published, {"own": own, "lost": LOST})
    assert run("workflows", "validate", tmp_path / "pack", "-q").out == "workflows/lost.yaml\n"
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a").touch()
    plain = run("workflows", "validate", tmp_path / "plain")
    assert (plain.code, "is no pack" in plain.err) == (4, True)
    for nothing in ("nothing", "./nothing", "x" * 5000):
        assert run("workflows", "validate", nothing).code == 3


def test_a_file_as_it_is_does_nothing_to_a_terminal(
    server: ServerProcess,
    project: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pack = write_pack(tmp_path / "pack", project, {"greet": f"{GREET}# {TEXT}\n"})
    with SyncClient(server.address) as client:
        client.deploy(pack, terms=Terms(skip_validation=True))
    named = ("workflows", "get", f"{project}.greet", "--version", "1.0.0", "--source")
    with capfd.disabled():
        code, written = Screen(100, monkeypatch).run("--server", server.address, *named)
    assert code == 0
    assert not bad_in(written.replace("\r", ""))
    assert "    on_success: count" in written
    assert "pwn" in written


def test_no_name_does_anything_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    changed = ChangedWorkflow(TEXT, (TEXT,), (TEXT,), (TEXT,), (ChangedTask(TEXT, (TEXT,)),))
    found = WorkflowDifferences("web", "1.0.0", "1.1.0", (TEXT,), (TEXT,), (changed,))
    lines = list(difference_lines(found))
    assert "".join(line.sign for line in lines) == "+-~+-~"
    for line in lines:
        print_difference(line, width=None)
    assert not bad_in(capsys.readouterr().out)

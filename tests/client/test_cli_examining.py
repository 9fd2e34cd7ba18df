"""What is found in payloads, before and after they are deployed, and how long they are kept."""

from __future__ import annotations

import tarfile
import uuid
from pathlib import Path

import pytest

from .command_line import Run


@pytest.fixture
def unsafe(tmp_path: Path) -> Path:
    """An archive that no server takes."""
    archive = tmp_path / "unsafe.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo("../a"))
        tar.addfile(tarfile.TarInfo("/b"))
    return archive


def test_what_would_be_refused(run: Run, project: str, tree: Path, unsafe: Path) -> None:
    good = run("deploy", tree, "-p", project, "--validate-only")
    assert "accepted" not in good.err, "there is no deployment that could be asked for"
    assert good.code == 0
    assert good.out.startswith("it would become 1.0.0 in default: ")
    bad = run("deploy", unsafe, "-p", project, "--validate-only")
    assert (bad.code, bad.out) == (4, "")
    assert "it would be refused" in bad.err
    assert "PATH_ESCAPES" in bad.err
    (told,) = run("deploy", unsafe, "-p", project, "--validate-only", "-o", "json").objects
    assert (told["valid"], told["total_findings"]) == (False, 2)
    assert run("list", project, "-q").out == ""


def test_what_says_nothing_about_an_examination_is_refused(run: Run, project: str, tree: Path) -> None:
    for options in (
        ["--stage"],
        ["--deployment-id", str(uuid.uuid4())],
        ["--new"],
        ["--wait", "recorded"],
        ["--detach"],
        ["--timeout", "5"],
    ):
        refused = run("deploy", tree, "-p", project, "--validate-only", *options)
        assert (refused.code, f"leave {options[0]} out" in refused.err) == (2, True), refused.err


def test_terms_are_looked_at(run: Run, project: str, tree: Path) -> None:
    def examined(*options: str) -> int:
        return run("deploy", tree, "-p", project, "--validate-only", *options).code

    assert examined("--expect-live", "none", "--label", "team=web", "--queue", "fail") == 0
    assert examined("--expect-live", str(uuid.uuid4())) == 4
    assert examined("--label", "Team=web") == 4
    run("deploy", tree, "-p", project)
    assert examined("--expect-live", "none") == 4


def test_findings_are_listed(run: Run, project: str, unsafe: Path) -> None:
    deployment_id = str(uuid.uuid4())
    assert run("deploy", unsafe, "-p", project, "--deployment-id", deployment_id).code == 4
    listed = run("findings", deployment_id).out.splitlines()
    assert [line.split()[1] for line in listed] == ["CODE", "PATH_ESCAPES", "PATH_ABSOLUTE"]
    assert run("findings", deployment_id[:8], "-q", "-n", "1").out == "PATH_ESCAPES\n"
    assert run("findings", deployment_id, "-o", "json").objects[0]["severity"] == "error"


def test_how_long_payloads_are_kept(run: Run, project: str, tree: Path) -> None:
    run("deploy", tree, "-p", project)

    def kept(*options: str) -> dict[str, str]:
        ran = run("keep", project, *options)
        assert ran.code == 0, ran.err
        split = (line.partition("  ") for line in ran.out.splitlines())
        return {name.strip(): told.strip() for name, _, told in split}

    servers = "as the servers' settings say"
    facts = kept()
    assert (facts["releases"], facts["age"], facts["size"]) == (servers, servers, servers)
    kept("--releases", "20", "--age", "90d", "--rollback-targets", "3")
    facts = kept("--size", "50GB", "--age", "unlimited")
    assert (facts["releases"], facts["age"], facts["size"]) == ("20", "unlimited", "50.0 GB")
    assert facts["rollback targets"] == "3"
    facts = kept("--releases", "default")
    assert (facts["releases"], facts["size"]) == (servers, "50.0 GB")
    assert run("keep", project, "--age", "soon").code == 2
    assert run("keep", project, "-e", "nowhere").code == 3

"""``longshore validate``: the same findings as a server's, for people, programs and CI."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from longshore_client import Client, SyncClient
from tests.services.processes import ServerProcess

from .command_line import Run
from .hostile import TEXT
from .packs import GREET, LOST, write_pack
from .test_hostile_words import bad_in


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pack with an error and a warning, below the working directory."""
    monkeypatch.chdir(tmp_path)
    write_pack(tmp_path / "my pack", "netops", {"greet": GREET, "lost": LOST}, more="colour: blue\n")
    return Path("my pack")


def packed(tree: Path) -> Path:
    """An archive of it, beside it."""
    archive = tree.with_suffix(".tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tree, tree.name)
    return archive


def test_for_people(run_alone: Run, wrong: Path, tmp_path: Path) -> None:
    ran = run_alone("validate", wrong)
    assert ran.code == 4
    assert ran.out.splitlines() == [
        "error TASK_UNKNOWN workflows/lost.yaml:6: Task 'say' references non-existent task 'nowhere'",
        "warning UNKNOWN_KEY pack.yaml:8: unknown key 'colour': it is not read",
        "the pack netops 1.0.0 (4 entries, 415 B, 2 workflows) is not valid: 1 error, 1 warning",
    ]
    assert run_alone("validate", wrong, "-q").out == "TASK_UNKNOWN\nUNKNOWN_KEY\n"
    (tmp_path / "file.bin").write_bytes(b"x")
    assert run_alone("validate", tmp_path / "file.bin").out == "the component (1 entry, 1 B) is valid\n"
    assert run_alone("validate", tmp_path / "nothing").code == 3


def test_warnings_stop_only_who_asks_for_it(run_alone: Run, wrong: Path) -> None:
    (wrong / "workflows" / "lost.yaml").unlink()
    assert run_alone("validate", wrong).code == 0
    assert run_alone("validate", wrong, "--strict").code == 4
    (wrong / "pack.yaml").write_text((wrong / "pack.yaml").read_text().replace("colour: blue", ""))
    assert run_alone("validate", wrong, "--strict").code == 0


def test_the_findings_are_a_servers(
    run: Run, server: ServerProcess, wrong: Path, tmp_path: Path, project: str
) -> None:
    skill = tmp_path / "skill"
    skill.mkdir()
    (skill / "SKILL.md").write_text("---\nname: s\ntags: 3\n---\n")
    unsafe = tmp_path / "unsafe.tar"
    with tarfile.open(unsafe, "w") as tar:
        tar.addfile(tarfile.TarInfo("../a"))
        tar.addfile(tarfile.TarInfo("b"))
    with SyncClient(server.address) as client:
        for path in (wrong, packed(wrong), skill, unsafe):
            (here,) = run("validate", path, "-o", "json").objects
            there = client.validate(path, project=project)
            told = [(each.code, each.path, each.line, each.message) for each in there.findings]
            assert told
            found: Any = here["findings"]
            assert [(f["code"], f["path"], f["line"], f["message"]) for f in found] == told
            assert here["valid"] is there.valid is False
            assert here["content_sha256"] == (f"sha256:{there.content_sha256}" if path != unsafe else "")
            assert (here["bundle"] is None) is (there.bundle is None)
            assert (here["entries"], here["workflow_count"]) == (there.entries, there.workflow_count)


async def test_what_it_says_of_itself_is_what_the_release_will_say(
    run: Run, client: Client, project: str, tmp_path: Path
) -> None:
    pack = write_pack(tmp_path / "pack", project, {"greet": GREET}, needs=f"{project}b ^2")
    (told,) = run("validate", pack, "-o", "json").objects
    there = (await client.validate(pack)).bundle
    bundle: Any = told["bundle"]
    assert there is not None
    assert (told["project"], told["version"], told["valid"]) == (project, "1.0.0", True)
    assert bundle["dependencies"] == [{"project": f"{project}b", "constraint": "^2"}]
    assert (bundle["kind"], bundle["label"], tuple(bundle["actions"])) == ("pack", there.label, there.actions)


def test_sarif(run_alone: Run, wrong: Path) -> None:
    log = json.loads(run_alone("validate", wrong, "-o", "sarif").out)
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    driver = log["runs"][0]["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == ["TASK_UNKNOWN", "UNKNOWN_KEY"]
    error, warning = log["runs"][0]["results"]
    assert (error["ruleId"], error["ruleIndex"], error["level"]) == ("TASK_UNKNOWN", 0, "error")
    assert error["message"] == {"text": "Task 'say' references non-existent task 'nowhere'"}
    (location,) = error["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "my%20pack/workflows/lost.yaml"},
        "region": {"startLine": 6},
    }
    assert (warning["ruleIndex"], warning["level"]) == (1, "warning")
    (in_archive, _) = json.loads(run_alone("validate", packed(wrong), "-o", "sarif").out)["runs"][0][
        "results"
    ]
    assert in_archive["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "my%20pack.tar.gz"}}}
    ]
    assert in_archive["message"]["text"].startswith("workflows/lost.yaml:6: Task 'say'")


def test_sarif_of_what_is_elsewhere(
    run_alone: Run, wrong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setattr(Path, "cwd", lambda: Path("/nowhere"))
    log = json.loads(run_alone("validate", tmp_path / wrong, "-o", "sarif").out)
    uri = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == (tmp_path / wrong / "workflows" / "lost.yaml").as_uri()


def test_annotations(run_alone: Run, wrong: Path) -> None:
    expected = [
        "::error file=my pack/workflows/lost.yaml,title=TASK_UNKNOWN,line=6::"
        "Task 'say' references non-existent task 'nowhere'",
        "::warning file=my pack/pack.yaml,title=UNKNOWN_KEY,line=8::unknown key 'colour': it is not read",
    ]
    ran = run_alone("validate", wrong, "--annotations", "github")
    assert ran.out.splitlines()[:2] == expected
    assert len(ran.out.splitlines()) == 3
    beside = run_alone("validate", wrong, "--annotations", "github", "-o", "sarif")
    assert beside.err.splitlines() == expected
    assert json.loads(beside.out)["version"] == "2.1.0"


def test_an_annotation_begins_nothing_else(
    run_alone: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pack = write_pack(tmp_path / "a,b:c%d", "netops", {}, more='"%0A::set-env a,b": 1\n')
    told = run_alone("validate", pack.name, "--annotations", "github").out.splitlines()[0]
    assert told.startswith("::warning file=a%2Cb%3Ac%25d/pack.yaml,title=UNKNOWN_KEY,line=8::")
    assert "%250A" in told
    assert "%0A" not in told


def test_hostile_words(run_alone: Run, tmp_path: Path) -> None:
    escaped = json.dumps(TEXT)
    pack = write_pack(
        tmp_path / "pack", "netops", {"lost": LOST.replace("nowhere", escaped)}, more=f"{escaped}: 1"
    )
    for options in ([], ["-q"], ["--annotations", "github"], ["-o", "json"], ["-o", "sarif"], ["-o", "yaml"]):
        ran = run_alone("validate", pack, *options)
        assert ran.code == 4
        assert not bad_in(ran.out + ran.err), options
        assert "pwn" in ran.out or "-q" in options


def test_a_top_directory_that_is_left_out(run_alone: Run, wrong: Path, tmp_path: Path) -> None:
    """The manifest is one directory further down; an annotation names the file that there is."""
    (tmp_path / "outer").mkdir()
    wrong.rename(tmp_path / "outer" / "inner")
    told = run_alone("validate", "outer", "--annotations", "github").out
    assert "file=outer/inner/pack.yaml" in told


def test_a_directory_that_has_no_archive(run_alone: Run, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "out").symlink_to("/etc/passwd")
    ran = run_alone("validate", tree, "-o", "json")
    (told,) = ran.objects
    findings: Any = told["findings"]
    assert (ran.code, told["valid"], told["bundle"]) == (4, False, None)
    assert [(each["code"], each["path"]) for each in findings] == [("LINK_ESCAPES", "out")]
    assert "cannot be unpacked safely: 1 error" in run_alone("validate", tree).out

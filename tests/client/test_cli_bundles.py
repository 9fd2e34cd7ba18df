"""What the command line tells of skills and packs, and the options that are about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from longshore_client.bundle_models import Source, SourceKind
from longshore_client.cli.bundle_words import source_words

from .command_line import Run
from .packs import GREET, LOST, write_pack


def facts_of(out: str) -> dict[str, str]:
    """What is known, by name."""
    lines = out.partition("\n\n")[0].splitlines()
    return {name.strip(): told.strip() for name, _, told in (line.partition("  ") for line in lines)}


def test_a_pack_is_shown(run: Run, project: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", project, {"greet": GREET}, needs=f"{project}b ^2")
    checked = run("deploy", pack, "--validate-only", "--skip-dependencies")
    assert checked.out == "it would become 1.0.0 in default: a pack, 3 entries, 368 B unpacked, 1 workflow\n"
    deployed = run("deploy", pack, "--kind", "pack", "--skip-dependencies", "-q")
    assert deployed.code == 0
    needs, source = f"{project}b ^2", str(pack)

    release = facts_of(run("releases", f"{project}@1.0.0").out)
    shown = {"kind": "pack", "name": project, "label": "A Pack", "needs": needs, "source": source}
    assert shown.items() <= release.items()
    assert (release["live in"], release["runtimes"], release["actions"]) == (
        "default",
        "python >=3.9",
        "restart",
    )
    assert release["deployed"] == "on the command line"
    (told,) = run("releases", project, "1.0.0", "-o", "json").objects
    bundle: Any = told["bundle"]
    assert (bundle["kind"], bundle["dependencies"]) == (
        "pack",
        [{"project": f"{project}b", "constraint": "^2"}],
    )
    assert (told["live_in"], told["install_method"]) == (["default"], "cli")
    assert run("releases", project, "1.0.0", "-q").out == "1.0.0\n"
    assert run("releases", project, "2.0.0").code == 3
    listed = run("releases", project).out.splitlines()
    assert listed[1].endswith(f"pack  {source}")

    deployment = facts_of(run("get", deployed.out.strip()).out)
    assert deployment["bundle"] == f"pack {project} (A Pack)"
    assert (deployment["needs"], deployment["source"]) == (needs, source)
    assert deployment["skipped"] == "dependencies"
    (got,) = run("get", deployed.out.strip(), "-o", "json").objects
    of: Any = got["release"]
    assert (got["bundle_kind"], of["bundle"]["label"]) == ("pack", "A Pack")
    of_project = facts_of(run("projects", project).out)
    assert of_project["kind"] == "pack"


def test_what_stops_it_and_how_it_is_let_through(run: Run, project: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", project, {"lost": LOST}, needs=f"{project}b ^2")
    refused = run("deploy", pack)
    assert (refused.code, "workflows/lost.yaml:6" in refused.err) == (4, True)
    needing = run("deploy", pack, "--skip-validation")
    assert (needing.code, f"{project}b" in needing.err) == (4, True)
    assert "--skip-dependencies" in needing.err
    through = run("deploy", pack, "--skip-validation", "--skip-dependencies", "--install-method", "auto")
    assert through.code == 0
    shown = run("releases", f"{project}@1.0.0").out
    assert "by automation" in shown
    assert "errors were let through: longshore findings " in shown
    assert run("deploy", pack, "--kind", "skill", "--skip-validation").code == 4


def test_what_is_needed_stays(run: Run, project: str, tmp_path: Path) -> None:
    needed = f"{project}b"
    for version in ("2.0.0", "3.0.0"):
        pack = write_pack(tmp_path / needed, needed, {}, version=version)
        assert run("deploy", pack, "--stage" if version == "3.0.0" else "--wait=ended").code == 0
    assert run("deploy", write_pack(tmp_path / "pack", project, {}, needs=f"{needed} ^2")).code == 0
    for command in (
        ["deploy-release", f"{needed}@3.0.0"],
        ["undeploy", needed, "--yes"],
    ):
        kept = run(*command)
        assert (kept.code, project in kept.err) == (4, True), kept.err
        assert run(*command, "--skip-dependencies").code == 0
    assert run("undeploy", project, "--yes").code == 0
    back = run("rollback", project)
    assert (back.code, f"Required pack '{needed}' is not installed" in back.err) == (4, True)
    assert run("rollback", project, "--skip-dependencies").code == 0


def test_only_an_option_that_there_is_is_advised(run: Run, project: str, tmp_path: Path) -> None:
    needed = f"{project}b"
    assert run("deploy", write_pack(tmp_path / needed, needed, {}, version="2.0.0")).code == 0
    staged = run("deploy", write_pack(tmp_path / "pack", project, {}, needs=f"{needed} ^2"), "--stage", "-q")
    assert staged.code == 0
    assert run("undeploy", needed, "--yes").code == 0
    refused = run("promote", staged.out.strip(), "--yes")
    assert (refused.code, "what to do: deploy first what it needs\n" in refused.err) == (4, True)
    assert "--skip-dependencies" not in refused.err
    again = run("deploy-release", f"{project}@1.0.0")
    assert (again.code, "; --skip-dependencies deploys it all the same" in again.err) == (4, True)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Source(SourceKind.DIRECTORY, "/srv/web"), "/srv/web"),
        (Source(SourceKind.URL, "https://x/web.tar", "web@1.2.0"), "web@1.2.0, from url https://x/web.tar"),
        (Source(SourceKind.GIT, "https://x/y.git", "v1"), "git https://x/y.git@v1"),
        (Source(SourceKind.GIT, "https://x/y.git", "left@1"), "git https://x/y.git@left@1"),
        (Source(SourceKind.NPM, "left-pad", "1.2.0"), "npm left-pad@1.2.0"),
        (Source(SourceKind.NPM, "https://x/y.tgz", "@a/b@1.2.0"), "@a/b@1.2.0, from npm https://x/y.tgz"),
        (Source(SourceKind.PYPI, "https://x/y.whl", "y==2.0"), "y==2.0, from pypi https://x/y.whl"),
        (None, ""),
    ],
    ids=["directory", "index", "commit", "tag", "package", "npm", "pypi", "unsaid"],
)
def test_where_it_was_taken_from(source: Source | None, words: str) -> None:
    assert source_words(source) == words

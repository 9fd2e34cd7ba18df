"""``longshore deploy --with-dependencies``: a pack with all that it needs and is not live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .command_line import Ran, Run
from .indexed import pack_of, write_index
from .packs import LOST
from .sources.web_server import WebServer


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.close()


@pytest.fixture
def index(project: str, tmp_path: Path) -> Path:
    """An index of three packs, of which one needs the second, and that the third."""
    return write_index(
        tmp_path,
        pack_of(tmp_path, project, needs={f"{project}b": "^1"}),
        pack_of(tmp_path, f"{project}b", needs={f"{project}c": "*"}),
        pack_of(tmp_path, f"{project}c"),
    )


@pytest.fixture
def deploy(run: Run, index: Path) -> Run:
    """Deploy with what is needed, out of the index, without a question."""

    def deploy_with(*arguments: str | Path) -> Ran:
        return run("deploy", *arguments, "--index", index, "--with-dependencies", "--yes")

    return deploy_with


def live(run: Run, project: str) -> str:
    """The version that is live; empty where the project is not there."""
    shown = run("projects", project, "-o", "json")
    if shown.code == 3:
        return ""
    (told,) = shown.objects
    environments = told["environments"]
    assert isinstance(environments, list)
    return next((str(each["live_version"]) for each in environments), "")


def planned(ran: Ran) -> list[str]:
    """The packs of the plan that was shown, with their versions."""
    return [line.split(",")[0].strip() for line in ran.err.splitlines() if ", for " in line]


def test_with_what_it_needs_in_order(run: Run, deploy: Run, project: str, index: Path) -> None:
    alone = run("deploy", project, "--index", index)
    assert alone.code == 4
    assert f"Required pack '{project}b' is not installed" in alone.err
    unasked = run("deploy", project, "--index", index, "--with-dependencies")
    assert unasked.code == 2
    assert "--yes" in unasked.err
    looked_at = deploy(project, "--validate-only")
    assert looked_at.code == 0
    assert looked_at.out.startswith("it would become 1.0.0 in default")
    assert planned(looked_at) == [f"{project}c 1.0.0", f"{project}b 1.0.0"]
    assert [live(run, each) for each in (f"{project}c", f"{project}b", project)] == ["", "", ""]
    deployed = deploy(project)
    assert (deployed.code, deployed.out) == (0, f"{project} 1.0.0 is live in default on 1 node\n")
    assert planned(deployed) == [f"{project}c 1.0.0", f"{project}b 1.0.0"]
    again = run("deploy", project, "--index", index, "--with-dependencies")
    assert again.code == 0
    assert planned(again) == []
    assert len(run("list", f"{project}b", "-q").out.split()) == 1


def test_what_is_live_and_does_not_do_is_replaced(
    run: Run, deploy: Run, project: str, tmp_path: Path
) -> None:
    old = pack_of(tmp_path, f"{project}c", "0.9.0")
    assert run("deploy", old).code == 0
    first = pack_of(tmp_path, project, needs={f"{project}c": ">=1"})
    deployed = deploy(first)
    assert deployed.code == 0
    assert planned(deployed) == [f"{project}c 1.0.0 instead of 0.9.0"]


def test_the_terms_are_those_of_all(run: Run, deploy: Run, project: str) -> None:
    terms = ["--label", "build=42", "--install-method", "auto", "--at-once", "1", "--on-failure", "keep"]
    assert deploy(project, *terms).code == 0
    for each in (f"{project}c", f"{project}b", project):
        (deployment,) = run("list", each, "-o", "json").objects
        (release,) = run("releases", each, "1.0.0", "-o", "json").objects
        assert deployment["labels"] == {"build": "42"}
        assert deployment["failure_policy"] == "keep"
        assert isinstance(deployment["strategy"], dict)
        assert release["install_method"] == "auto"


def test_a_dependency_that_waits_for_a_person_is_not_passed_by(run: Run, deploy: Run, project: str) -> None:
    waiting = deploy(project, "--canary", "1")
    assert waiting.code == 4
    assert "longshore promote" in waiting.err
    assert "run the same command again" in waiting.err
    assert "what to do" not in waiting.err
    assert live(run, f"{project}b") == ""
    (canary,) = run("list", f"{project}c", "-o", "json").objects
    assert run("cancel", canary["deployment_id"], "--yes").code == 0


def test_nothing_goes_live_where_something_would_be_refused(
    run: Run, deploy: Run, project: str, tmp_path: Path
) -> None:
    needs = {f"{project}c": "*"}
    with_errors = pack_of(tmp_path, project, needs=needs, workflow=LOST)
    assert run("deploy", pack_of(tmp_path, f"{project}x")).code == 0
    other_content = pack_of(tmp_path, f"{project}x", needs=needs)
    for pack, why in ((with_errors, "TASK_UNKNOWN"), (other_content, "VERSION_EXISTS")):
        for arguments in ([pack], [pack, "--validate-only"]):
            refused = deploy(*arguments)
            assert (refused.code, refused.err.count(why)) == (4, 1), refused.err
            assert live(run, f"{project}c") == ""
    assert deploy(with_errors, "--skip-validation").code == 0
    assert live(run, f"{project}c") == "1.0.0"


def test_nothing_goes_live_where_a_later_pack_would_be_refused(
    run: Run, deploy: Run, project: str, tmp_path: Path
) -> None:
    old = pack_of(tmp_path, f"{project}b", "0.1.0")
    user = pack_of(tmp_path, f"{project}u", needs={f"{project}b": "^0.1"})
    for each in (old, user):
        assert run("deploy", each).code == 0
    refused = deploy(project)
    assert refused.code == 4
    assert f"{project}u 1.0.0 needs {project}b ^0.1" in refused.err
    assert live(run, f"{project}c") == ""


def test_what_cannot_be_had_is_named_with_who_needs_it(
    run: Run, deploy: Run, project: str, tmp_path: Path
) -> None:
    nowhere = pack_of(tmp_path, project, "2.0.0", {f"{project}x": ">=2"})
    too_high = pack_of(tmp_path, project, "3.0.0", {f"{project}c": ">=2"})
    for pack, told in ((nowhere, f"{project}x"), (too_high, "there are 1.0.0")):
        missing = deploy(pack)
        assert missing.code == 3
        assert told in missing.err
        assert f"needed by {project} (>=2)" in missing.err
    no_index = run("deploy", nowhere, "--with-dependencies", "--yes")
    assert no_index.code == 3
    assert "name an index that has it with --index" in no_index.err


def test_circles_are_named(deploy: Run, project: str, tmp_path: Path) -> None:
    write_index(tmp_path, pack_of(tmp_path, f"{project}b", needs={project: "*"}))
    circle = deploy(tmp_path / f"{project}-1.0.0")
    assert circle.code == 4
    assert f"in a circle, so none can be first: {project}" in circle.err
    assert "what to do: let one of them need something else, in a new version" in circle.err
    assert "--skip-dependencies" not in circle.err


def test_a_checksum_and_a_token_are_for_the_source_alone(
    run: Run,
    project: str,
    index: Path,
    web: WebServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_TOKEN", "secret")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(index.parent / "cache"))
    with_token = ["--source-token-env", "SOURCE_TOKEN", "--allow-http", "--with-dependencies", "--yes"]
    archive = index.parent / f"{project}-1.0.0.tar"
    url = web.serve("/main.tar", archive.read_bytes())
    others = WebServer()
    try:
        listed = others.serve("/index.json", index.read_bytes())
        for each in index.parent.glob("*.tar"):
            others.serve(f"/{each.name}", each.read_bytes())
        checksum = run("checksum", archive, "-q").out.strip()
        deployed = run("deploy", url, "--checksum", checksum, "--index", listed, *with_token)
        assert deployed.code == 0, deployed.err
        assert [each.headers.get("authorization") for each in web.requests] == ["Bearer secret"]
        assert others.requests
        assert not any("authorization" in each.headers for each in others.requests)
        # Of a source that an index names, the index's host is the one that the token is for.
        others.requests.clear()
        assert run("undeploy", project, "--yes").code == 0
        assert run("undeploy", f"{project}b", "--yes").code == 0
        assert run("deploy", project, "--index", listed, *with_token).code == 0
        assert {each.headers.get("authorization") for each in others.requests} == {"Bearer secret"}
    finally:
        others.close()

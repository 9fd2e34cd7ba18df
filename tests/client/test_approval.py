"""``longshore approval``, of a project and of a whole environment, at a server that no other test asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore_client import SyncClient
from longshore_client.errors import EnvironmentNotFound
from tests.services.processes import serve

from .command_line import Run


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    running = serve(data_dir=tmp_path / "node")
    with asyncio.Runner() as runner:
        address = runner.run(running.__aenter__()).address
        monkeypatch.setenv("LONGSHORE_SERVER", address)
        yield address
        runner.run(running.__aexit__(None, None, None))


def test_of_a_project_and_of_all(asked: str, run_alone: Run, tree: Path) -> None:
    def says(*words: str | Path) -> str:
        ran = run_alone(*words)
        assert ran.code == 0, ran.err
        return ran.out + ran.err

    says("deploy", tree, "-p", "web")
    assert "each project's own setting" in says("approval", "--all")
    assert "every project in default is promoted by a second person" in says(
        "approval", "--all", "--second-person"
    )
    told = says("approval", "web", "--anybody")
    assert "web is promoted by a second person, as every project in default" in told
    assert "staged" in says("deploy", tree, "-p", "new").casefold()
    with SyncClient(asked) as client:
        assert client.environment("default").second_person
        place = client.project("web").environments[0]
        assert (place.second_person, place.environment_second_person) == (False, True)
        assert not client.require_second_person_in("default", False).second_person
        with pytest.raises(EnvironmentNotFound):
            client.environment("nowhere")
    assert "web is promoted by anybody\n" in says("approval", "web")

    for words in (["approval", "web", "--all"], ["approval", "--all", "--anybody", "--second-person"]):
        assert run_alone(*words).code == 2

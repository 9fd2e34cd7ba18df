"""Deploying without the tests that a bundle brings along, to a node that runs those."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore_client import Client, DeploymentStatus, SyncClient, Terms
from tests.services.processes import serve

from .command_line import Run
from .terminal import CTRL_C, Terminal

SKIPPED = Terms(skip_tests=True)


@pytest.fixture
def testing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a node that runs tests, which the command line asks."""
    running = serve(data_dir=tmp_path / "node", env={"LONGSHORE_NODE__BUNDLE_TESTS__RUN": "true"})
    with asyncio.Runner() as runner:
        address = runner.run(running.__aenter__()).address
        monkeypatch.setenv("LONGSHORE_SERVER", address)
        yield address
        runner.run(running.__aexit__(None, None, None))


def skill(folder: Path, name: str) -> Path:
    """A skill whose tests fail."""
    root = folder / name
    root.mkdir()
    (root / "SKILL.md").write_text(f"---\nname: {name}\nversion: 1.0.0\ndescription: For tests\n---\n")
    for script, ends_with in (("execute.sh", 0), ("test.sh", 3)):
        (root / script).write_text(f"#!/bin/sh\nexit {ends_with}\n")
        (root / script).chmod(0o755)
    return root


def test_on_the_command_line(testing: str, run_alone: Run, tmp_path: Path) -> None:
    root = skill(tmp_path, "cleaner")
    failed = run_alone("deploy", root)
    assert (failed.code, "the tests of cleaner 1.0.0 ended with exit code 3" in failed.err) == (1, True)
    deployed = run_alone("deploy", root, "--skip-tests", "-q")
    assert deployed.code == 0, deployed.err
    shown = run_alone("get", deployed.out.strip())
    assert [line.split() for line in shown.out.splitlines() if line.startswith("skipped")] == [
        ["skipped", "tests"]
    ]
    (got,) = run_alone("get", deployed.out.strip(), "-o", "json").objects
    assert (got["tests_skipped"], got["dependencies_skipped"]) == (True, False)
    validated = run_alone("deploy", root, "--skip-tests", "--validate-only", "--version", "1.0.0")
    assert validated.code == 0, validated.err
    assert run_alone("rollback", "cleaner", "--skip-tests").code == 2


def test_while_it_is_developed(testing: str, tmp_path: Path) -> None:
    arguments = ["dev", str(skill(tmp_path, "cleaner")), "--plain", "--skip-tests"]
    terminal = Terminal(200, arguments, LONGSHORE_SERVER=testing, TMPDIR=str(tmp_path))
    terminal.wait_for("cleaner 1.0.0-dev.1 is live in default on 1 node")
    terminal.type(CTRL_C)
    assert terminal.ended()[0] == 0


def test_of_the_library(testing: str, tmp_path: Path) -> None:
    async def with_an_event_loop() -> None:
        async with Client(testing) as client:
            deployed = await client.deploy(skill(tmp_path, "first"), terms=SKIPPED)
            ended = await client.wait(deployed.deployment_id)
            assert (ended.status, ended.tests_skipped) == (DeploymentStatus.SUCCEEDED, True)
            for refused in (client.rollback("first", terms=SKIPPED), client.undeploy("first", terms=SKIPPED)):
                with pytest.raises(ValueError, match="tests"):
                    await refused

    asyncio.run(with_an_event_loop())
    with SyncClient(testing) as client:
        root = skill(tmp_path, "second")
        assert client.validate(root, terms=SKIPPED).valid
        ended = client.wait(client.deploy(root, terms=SKIPPED).deployment_id)
        assert (ended.status, ended.tests_skipped) == (DeploymentStatus.SUCCEEDED, True)

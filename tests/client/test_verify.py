"""``longshore verify``: what it shows, what it ends with, and the library's calls behind it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from longshore_client import Client, DifferenceKind, SyncClient, Verification, VerificationStatus
from longshore_client.errors import EnvironmentNotFound, InvalidRequest, ProjectNotFound
from tests.services.processes import ServerProcess

from .command_line import Run


def live_tree(run: Run, project: str) -> Path:
    """Where the project's tree stands, as the node has told."""
    deployment_id = run("list", project, "-q").out.strip()
    (activation,) = json.loads(run("get", deployment_id, "-o", "json").out)["activations"]
    return Path(activation["path"])


@pytest.fixture
def damaged(run: Run, project: str, tree: Path) -> str:
    """A project that is live, with a file that is changed and one too many."""
    assert run("deploy", tree, "-p", project).code == 0
    installed = live_tree(run, project)
    installed.chmod(0o755)
    (installed / "run.sh").chmod(0o755)
    (installed / "run.sh").write_text("#!/bin/bash\n")
    (installed / "a\nb").touch()
    return project


def test_what_it_shows_and_ends_with(run: Run, damaged: str) -> None:
    differs = run("verify", damaged)
    assert differs.code == 4
    header, row, nothing, what, changed, extra = differs.out.splitlines()
    assert header.split() == ["NODE", "STATUS", "VERSION", "COMPARED", "DIFFERENT"]
    node, *told = row.split()
    assert told == ["differs", "1.0.0", "4", "2"]
    assert (nothing, what) == ("", f"what is different on {node}:")
    assert extra == "  changed  run.sh"
    assert changed.startswith("  extra    a")
    assert f"{node}: differs, 2 differences" in differs.err
    assert run("verify", damaged, "-q").out == f"{node}\n"
    repaired = run("verify", damaged, "--repair")
    assert (repaired.code, "repaired" in repaired.out) == (0, True)
    assert f"what was different on {node}:" in repaired.out
    intact = run("verify", damaged, "--repair", "-o", "json")
    told_nodes = json.loads(intact.out)["nodes"]
    assert [(one["status"], one["differences"]) for one in told_nodes] == [("intact", [])]
    assert intact.code == 0


def test_what_there_is_not(run: Run, damaged: str) -> None:
    assert run("verify", "no-such-project").code == 3
    assert run("verify", damaged, "-e", "nowhere").code == 3
    assert run("verify").code == 2
    late = run("verify", damaged, "--timeout", "0")
    assert late.code in (4, 6)


async def test_the_library(client: Client, damaged: str) -> None:
    told: list[Verification] = []
    asked = await client.verify(damaged)
    async with asyncio.timeout(30):
        found = await client.verified(asked.verification_id, on_change=told.append)
    assert told[-1] == found == await client.verification(asked.verification_id)
    (node,) = found.nodes
    assert (node.status, node.has_ended, node.total_differences) == (VerificationStatus.DIFFERS, True, 2)
    assert [one.kind for one in node.differences] == [DifferenceKind.EXTRA, DifferenceKind.CHANGED]
    again = await client.verify(damaged, verification_id=asked.verification_id)
    assert again == found
    with pytest.raises(InvalidRequest):
        await client.verify(damaged, verification_id=asked.verification_id, repair=True)
    with pytest.raises(ProjectNotFound):
        await client.verify("no-such-project")
    with pytest.raises(EnvironmentNotFound):
        await client.verify(damaged, environment="nowhere")


def test_without_an_event_loop(server: ServerProcess, damaged: str) -> None:
    with SyncClient(server.address) as client:
        asked = client.verify(damaged, repair=True)
        (node,) = client.verified(asked.verification_id).nodes
        assert node.status is VerificationStatus.REPAIRED
        assert client.verification(asked.verification_id).nodes == (node,)

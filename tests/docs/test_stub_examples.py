"""The README's clients, as they are printed there, deploy a file to a real server and meet a refusal."""

from __future__ import annotations

import asyncio
import sys
import uuid
from pathlib import Path

import pytest

from tests.client.conftest import server as server
from tests.services.processes import ServerProcess

from .pages import page
from .programs import MAKERS, told

CONTENT = b"something to deploy\n" * 200_000
FILES = {"python": "deploy_file.py", "js": "deploy_file.mjs", "go": "main.go", "java": "DeployFile.java"}


def examples(language: str) -> list[str]:
    """The README's programs in this language, the shortest first."""
    return sorted((block.text for block in page("README.md").blocks if block.language == language), key=len)


@pytest.mark.parametrize("language", FILES)
async def test_the_readmes_client_deploys_and_is_refused(
    language: str, server: ServerProcess, tmp_path: Path
) -> None:
    folder = tmp_path / "client"
    folder.mkdir()
    program = {FILES[language]: examples(language)[-1]}
    command = await asyncio.to_thread(MAKERS[language], folder, program)
    payload = tmp_path / "payload.txt"
    payload.write_bytes(CONTENT)
    once = (server.address, str(uuid.uuid4()), f"readme-{language}", str(payload))
    for _ in range(2):  # The second time gives the same answer again.
        status, printed = await told(command, *once)
        assert status == 0, printed
        assert f"readme-{language} 1.0.0 is recorded" in printed
    status, printed = await told(command, server.address, str(uuid.uuid4()), "Not A Project", str(payload))
    assert status != 0
    assert "is not a valid project name" in printed


async def test_the_library_example_deploys(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "index.html").write_text("<h1>one</h1>")
    library, stubs = examples("python")
    assert "Stub" in stubs
    program = library.replace("127.0.0.1:7420", server.address)
    assert program != library, "it names another server than the one that a node is by default"
    program = program.replace('project="hello"', 'project="readme-library"')
    status, printed = await told([sys.executable, "-c", program], folder=tmp_path)
    assert status == 0, printed
    assert printed == "readme-library 1.0.0 is live\n"

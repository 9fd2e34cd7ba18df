"""The README's clients, as they are printed there, deploy a file to a real server and meet a refusal."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.processes import serve
from tests.smoke.builds import CLIENTS, ClientMissingError, built

from .pages import ROOT, page

CONTENT = b"something to deploy\n" * 200_000
GO_FLAGS = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-buildvcs=false -mod=readonly -p=2"}


def examples(language: str) -> list[str]:
    """The README's programs in this language, the shortest first."""
    return sorted((block.text for block in page("README.md").blocks if block.language == language), key=len)


def smoke_client(language: str) -> list[str]:
    """The command of the smoke client, beside whose build lie the stubs and libraries of its language."""
    client = next(each for each in CLIENTS if each.name == language)
    try:
        return built(client, lambda line: None)
    except ClientMissingError as missing:
        if os.environ.get("LONGSHORE_REQUIRE_SERVICES") == "1":
            pytest.fail(f"LONGSHORE_REQUIRE_SERVICES=1: {missing}", pytrace=False)
        pytest.skip(str(missing))


def in_python(folder: Path) -> list[str]:
    program = folder / "deploy_file.py"
    program.write_text(examples("python")[-1])
    return [sys.executable, str(program)]


def in_node(folder: Path) -> list[str]:
    libraries = Path(smoke_client("node")[1]).parent / "node_modules"
    (folder / "node_modules").symlink_to(libraries)
    program = folder / "deploy_file.mjs"
    program.write_text(examples("js")[-1])
    return ["node", str(program)]


def in_go(folder: Path) -> list[str]:
    module = Path(smoke_client("go")[0]).parent
    for name in ("go.mod", "go.sum"):
        shutil.copy(module / name, folder)
    shutil.copytree(module / "longshore", folder / "longshore")
    (folder / "main.go").write_text(examples("go")[-1])
    program = folder / "deploy_file"
    run("go", "build", "-trimpath", "-o", str(program), ".", folder=folder, env=GO_FLAGS)
    return [str(program)]


def in_java(folder: Path) -> list[str]:
    command = smoke_client("java")
    libraries = command[command.index("-cp") + 1]
    source = folder / "DeployFile.java"
    source.write_text(examples("java")[-1])
    run("javac", "-cp", libraries, "-d", str(folder), str(source), folder=folder)
    return [*command[: command.index("-cp")], "-cp", f"{folder}:{libraries}", "DeployFile"]


def run(*command: str, folder: Path, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def told(command: list[str], *arguments: str, folder: Path = ROOT) -> tuple[int, str]:
    """Run a program to its end, from the checkout's root: its status, and all it printed."""
    process = await asyncio.create_subprocess_exec(
        *command, *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


@pytest.mark.parametrize("made", [in_python, in_node, in_go, in_java], ids=lambda made: made.__name__)
async def test_the_readmes_client_deploys_and_is_refused(
    made: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "client"
    folder.mkdir()
    command = await asyncio.to_thread(made, folder)
    payload = tmp_path / "payload.txt"
    payload.write_bytes(CONTENT)
    async with serve(data_dir=tmp_path / "data") as server:
        once = (server.address, str(uuid.uuid4()), "example", str(payload))
        for _ in range(2):  # The second time gives the same answer again.
            status, printed = await told(command, *once)
            assert status == 0, printed
            assert "example 1.0.0 is recorded" in printed
        status, printed = await told(
            command, server.address, str(uuid.uuid4()), "Not A Project", str(payload)
        )
        assert status != 0
        assert "is not a valid project name" in printed


async def test_the_library_example_deploys(tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "index.html").write_text("<h1>one</h1>")
    async with serve(data_dir=tmp_path / "data") as server:
        library, stubs = examples("python")
        assert "Stub" in stubs
        program = library.replace("127.0.0.1:7420", server.address)
        assert program != library, "it names another server than the one that a node is by default"
        status, printed = await told([sys.executable, "-c", program], folder=tmp_path)
        assert status == 0, printed
        assert printed == "hello 1.0.0 is live\n"

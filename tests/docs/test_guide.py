"""The guide's programs, as they are printed there, do what it tells, over a connection that breaks."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from longshore_client import CallPolicy
from tests.client.cable import cable_to
from tests.client.conftest import server as server
from tests.services.processes import ServerProcess

from .pages import ROOT, page
from .programs import MAKERS, run, smoke_client, told

GUIDE = page("docs/guide.md")
MIB = 1 << 20
NAMED = re.compile(r"(?:#|//) ([\w.]+)\n")


def sources(language: str) -> dict[str, str]:
    """The files of a language in the guide's order; the last one of stubs is where the program begins."""
    found = {}
    for block in GUIDE.blocks:
        if block.language == language:
            name = NAMED.match(block.text)
            assert name is not None, f"a block of {language} does not begin with its file's name"
            assert name[1] not in found, f"{name[1]} is there twice"
            found[name[1]] = block.text
    return found


def program(language: str) -> dict[str, str]:
    """The files that call the stubs."""
    return {name: text for name, text in sources(language).items() if not name.startswith("library")}


def test_no_code_is_left_out() -> None:
    assert {block.language for block in GUIDE.blocks} == {*MAKERS, "sh"}


class Ship:
    """The guide's program in one language."""

    def __init__(self, command: list[str], project: str, payload: Path) -> None:
        self._command = command
        self._project = project
        self._payload = payload

    async def does(self, address: str, command: str, subject: str | None = None) -> list[str]:
        """The lines that a command prints; fails with what it said when it fails."""
        status, printed = await self.tries(address, command, subject)
        assert status == 0, printed
        return printed.splitlines()

    async def tries(self, address: str, command: str, subject: str | None = None) -> tuple[int, str]:
        file = [str(self._payload)] if command in ("deploy", "validate", "stage") else []
        return await told(self._command, address, command, subject or self._project, *file)

    async def watches(self, address: str) -> str:
        """The first line that watching prints; then it is ended, since it never ends by itself."""
        process = await asyncio.create_subprocess_exec(
            *self._command, address, "watch", self._project, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(60):
                return (await process.stdout.readline()).decode().strip()
        finally:
            process.kill()
            await process.wait()

    def edit(self, letter: str) -> None:
        self._payload.write_bytes(letter.encode() + os.urandom(3 * MIB))


@pytest.fixture(params=MAKERS)
async def ship(request: pytest.FixtureRequest, tmp_path: Path, project: str) -> Ship:
    language: str = request.param
    folder = tmp_path / "program"
    folder.mkdir()
    command = await asyncio.to_thread(MAKERS[language], folder, program(language))
    made = Ship(command, project, tmp_path / "payload.bin")
    made.edit("a")
    return made


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    return re.sub(r"[^a-z]+", "-", request.node.name).strip("-")


async def test_the_programs_do_what_the_guide_tells(ship: Ship, project: str, server: ServerProcess) -> None:
    async with cable_to(server.address) as cable:
        # In the middle of the bytes, and once more in the answer or in the events.
        cable.cut_after_sent, cable.cut_after_received = 2 * MIB, 1000
        *events, last = await ship.does(cable.address, "deploy")
        assert cable.cuts == 2
    assert last == f"{project} 1.0.0 is live"
    assert [int(event.split()[0]) for event in events] == list(range(1, len(events) + 1))

    ship.edit("b")
    assert await ship.does(server.address, "validate") == ["it would become 1.0.1"]
    (staged,) = await ship.does(server.address, "stage")
    promoted = await ship.does(server.address, "promote", staged.split()[0])
    assert promoted[-1] == f"{project} 1.0.1 is live"
    assert (await ship.does(server.address, "rollback"))[-1] == f"{project} 1.0.0 is live"

    ship.edit("c")
    (staged,) = await ship.does(server.address, "stage")
    (cancelled,) = await ship.does(server.address, "cancel", staged.split()[0])
    assert "CANCELLED" in cancelled
    assert re.fullmatch(rf"{project} 1\.0\.2 \w*CANCELLED", await ship.watches(server.address))

    status, printed = await ship.tries(server.address, "deploy", "Not A Project")
    assert status != 0
    assert re.search(r"INVALID_REQUEST: .*'Not A Project'.*\(request \w+\)", printed)


async def test_the_librarys_programs_run(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    programs = {name: text for name, text in sources("python").items() if name.startswith("library")}
    ends = {}
    for number, (name, text) in enumerate(programs.items()):
        (tmp_path / "hello" / "index.html").write_text(f"<h1>{number}</h1>")
        (tmp_path / name).write_text(text)
        status, printed = await told([sys.executable, name], server.address, folder=tmp_path)
        assert status == 0, printed
        ends[name] = printed.splitlines()[-1]
    assert ends["library.py"].startswith("NO_PREVIOUS_RELEASE ")
    assert ends["library_sync.py"] == "1.0.1 is live"


def test_the_policy_is_told() -> None:
    told: dict[str, float] = {}
    for names, defaults, _ in GUIDE.table("field"):
        told |= dict(zip(re.findall(r"`(\w+)`", names), map(float, defaults.split(",")), strict=True))
    assert told == {each.name: each.default for each in fields(CallPolicy)}


def stub_commands(tool: str) -> list[str]:
    lines = [line for block in GUIDE.blocks if block.language == "sh" for line in block.text.splitlines()]
    return [line for line in lines if line.startswith(tool)]


@pytest.mark.parametrize(
    ("tool", "language", "makes"),
    [
        ("python -m grpc_tools.protoc", "", "stubs/longshore/v1/deployment_service_pb2_grpc.py"),
        ("protoc", "go", "longshore/v1/deployment_service_grpc.pb.go"),
        ("npx", "node", "types/deployment_service.ts"),
    ],
)
def test_the_commands_make_stubs(tool: str, language: str, makes: str, tmp_path: Path) -> None:
    """Those that install something are left out, and Maven's, which is how the smoke client is built."""
    (line,) = stub_commands(tool)
    programs = tmp_path / "bin"
    programs.mkdir()
    compiler = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m grpc_tools.protoc "$@"\n'
    (programs / "protoc").write_text(compiler)
    (programs / "protoc").chmod(0o755)
    path = [str(programs), str(Path(sys.executable).parent)]
    if language == "go":
        path.append(str(Path(smoke_client("go")[0]).parent / "bin"))
    elif language == "node":
        libraries = Path(smoke_client("node")[1]).parent / "node_modules"
        (tmp_path / "node_modules").symlink_to(libraries)
    shutil.copytree(ROOT / "protos/longshore", tmp_path / "protos/longshore")
    (tmp_path / "stubs").mkdir()
    run("bash", "-c", line, folder=tmp_path, env={"PATH": ":".join([*path, os.environ["PATH"]])})
    assert (tmp_path / makes).exists()

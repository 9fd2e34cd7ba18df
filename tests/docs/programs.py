"""Programs that pages show, made runnable with the stubs and libraries of the smoke clients' builds."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.smoke.builds import CLIENTS, ClientMissingError, built

from .pages import ROOT

GO_FLAGS = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-buildvcs=false -mod=readonly -p=2"}

Sources = Mapping[str, str]
"""A program's files by their names; the last one is where it begins."""


def smoke_client(language: str) -> list[str]:
    """The command of the smoke client, beside whose build lie the stubs and libraries of its language."""
    client = next(each for each in CLIENTS if each.name == language)
    try:
        return built(client, lambda line: None)
    except ClientMissingError as missing:
        if os.environ.get("LONGSHORE_REQUIRE_SERVICES") == "1":
            pytest.fail(f"LONGSHORE_REQUIRE_SERVICES=1: {missing}", pytrace=False)
        pytest.skip(str(missing))


def in_python(folder: Path, sources: Sources) -> list[str]:
    return [sys.executable, str(_written(folder, sources))]


def in_node(folder: Path, sources: Sources) -> list[str]:
    libraries = Path(smoke_client("node")[1]).parent / "node_modules"
    (folder / "node_modules").symlink_to(libraries)
    return ["node", str(_written(folder, sources))]


def in_go(folder: Path, sources: Sources) -> list[str]:
    module = Path(smoke_client("go")[0]).parent
    for name in ("go.mod", "go.sum"):
        shutil.copy(module / name, folder)
    shutil.copytree(module / "longshore", folder / "longshore")
    _written(folder, sources)
    program = folder / "program"
    run("go", "build", "-trimpath", "-o", str(program), ".", folder=folder, env=GO_FLAGS)
    return [str(program)]


def in_java(folder: Path, sources: Sources) -> list[str]:
    command = smoke_client("java")
    libraries = command[command.index("-cp") + 1]
    main = _written(folder, sources)
    run("javac", "-cp", libraries, "-d", str(folder), *sources, folder=folder)
    return [*command[: command.index("-cp")], "-cp", f"{folder}:{libraries}", main.stem]


MAKERS: dict[str, Callable[[Path, Sources], list[str]]] = {
    "python": in_python,
    "go": in_go,
    "java": in_java,
    "js": in_node,
}
"""For each language of code blocks what makes the command of a program in a folder."""


def _written(folder: Path, sources: Sources) -> Path:
    """Write the files; where the program begins."""
    for name, text in sources.items():
        path = folder / name
        path.write_text(text)
    return path


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

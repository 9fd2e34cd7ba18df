"""Connections and the files that a node may open: what the system allows is used, and some of it is kept."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import grpc

from tests.server.calls import deploy_to_end
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import Stubs
from tests.services.processes import serve

from . import frames as h2
from .standing import assert_no_fault, assert_serving

_FILES = 256


def _limited(files: str) -> list[str]:
    longshore = str(Path(sys.executable).with_name("longshore"))
    return [shutil.which("prlimit") or "prlimit", f"--nofile={files}", longshore]


async def test_the_soft_limit_is_raised(tmp_path: Path) -> None:
    program = _limited(f"{_FILES}:{4 * _FILES}")
    async with (
        serve(data_dir=tmp_path / "node", program=program, env={"LONGSHORE_LOG__FORMAT": "json"}) as server,
        AsyncExitStack() as stack,
    ):
        # More than half of what it could open before.
        connections = [
            await stack.enter_async_context(h2.RawConnection(server.address)) for _ in range(_FILES * 5 // 8)
        ]
        await asyncio.gather(*(connection.answered() for connection in connections))
        told = next(line for line in map(json.loads, server.stderr.splitlines()) if "files" in line)
        assert (told["event"], told["before"], told["files"]) == ("files.allowed", _FILES, 4 * _FILES)


def test_the_doctor_tells_of_few(tmp_path: Path) -> None:
    command = [*_limited(str(_FILES)), "doctor", "--data-dir", str(tmp_path), "-o", "json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    (found,) = [one for one in map(json.loads, told.splitlines()) if one["part"] == "open files"]
    assert found["state"] == "warn"
    assert f"takes {_FILES // 2} connections" in found["what"]
    assert "LimitNOFILE" in found["advice"]


async def test_connections_are_bounded(tmp_path: Path) -> None:
    program = _limited(str(_FILES))
    env = {"LONGSHORE_LOG__FORMAT": "json"}
    async with serve(data_dir=tmp_path / "node", program=program, env=env) as server:
        async with grpc.aio.insecure_channel(server.address) as channel, AsyncExitStack() as stack:
            stubs = Stubs(channel)
            await deploy_to_end(stubs, canonical_tar(small_tree()))
            for _ in range(2 * _FILES):
                try:
                    await stack.enter_async_context(h2.RawConnection(server.address))
                except ConnectionError:
                    continue
            assert _open_files(server.pid) < _FILES * 3 // 4
            await deploy_to_end(stubs, canonical_tar(small_tree("more")))
        await assert_serving(server)
        assert_no_fault(server)


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))

"""Clients in other languages, written against nothing but the ``.proto`` files, meet a real server.

What they do is what a service of a user does: deploy, follow to the end, list, and read an error. The
contract's promises (wait for the header's acceptance, flow control, gap-free numbers, status details) hold
only if gRPC stacks that are not ours say so.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.services.missing import do_without
from tests.services.processes import serve

from .builds import CLIENTS, Client, ClientMissingError, built

_CLIENT_S = 150
_MESSAGE_BYTES = 1024 * 1024
_SERVICES = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
    "longshore.v1.CatalogService",
    "longshore.v1.ClusterService",
    "longshore.v1.DeploymentService",
}


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def client(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> tuple[str, list[str]]:
    """A language and the command that starts its client."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        # A person waits: this must be seen now, not with the captured output of a failure.
        with capture.global_and_fixture_disabled():
            print(f"\n[smoke] {line}", flush=True)

    described: Client = request.param
    try:
        return described.name, built(described, say)
    except ClientMissingError as missing:
        do_without(missing)


async def run(*command: str) -> str:
    """Run a program to its end; what it printed. Fails with all it said when its status is not 0."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_CLIENT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{command[0]} failed\n{out.decode()}\n{err.decode()}"
    return out.decode()


def check_upload(result: dict[str, Any]) -> None:
    assert result["answered_id"] == result["deployment_id"]
    assert (result["answered_sha256"], result["answered_size"]) == (result["sha256"], result["size"])
    assert result["version"] == "1.0.0"
    assert result["durable_offset"] == 0
    assert result["messages"] == -(-result["size"] // _MESSAGE_BYTES)


def check_progress(progress: dict[str, Any]) -> None:
    sequences: Sequence[int] = progress["sequences"]
    assert sequences, "no event was told"
    assert sequences == list(range(1, len(sequences) + 1))
    assert progress["status"] == "DEPLOYMENT_STATUS_SUCCEEDED"
    assert progress["snapshots"] >= 1
    assert progress["ended_ok"]


def check_refusal(refused: dict[str, Any]) -> None:
    """The true error: not that of a connection which ended while somebody was writing."""
    assert refused["code"] == "INVALID_ARGUMENT"
    assert (refused["reason"], refused["domain"]) == ("INVALID_REQUEST", "longshore")
    assert refused["fields"] == ["header.project"]
    assert refused["request_id"]
    assert refused["message"]
    assert refused["messages"] == 0, "bytes were sent although the header was refused"


async def test_a_client_deploys_follows_lists_and_is_refused(
    client: tuple[str, list[str]], tmp_path: Path
) -> None:
    language, command = client
    project = f"smoke-{language}"
    async with serve(data_dir=tmp_path / "data") as server:
        lines = (await run(*command, server.address, project)).splitlines()
        assert len(lines) == 1, lines
        result = json.loads(lines[0])
        check_upload(result)
        check_progress(result["progress"])
        assert result["listed"] == {"times": 1, "status": "DEPLOYMENT_STATUS_SUCCEEDED", "version": "1.0.0"}
        check_refusal(result["refused"])
        installed = tmp_path / "data" / "live" / project / "payload.bin"
        assert hashlib.sha256(installed.read_bytes()).hexdigest() == result["sha256"]


async def test_reflection_tells_the_contract(grpcurl: Path, tmp_path: Path) -> None:
    """A person with nothing but grpcurl finds the services, their shapes, and can call them."""
    async with serve(data_dir=tmp_path / "data") as server:
        ask = [str(grpcurl), "-plaintext", server.address]
        assert set((await run(*ask, "list")).split()) >= _SERVICES
        service = await run(*ask, "describe", "longshore.v1.DeploymentService")
        assert "rpc Deploy ( stream .longshore.v1.DeployRequest )" in service
        header = await run(*ask, "describe", "longshore.v1.DeployHeader")
        assert "string deployment_id = 1;" in header
        health = await run(*ask, "grpc.health.v1.Health/Check")
        assert json.loads(health) == {"status": "SERVING"}
        info = await run(*ask, "longshore.v1.ClusterService/GetServerInfo")
        assert json.loads(info)["cutting_parameters"]["digest_function"] == "blake3"

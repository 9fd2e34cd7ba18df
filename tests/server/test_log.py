"""What a deployment leaves in the log: every line about it names it, and the request that made it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from longshore_client import upload_call
from tests.services.processes import ServerProcess, serve

from .calls import data_messages, ended, header, new_id
from .contents import canonical_tar, small_tree
from .running import Stubs

# Of the node, not of any deployment.
ABOUT_THE_NODE = {
    *("files.allowed", "node.started", "node.stopped", "node.draining", "coordination.announced"),
    *("tls.not_good", "tls.expires_soon"),
}


async def test_every_line_names_deployment_and_request(tmp_path: Path) -> None:
    hook = {"project": "*", "when": "before_switch", "command": ["true"]}
    env = {"LONGSHORE_LOG__FORMAT": "json", "LONGSHORE_NODE__HOOKS": json.dumps([hook])}
    deployment_id = new_id()
    async with serve(data_dir=tmp_path / "node", env=env) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            stubs = Stubs(channel)
            call = upload_call.UploadCall(
                stubs.deployments.Deploy(metadata=(("longshore-request-id", "asked-by-me"),))
            )
            data = canonical_tar(small_tree())
            assert await call.accepted_offset(header(deployment_id, payload_size_bytes=len(data)).header) == 0
            for message in data_messages(data):
                await call.write(message)
            await call.close_writing()
            await call.answer()
            await ended(stubs, deployment_id)
            await stubs.deployments.GetDeployment(pb.GetDeploymentRequest(deployment_id=deployment_id))
        server.terminate()
        await server.wait()
        lines = [json.loads(line) for line in server.stderr.splitlines()]
    about = [line for line in lines if line["event"] not in ABOUT_THE_NODE]
    events = {line["event"] for line in about}
    assert {"deployment.recorded", "hook.ended", "activation.done", "deployment.ended", "call.done"} <= events
    assert {line.get("deployment_id") for line in about} == {deployment_id}
    # Calls about it have ids of their own; what the node does for it has that of the call that made it.
    work = [line for line in about if not line["event"].startswith("call.")]
    assert {line["request_id"] for line in work} == {"asked-by-me"}
    assert all(line["request_id"] for line in about)


async def test_whatever_is_asked_for_no_line_is_long(tmp_path: Path) -> None:
    long = "\x01" * 3_000_000
    env = {"LONGSHORE_LOG__FORMAT": "json"}
    async with (
        serve(data_dir=tmp_path / "node", env=env) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        stubs = Stubs(channel)
        asked: list[tuple[Any, Any]] = [
            (stubs.deployments.ListActivations, pb.ListActivationsRequest(node_name=long)),
            (stubs.deployments.GetDeployment, pb.GetDeploymentRequest(deployment_id=long)),
            (
                stubs.catalog.UpdateEnvironment,
                catalog.UpdateEnvironmentRequest(
                    environment=catalog.Environment(environment="default"),
                    update_mask=FieldMask(paths=[long]),
                ),
            ),
            (
                stubs.catalog.UpdateProjectEnvironment,
                catalog.UpdateProjectEnvironmentRequest(
                    project_environment=catalog.ProjectEnvironment(project="shop"),
                    update_mask=FieldMask(paths=[long]),
                ),
            ),
        ]
        for call, request in asked:
            with pytest.raises(grpc.aio.AioRpcError):
                await call(request)
        assert max(map(len, server.stderr.splitlines())) < 20_000


async def test_the_level_changes_while_it_runs(tmp_path: Path) -> None:
    env = {"LONGSHORE_LOG__FORMAT": "json", "LONGSHORE_LOG__LEVEL": "error"}
    async with (
        serve(data_dir=tmp_path / "node", env=env) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):

        async def ask(request_id: str) -> None:
            listed = Stubs(channel).catalog.ListProjects(
                catalog.ListProjectsRequest(), metadata=(("longshore-request-id", request_id),)
            )
            await listed

        await ask("before")
        os.kill(server.pid, signal.SIGUSR1)
        await _levels(server, 1)
        await ask("between")
        os.kill(server.pid, signal.SIGUSR2)
        await _levels(server, 2)
        await ask("after")
        server.terminate()
        await server.wait()
        lines = [json.loads(line) for line in server.stderr.splitlines()]
    assert [line["to"] for line in lines if line["event"] == "log.level_changed"] == ["debug", "error"]
    calls = [(line["event"], line["request_id"]) for line in lines if line["event"].startswith("call.")]
    assert calls == [("call.begun", "between"), ("call.done", "between")]


async def _levels(server: ServerProcess, count: int) -> None:
    async with asyncio.timeout(20):
        while server.stderr.count("log.level_changed") < count:
            await asyncio.sleep(0.01)

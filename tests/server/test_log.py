"""What a deployment leaves in the log: every line about it names it, and the request that made it."""

from __future__ import annotations

import json
from pathlib import Path

import grpc

from longshore.v1 import deployment_service_pb2 as pb
from longshore_client import upload_call
from tests.services.processes import serve

from .calls import data_messages, ended, header, new_id
from .contents import canonical_tar, small_tree
from .running import Stubs

# Of the node, not of any deployment.
ABOUT_THE_NODE = {"node.started", "node.stopped", "node.draining", "coordination.announced"}


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

"""Workflows that were unregistered stay so in every environment, whoever sends their release again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from tests.server.calls import UploadCall, data_messages, deploy, deploy_to_end, header
from tests.server.manifests import pack, workflow
from tests.server.running import StartNode, Stubs, embedded
from tests.server.test_workflows import refs

from .as_caller import as_caller
from .issuer import Issuer
from .policies import write_policy

FLOWS = {"roll": workflow(), "stop": workflow()}


@embedded
async def test_whoever_may_not_unregister_them_brings_none_back(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> None:
    write_policy(
        policy_file,
        {"role": "admin", "principals": ["root"]},
        {"role": "deployer", "principals": ["dan"]},
    )
    async with start_node(access=access) as node:
        root, dan = (as_caller(node, issuer.token(name)) for name in ("root", "dan"))
        data = pack(version="1.0.0", workflows=FLOWS)
        await deploy_to_end(root, data)
        await root.catalog.DeleteWorkflows(catalog.DeleteWorkflowsRequest(project="netops"))
        await deploy(dan, data, stage_only=True)
        assert await refs(root) == []
        await deploy(root, data, stage_only=True)
        assert await refs(root) == ["netops.roll", "netops.stop"]
        trail = await root.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="netops"))
        (restored,) = (one for one in trail.entries if one.action == "workflows.restored")
        assert (restored.principal, restored.version) == ("root", "1.0.0")


@embedded
async def test_a_right_that_is_taken_away_meanwhile_brings_none_back(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> None:
    root_grant = {"role": "admin", "principals": ["root"]}
    write_policy(policy_file, root_grant, {"role": "operator", "principals": ["dan"]})
    async with start_node(access=access) as node:
        root, dan = (as_caller(node, issuer.token(name)) for name in ("root", "dan"))
        data = pack(version="1.0.0", workflows=FLOWS)
        await deploy_to_end(root, data)
        await dan.catalog.DeleteWorkflows(catalog.DeleteWorkflowsRequest(project="netops"))
        async with UploadCall(dan, header(stage_only=True)) as call:
            await call.send(data_messages(data))
            write_policy(policy_file, root_grant, {"role": "deployer", "principals": ["dan"]})
            async with asyncio.timeout(20):
                while await _may_unregister(dan):
                    await asyncio.sleep(0.05)
            assert (await call.answer()).version == "1.0.0"
        assert await refs(root) == []


async def _may_unregister(caller: Stubs) -> bool:
    try:
        await caller.catalog.DeleteWorkflows(catalog.DeleteWorkflowsRequest(project="netops"))
    except grpc.aio.AioRpcError as error:
        return error.code() is not grpc.StatusCode.PERMISSION_DENIED
    return True

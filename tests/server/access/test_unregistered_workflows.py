"""Workflows that were unregistered stay so in every environment, whoever sends their release again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from tests.server.calls import deploy, deploy_to_end
from tests.server.manifests import pack, workflow
from tests.server.running import StartNode, embedded
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

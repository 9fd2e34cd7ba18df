"""A list never shows what its caller may not read, and what he asks for by its id is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from tests.server.calls import deploy, refused
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import RunningNode, StartNode

from .as_caller import as_caller
from .issuer import Issuer
from .policies import write_policy

S = grpc.StatusCode


@pytest.fixture
async def guarded(
    start_node: StartNode, access: dict[str, Any], policy_file: Path
) -> AsyncIterator[RunningNode]:
    write_policy(
        policy_file,
        {"role": "admin", "principals": ["root"]},
        {"role": "approver", "principals": ["alice"], "projects": ["shop-*"]},
        {"role": "approver", "principals": ["bob"], "projects": ["bank"], "environments": ["production"]},
    )
    async with start_node(access=access) as node:
        yield node


async def test_what_may_not_be_read_is_left_out(guarded: RunningNode, issuer: Issuer) -> None:
    root, alice, bob = (as_caller(guarded, issuer.token(name)) for name in ("root", "alice", "bob"))
    for project in ("shop-web", "shop-api", "shopping", "bank"):
        await deploy(root, canonical_tar(small_tree()), project=project)
    listed = await alice.deployments.ListDeployments(pb.ListDeploymentsRequest())
    assert {one.project for one in listed.deployments} == {"shop-web", "shop-api"}
    projects = await alice.catalog.ListProjects(catalog.ListProjectsRequest())
    assert [one.project for one in projects.projects] == ["shop-api", "shop-web"]
    audit = await alice.deployments.ListAuditEntries(pb.ListAuditEntriesRequest())
    assert {one.project for one in audit.entries} == {"shop-web", "shop-api"}
    watched: Any = await alice.deployments.WatchDeployments(pb.WatchDeploymentsRequest()).read()
    assert {one.project for one in watched.deployments} == {"shop-web", "shop-api"}
    activations = await alice.deployments.ListActivations(
        pb.ListActivationsRequest(node_name=guarded.node.identity.name)
    )
    assert {one.project for one in activations.activations} == {"shop-web", "shop-api"}
    bank = (await root.deployments.ListDeployments(pb.ListDeploymentsRequest(project="bank"))).deployments[0]
    assert not (await bob.deployments.ListDeployments(pb.ListDeploymentsRequest())).deployments
    for reader in (alice, bob):
        with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
            await reader.deployments.GetDeployment(pb.GetDeploymentRequest(deployment_id=bank.deployment_id))
        with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
            await reader.deployments.StreamProgress(
                pb.StreamProgressRequest(deployment_id=bank.deployment_id)
            ).read()

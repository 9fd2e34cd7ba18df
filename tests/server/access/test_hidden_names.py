"""Of what one may not read there is no trace: each rpc answers as though it were not there, word for word."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.access import Permission
from longshore_server.rpc.access_rules import RULES
from longshore_storage.catalogue.audit_trail import list_audit
from tests.server.calls import deploy_to_end, header, new_id, refused
from tests.server.manifests import pack, workflow
from tests.server.running import RunningNode, StartNode, embedded

from .as_caller import as_caller
from .issuer import Issuer
from .policies import write_policy

pytestmark = embedded
S = grpc.StatusCode
ALL = [one.value for one in Permission]
LISTS = {
    "DeploymentService/ListDeployments",
    "DeploymentService/WatchDeployments",
    "DeploymentService/ListAuditEntries",
    "CatalogService/ListProjects",
    "CatalogService/ListWorkflows",
    "CatalogService/CountWorkflows",
}
# What tells of no project.
OF_NONE = {
    "ClusterService/GetServerInfo",
    "ClusterService/ListNodes",
    "ClusterService/WatchNodes",
    "ClusterService/CordonNode",
    "ClusterService/DrainNode",
    "ClusterService/RemoveNode",
    "ClusterService/ListLocks",
    "CatalogService/GetEnvironment",
    "CatalogService/UpdateEnvironment",
}


class Stage:
    """A node with the project ``bank``, and callers who may do everything, but not with it."""

    def __init__(self, node: RunningNode, issuer: Issuer, deployment_id: str, verification_id: str) -> None:
        self.node = node
        self.issuer = issuer
        self.deployment_id = deployment_id
        self.verification_id = verification_id

    async def answer(self, who: str, rpc: str, names: Mapping[str, str]) -> object:
        """What a call about these names is answered; the names, which the caller knows, taken out."""
        service, method = rpc.split("/")
        caller = as_caller(self.node, self.issuer.token(who))
        stub = {"DeploymentService": caller.deployments, "CatalogService": caller.catalog}.get(
            service, caller.cluster
        )
        call: Any = getattr(stub, method)
        request = _request(rpc, names)
        try:
            if method in ("Deploy", "ValidateWorkflows"):
                told = await call(iter([request]))
            elif method in ("WatchDeployments", "StreamProgress", "DownloadPayload"):
                told = await call(request).read()
            else:
                told = await call(request)
        except grpc.aio.AioRpcError as error:
            words = (error.details() or "").casefold()
            for name in names.values():
                words = words.replace(name.casefold(), "IT")
            return error.code(), words
        return told


def _request(rpc: str, names: Mapping[str, str]) -> Any:
    service, method = rpc.split("/")
    message: Any = {"DeploymentService": pb, "CatalogService": catalog}.get(service, cluster)
    request = getattr(message, f"{method}Request")()
    match method:
        case "Deploy":
            return header(project=names["project"])
        case "ValidateWorkflows":
            request.target.project, request.target.version = names["project"], "1.0.0"
            return request
        case "UpdateProjectEnvironment":
            request.project_environment.project = names["project"]
            return request
        case "FindMissingChunks":
            request.digests.append(bytes(32))
        case _:
            pass
    makes_one = method in ("DeployRelease", "Rollback", "Undeploy", "RetryDeployment")
    fields = {
        **names,
        "deployment_id": new_id() if makes_one else names["deployment_id"],
        "verification_id": new_id() if method == "VerifyProject" else names["verification_id"],
        "name": "roll",
    }
    if method not in ("GetWorkflow", "ListWorkflows"):
        fields["version"] = "1.0.0"
    for field in request.DESCRIPTOR.fields:
        if field.name in fields and not field.is_repeated:
            setattr(request, field.name, fields[field.name])
    return request


@pytest.fixture
async def stage(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> AsyncIterator[Stage]:
    write_policy(
        policy_file,
        {"role": "admin", "principals": ["root"]},
        {"role": "admin", "principals": ["outsider"], "projects": ["other*"]},
        {"role": "blind", "principals": ["blind"], "projects": ["other*"]},
        {"role": "admin", "principals": ["stager"], "environments": ["staging"]},
        {"role": "viewer", "principals": ["spectator"], "environments": ["staging"]},
        blind=[one for one in ALL if one != Permission.DEPLOYMENT_READ],
    )
    async with start_node(access=access) as node:
        root = as_caller(node, issuer.token("root"))
        made = await deploy_to_end(
            root, pack("bank", "1.0.0", workflows={"roll": workflow()}), project="bank"
        )
        verification_id = new_id()
        await root.cluster.VerifyProject(
            cluster.VerifyProjectRequest(verification_id=verification_id, project="bank")
        )
        yield Stage(node, issuer, made.deployment_id, verification_id)


@pytest.mark.parametrize("who", ["outsider", "blind"])
async def test_what_is_hidden_and_what_is_not_there_are_the_same(stage: Stage, who: str) -> None:
    there = {
        "project": "bank",
        "deployment_id": stage.deployment_id,
        "retry_of": stage.deployment_id,
        "verification_id": stage.verification_id,
    }
    # An id is the same however it is written.
    loud = {**there, **{key: value.upper() for key, value in there.items() if key != "project"}}
    told = []
    for rpc in sorted(RULES.keys() - OF_NONE):
        nowhere = {key: "none" if key == "project" else new_id() for key in there}
        expected = await stage.answer(who, rpc, nowhere)
        # Lists leave it out; whoever asks for it by its name or id is refused.
        assert (rpc in LISTS) >= (not isinstance(expected, tuple)), rpc
        for names in (there, loud):
            answered = await stage.answer(who, rpc, names)
            if answered != expected:
                told.append(f"{rpc}: {answered} instead of {expected}")
    assert not told, "\n".join(told)


async def test_waiting_for_one_takes_as_long(stage: Stage) -> None:
    outsider = as_caller(stage.node, stage.issuer.token("outsider"))
    begun = time.monotonic()
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        call: Any = outsider.deployments.StreamProgress(
            pb.StreamProgressRequest(
                deployment_id=stage.deployment_id, wait_for_creation=Duration(nanos=300_000_000)
            )
        )
        async with asyncio.timeout(20):
            while True:
                assert not (await call.read()).events
    assert time.monotonic() - begun >= 0.3


async def test_of_an_environment_that_one_may_not_read(stage: Stage) -> None:
    stager = as_caller(stage.node, stage.issuer.token("stager"))
    answers = set()
    for name in (stage.node.node.identity.name, "none"):
        with refused(S.NOT_FOUND, "NODE_NOT_FOUND") as told:
            await stager.deployments.ListActivations(pb.ListActivationsRequest(node_name=name))
        answers.add(told.message.replace(name, "IT"))
    for name in ("default", "nowhere"):
        calls: list[tuple[Any, Message]] = [
            (stager.catalog.ListWorkflows, catalog.ListWorkflowsRequest(environment=name)),
            (stager.catalog.CountWorkflows, catalog.CountWorkflowsRequest(environment=name)),
            (stager.catalog.GetEnvironment, catalog.GetEnvironmentRequest(environment=name)),
            (stager.cluster.ListNodes, cluster.ListNodesRequest(environment=name)),
        ]
        for call, asked in calls:
            with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED") as told:
                await call(asked)
            answers.add(told.message.replace(name, "IT"))
    # One of each permission that was lacking, and one about the node.
    assert len(answers) == 3


async def test_whoever_tries_is_written_down(stage: Stage) -> None:
    outsider, stager = (as_caller(stage.node, stage.issuer.token(name)) for name in ("outsider", "stager"))
    followed = pb.StreamProgressRequest(deployment_id=stage.deployment_id)
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await outsider.deployments.StreamProgress(followed).read()
    name = stage.node.node.identity.name
    with refused(S.NOT_FOUND, "NODE_NOT_FOUND"):
        await stager.deployments.ListActivations(pb.ListActivationsRequest(node_name=name))
    async with stage.node.catalogue.reading() as transaction:
        denied = await list_audit(transaction, before_id=None, limit=2)
    assert [(one.principal, one.reason, one.project, one.environment) for one in denied] == [
        ("stager", "deployment.read", "", "default"),
        ("outsider", "deployment.read", "bank", "default"),
    ]


async def test_of_a_node_in_an_environment_that_one_may_not_read(stage: Stage) -> None:
    for who in ("stager", "spectator"):
        caller = as_caller(stage.node, stage.issuer.token(who))
        asked: list[tuple[Any, Any]] = [
            (caller.cluster.CordonNode, cluster.CordonNodeRequest),
            (caller.cluster.DrainNode, cluster.DrainNodeRequest),
            (caller.cluster.RemoveNode, cluster.RemoveNodeRequest),
        ]
        for call, make in asked:
            answers = set()
            for name in (stage.node.node.identity.name, "none"):
                with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED") as told:
                    await call(make(node_name=name))
                answers.add(told.message.replace(name, "IT"))
            assert len(answers) == 1


async def test_a_node_that_is_hidden_is_written_down_as_one_that_is_none(stage: Stage) -> None:
    """Or the time that it takes would tell them apart."""
    spectator = as_caller(stage.node, stage.issuer.token("spectator"))
    for name in ("none", stage.node.node.identity.name, "neither"):
        with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED"):
            await spectator.cluster.CordonNode(cluster.CordonNodeRequest(node_name=name))
    async with stage.node.catalogue.reading() as transaction:
        (denied,) = [
            entry
            for entry in await list_audit(transaction, before_id=None, limit=10)
            if (entry.principal, entry.reason) == ("spectator", "cluster.admin")
        ]
    assert (denied.result, denied.environment) == ("DENIED", "")

"""Every rpc called by somebody: with a request about what is there, and whether it was denied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_service_pb2 as pb
from tests.server.calls import new_id, refusal_in
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import RunningNode

from .issuer import Issuer, bearer
from .test_rules import SERVICES

METHODS = {
    f"{service.name}/{method.name}": (service, method) for service in SERVICES for method in service.methods
}
PROJECT, ENVIRONMENT = "shop", "default"
"""The environment is the node's own, so that all there is to ask about is there."""


class Guarded:
    """A node with a deployment, and whoever calls it."""

    def __init__(self, node: RunningNode, issuer: Issuer, deployment_id: str, verification_id: str) -> None:
        self.node = node
        self.issuer = issuer
        self.deployment_id = deployment_id
        self.verification_id = verification_id

    def request(self, method: MethodDescriptor, **more: Any) -> Message:
        """A request about the deployment, its project, its environment, or its node."""
        fields = {
            "deployment_id": self.deployment_id if method.name not in MAKES_ONE else new_id(),
            "retry_of": self.deployment_id,
            "project": PROJECT,
            "environment": ENVIRONMENT,
            "version": "0.1.0",
            "node_name": self.node.node.identity.name,
            "verification_id": self.verification_id if method.name != "VerifyProject" else new_id(),
            "name": "none",
            "gate_id": "none",
            **more,
        }
        request = GetMessageClass(method.input_type)()
        match method.name:
            case "Deploy":
                request.header.CopyFrom(  # type: ignore[attr-defined]
                    pb.DeployHeader(deployment_id=new_id(), project=PROJECT, environment=ENVIRONMENT, **more)
                )
            case "UpdateProjectEnvironment":
                request.project_environment.project = PROJECT  # type: ignore[attr-defined]
                request.project_environment.environment = ENVIRONMENT  # type: ignore[attr-defined]
            case "UpdateEnvironment":
                request.environment.environment = ENVIRONMENT  # type: ignore[attr-defined]
            case "ValidateWorkflows":
                request.target.project = PROJECT  # type: ignore[attr-defined]
                request.target.version = "0.1.0"  # type: ignore[attr-defined]
            case "GetWorkflow" | "ListWorkflows":
                del fields["version"]
            case "ListActivations":
                del fields["node_name"]
            case _:
                pass
        own = ("Deploy", "UpdateProjectEnvironment", "UpdateEnvironment", "ValidateWorkflows")
        if method.name not in own:
            for field in method.input_type.fields:
                if field.name in fields:
                    setattr(request, field.name, fields[field.name])
        return request

    async def call(
        self, service: ServiceDescriptor, method: MethodDescriptor, request: Message, who: str
    ) -> Any:
        """The status that a call ends with; None where it goes on, or ends well."""
        stub = {
            "DeploymentService": self.node.deployments,
            "CatalogService": self.node.catalog,
            "ClusterService": self.node.cluster,
        }[service.name]
        call: Callable[..., Any] = getattr(stub, method.name)
        metadata = bearer(self.issuer.token(who))
        try:
            if method.client_streaming:
                await call(iter([request]), metadata=metadata, timeout=20)
            elif method.server_streaming:
                # A heartbeat, or nothing for a second: then it was let in.
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.3):
                        await call(request, metadata=metadata).read()
            else:
                await call(request, metadata=metadata, timeout=20)
        except grpc.aio.AioRpcError as error:
            return error
        return None


MAKES_ONE = {"DeployRelease", "Rollback", "Undeploy", "RetryDeployment"}


async def guarded_by(node: RunningNode, issuer: Issuer) -> Guarded:
    """The node with something deployed, and verified."""
    deployment_id = await _deployed(node, issuer)
    verification_id = new_id()
    await node.cluster.VerifyProject(
        cluster.VerifyProjectRequest(
            verification_id=verification_id, project=PROJECT, environment=ENVIRONMENT
        ),
        metadata=bearer(issuer.token("root")),
    )
    return Guarded(node, issuer, deployment_id, verification_id)


async def _deployed(node: RunningNode, issuer: Issuer) -> str:
    deployment_id = new_id()
    content = canonical_tar(small_tree())
    header = pb.DeployRequest(
        header=pb.DeployHeader(
            deployment_id=deployment_id,
            project=PROJECT,
            environment=ENVIRONMENT,
            version="0.1.0",
            wait_policy=pb.WAIT_POLICY_ENDED,
            payload_size_bytes=len(content),
        )
    )
    data = pb.DeployRequest(data=pb.PayloadData(offset=0, data=content))
    answer = await node.deployments.Deploy(iter([header, data]), metadata=bearer(issuer.token("root")))
    assert answer.deployment.deployed_by == "root"
    return deployment_id


def is_denied(error: grpc.aio.AioRpcError | None) -> bool:
    """Whether a call ended for want of a permission."""
    if error is None:
        return False
    if error.code() is grpc.StatusCode.PERMISSION_DENIED:
        refusal_in(error, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
        return True
    # Who may not even read is told that there is none.
    details = error.details() or ""
    return (
        error.code() is grpc.StatusCode.NOT_FOUND
        and details.startswith("there is no ")
        and ("deployment with the id" in details or "verification" in details)
    )

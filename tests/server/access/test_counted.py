"""What is refused at the doors is counted, every time, by words that callers do not choose."""

from __future__ import annotations

from typing import Any

import grpc

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from tests.server.calls import new_id, refused
from tests.server.running import StartNode, embedded
from tests.server.test_metrics import ANYWHERE, read, value

from .issuer import Issuer, bearer

S = grpc.StatusCode


@embedded
async def test_denials_and_failures(start_node: StartNode, access: dict[str, Any], issuer: Issuer) -> None:
    async with start_node(access=access, metrics=ANYWHERE) as node:
        # Told in the audit trail once a minute, and counted each time.
        for _ in range(2):
            with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED"):
                await node.deployments.DeployRelease(
                    pb.DeployReleaseRequest(deployment_id=new_id(), project="netops", version="1.0.0"),
                    metadata=bearer(issuer.token("nobody")),
                )
        with refused(S.UNAUTHENTICATED, "UNAUTHENTICATED"):
            await node.catalog.ListProjects(catalog.ListProjectsRequest(), metadata=bearer("wrong"))
        samples = await read(node)
    assert value(samples, "longshore_denials_total", permission="deployment.create") == 2
    assert value(samples, "longshore_denials_total", permission="authentication") == 1
    assert value(samples, "longshore_authentication_failures_total", outcome="slowed") == 1
    assert not [labels for _, labels in samples if "nobody" in dict(labels).values()]

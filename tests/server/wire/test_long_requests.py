"""What asks once is short: what is longer is refused before anything is made of it, and nothing keeps it."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as D  # noqa: N812
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.rpc.wire_limits import LARGEST_REQUEST_BYTES
from tests.server.calls import UploadCall, header, new_id, refused
from tests.server.running import RunningNode, embedded

pytestmark = embedded
S = grpc.StatusCode
LONG = "x" * (LARGEST_REQUEST_BYTES + 1)


async def test_what_is_too_long_is_not_read(node: RunningNode) -> None:
    calls: list[tuple[Any, Any]] = [
        (node.deployments.ListDeployments, pb.ListDeploymentsRequest(project=LONG)),
        (node.deployments.DeployRelease, pb.DeployReleaseRequest(deployment_id=LONG)),
        (node.catalog.GetProject, catalog.GetProjectRequest(project=LONG)),
    ]
    for call, request in calls:
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            answer = call(request)
            await (answer.read() if hasattr(answer, "read") else answer)
        assert told.message == "the request is longer than the 32 KiB that this call has a use for"


async def test_what_stays_with_a_stream_is_shorter(node: RunningNode) -> None:
    long = "x" * (16 << 10)
    calls: list[Any] = [
        node.deployments.WatchDeployments(pb.WatchDeploymentsRequest(version=long)),
        node.deployments.StreamProgress(pb.StreamProgressRequest(deployment_id=long)),
        node.cluster.WatchNodes(cluster.WatchNodesRequest(environment=long)),
    ]
    for call in calls:
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            await call.read()
        assert "longer than the 16 KiB" in told.message


async def test_a_header_that_is_too_long(node: RunningNode) -> None:
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        async with UploadCall(node, header(labels={"long": LONG})):
            pass
    assert told.message.startswith("the stream's first message is longer than the 32 KiB")


async def test_ten_thousand_digests_are_not_too_long(node: RunningNode) -> None:
    asked = pb.FindMissingChunksRequest(
        deployment_id=new_id(), digests=[number.to_bytes(32, "big") for number in range(10_000)]
    )
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await node.deployments.FindMissingChunks(asked)


async def test_canary_steps_are_counted_before_anything_is_made_of_them(node: RunningNode) -> None:
    strategy = D.RolloutStrategy(canary_steps=[D.CanaryStep(nodes=1)] * 5_000)
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await node.deployments.Undeploy(
            pb.UndeployRequest(deployment_id=new_id(), project="netops", strategy=strategy)
        )
    assert told.message == "strategy.canary_steps: at most 20, got 5000"


async def test_statuses_are_counted_before_anything_is_made_of_them(node: RunningNode) -> None:
    statuses = [D.DEPLOYMENT_STATUS_QUEUED] * 65
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await node.deployments.ListDeployments(pb.ListDeploymentsRequest(statuses=statuses))
    assert told.message == "statuses: at most 64, got 65"
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await node.deployments.WatchDeployments(pb.WatchDeploymentsRequest(statuses=statuses)).read()
    assert not (
        await node.deployments.ListDeployments(pb.ListDeploymentsRequest(statuses=statuses[:64]))
    ).deployments


async def test_a_mask_with_many_paths(node: RunningNode) -> None:
    paths = ["second_person"] * 4_000
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await node.catalog.UpdateProjectEnvironment(
            catalog.UpdateProjectEnvironmentRequest(
                project_environment=catalog.ProjectEnvironment(project="netops"),
                update_mask=FieldMask(paths=paths),
            )
        )

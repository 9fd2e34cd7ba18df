"""Cancelling while a payload arrives: the client is told, nothing is left, its id means that for good."""

from __future__ import annotations

import asyncio
import random

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb

from .calls import (
    MIB,
    UploadCall,
    data_messages,
    deploy,
    deploy_to_end,
    events_of,
    find_missing,
    get,
    header,
    interrupted,
    new_id,
    refusal_in,
    refused,
)
from .contents import canonical_tar, small_tree
from .running import RunningNode, counts

S = grpc.StatusCode


async def cancel(node: RunningNode, deployment_id: str, reason: str = "") -> d.Deployment:
    response = await node.deployments.CancelDeployment(
        pb.CancelDeploymentRequest(deployment_id=deployment_id, reason=reason)
    )
    return response.deployment


async def test_the_client_is_told_and_nothing_is_left(node: RunningNode) -> None:
    deployment_id, data = new_id(), random.Random(1).randbytes(40 * MIB)
    with refused(S.FAILED_PRECONDITION, "CANCELLED") as told:
        async with UploadCall(node, header(deployment_id)) as call:
            await call.send(data_messages(data[: 20 * MIB]))
            cancelled = await cancel(node, deployment_id, "not this one")
            assert cancelled.status == d.DEPLOYMENT_STATUS_CANCELLED
            await call.send(data_messages(data, start=20 * MIB))
            await call.answer()
    assert "not this one" in told.message
    assert await counts(node.catalogue) == dict.fromkeys(await counts(node.catalogue), 0)
    events = await events_of(node, deployment_id)
    assert events[-1].status_changed.to_status == d.DEPLOYMENT_STATUS_CANCELLED


async def test_its_id_means_that_for_good(node: RunningNode) -> None:
    deployment_id, data = new_id(), canonical_tar(small_tree("one"))
    async with UploadCall(node, header(deployment_id)) as call:
        await call.send(data_messages(data[:512]))
    await interrupted(node, deployment_id)
    await cancel(node, deployment_id)
    for _ in range(2):
        with refused(S.FAILED_PRECONDITION, "CANCELLED"):
            await deploy(node, data, deployment_id)
    with refused(S.FAILED_PRECONDITION, "CANCELLED"):
        await find_missing(node, deployment_id, [data])
    with refused(S.FAILED_PRECONDITION, "STATUS_CONFLICT"):
        await node.deployments.RetryDeployment(
            pb.RetryDeploymentRequest(deployment_id=new_id(), retry_of=deployment_id)
        )
    assert (await deploy_to_end(node, data)).version == "1.0.0"


@pytest.mark.parametrize("seed", range(6))
async def test_cancelled_while_it_is_recorded_it_is_one_or_the_other(node: RunningNode, seed: int) -> None:
    deployment_id, data = new_id(), canonical_tar(small_tree(f"seed {seed}"))

    async def send() -> d.Deployment | None:
        try:
            return await deploy(node, data, deployment_id)
        except grpc.aio.AioRpcError as error:
            refusal_in(error, S.FAILED_PRECONDITION, "CANCELLED")
            return None

    sending = asyncio.create_task(send())
    while True:
        try:
            if (await get(node, deployment_id)).status >= seed % 3 + d.DEPLOYMENT_STATUS_PENDING:
                break
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0)
    try:
        cancelled = await cancel(node, deployment_id)
    except grpc.aio.AioRpcError as error:
        refusal_in(error, S.FAILED_PRECONDITION, "STATUS_CONFLICT")
        cancelled = None
    recorded = await sending
    events = await events_of(node, deployment_id)
    outcome = await get(node, deployment_id)
    assert events[-1].status_changed.to_status == outcome.status
    if cancelled is None:
        assert recorded is not None
        assert outcome.status == d.DEPLOYMENT_STATUS_SUCCEEDED
    else:
        assert outcome.status == d.DEPLOYMENT_STATUS_CANCELLED
        assert not outcome.live
    assert (await counts(node.catalogue))["upload"] == 0

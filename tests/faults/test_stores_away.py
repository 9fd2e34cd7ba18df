"""Services that are away at the start, go away while a node runs, or stand still, and come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path

import grpc
import pytest

from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1.deployment_pb2 import DeploymentStatus
from tests.services.etcd_cluster import EtcdCluster
from tests.services.minio_service import MinioService
from tests.services.postgres_service import PostgresService

from .calls import (
    UploadCall,
    Uploading,
    assert_succeeded,
    channel_to,
    connected,
    get,
    health,
    outcome,
    refused,
    upload,
    wait_for_health,
)
from .invariants import Stores, read_state, unreadable_payloads, violations
from .nodes import Nursery
from .trees import PAYLOAD_1, PAYLOAD_2, V1, V2, live_tree

_QUEUED = DeploymentStatus.DEPLOYMENT_STATUS_QUEUED
_HALF = len(PAYLOAD_2) // 2


async def assert_consistent(stores: Stores) -> None:
    state = await read_state(stores)
    assert violations(state) == []
    assert await unreadable_payloads(stores, state) == []


async def unavailable(call: Awaitable[object]) -> None:
    """``call`` must fail as what a moment later may succeed, and say after how long."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    told = refused(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE"), told
    assert told.retry_after_s


async def test_no_etcd_at_the_start(
    nursery: Nursery, place: Path, stores: Stores, env: dict[str, str], etcd_cluster: EtcdCluster
) -> None:
    uploading = Uploading(PAYLOAD_2)
    await asyncio.to_thread(etcd_cluster.kill)
    async with nursery.serve(place / "node", env=env) as node, connected(node) as stub:
        assert "coordination.away" in node.stderr
        recorded = (await upload(stub, uploading)).deployment
        assert (recorded.status, recorded.version) == (_QUEUED, "1.0.0")
        await node.logged("rollout.interrupted")
        assert (await get(stub, recorded.deployment_id)).status == _QUEUED
        await asyncio.to_thread(etcd_cluster.start)
        assert_succeeded(await outcome(stub, recorded.deployment_id))
    assert live_tree(place / "node") == V2
    await assert_consistent(stores)


async def test_no_minio_at_the_start(
    nursery: Nursery, place: Path, stores: Stores, env: dict[str, str], minio_service: MinioService
) -> None:
    uploading = Uploading(PAYLOAD_2)
    env = {**env, "LONGSHORE_BLOBS__RETRY_FOR_S": "4"}
    await asyncio.to_thread(minio_service.kill)
    async with nursery.serve(place / "node", env=env) as node, connected(node) as stub:
        assert "blobs.away" in node.stderr
        async with channel_to(node.address) as channel:
            assert not await health(channel, "longshore.upload")
            assert await health(channel, "longshore.read")
        begun = time.monotonic()
        await unavailable(upload(stub, uploading))
        assert 1 < time.monotonic() - begun < 20
        broken_off = await get(stub, uploading.deployment_id)
        assert broken_off.status_reason == "interrupted"
        await asyncio.to_thread(minio_service.start)
        await upload(stub, uploading, attempt=2)
        assert_succeeded(await outcome(stub, uploading.deployment_id))
    assert live_tree(place / "node") == V2
    await assert_consistent(stores)


async def test_a_silent_minio_at_the_start(
    nursery: Nursery, place: Path, stores: Stores, env: dict[str, str], minio_service: MinioService
) -> None:
    """Nobody waits for it as long as a request may take, which is half a minute."""
    minio_service.pause()
    async with nursery.serve(place / "node", env=env, deadline_s=20) as node, connected(node) as stub:
        assert "blobs.away" in node.stderr
        await stub.ListDeployments(pb.ListDeploymentsRequest())
        minio_service.resume()
        await upload(stub, Uploading(PAYLOAD_2))


async def test_minio_is_started_again_during_an_upload(
    nursery: Nursery, place: Path, stores: Stores, env: dict[str, str], minio_service: MinioService
) -> None:
    uploading = Uploading(PAYLOAD_2)
    async with nursery.serve(place / "node", env=env) as node, connected(node) as stub:
        call = UploadCall(stub, uploading)
        await call.accepted()
        await call.send(0, _HALF)
        await asyncio.to_thread(minio_service.kill)
        answer = asyncio.create_task(call.rest(_HALF))
        await node.logged("blob_store_retry")
        await asyncio.to_thread(minio_service.start)
        assert (await answer).version == "1.0.0"
        assert_succeeded(await outcome(stub, uploading.deployment_id))
    assert live_tree(place / "node") == V2
    await assert_consistent(stores)


async def test_postgresql_is_stopped_and_started(
    nursery: Nursery,
    place: Path,
    stores: Stores,
    env: dict[str, str],
    postgres_service: PostgresService,
    etcd_cluster: EtcdCluster,
) -> None:
    before, during, after = Uploading(PAYLOAD_1), Uploading(PAYLOAD_2), Uploading(PAYLOAD_1)
    async with nursery.serve(place / "node", env=env) as node, connected(node) as stub:
        # Without etcd what is recorded waits, so that there is something left to end.
        await asyncio.to_thread(etcd_cluster.kill)
        await upload(stub, before)
        call = UploadCall(stub, during)
        await call.accepted()
        await call.send(0, _HALF)

        await asyncio.to_thread(postgres_service.stop)
        await unavailable(get(stub, before.deployment_id))
        await unavailable(upload(stub, after))
        await unavailable(stub.Rollback(pb.RollbackRequest(deployment_id=after.deployment_id, project="web")))
        await unavailable(call.rest(_HALF))
        async with channel_to(node.address) as channel:
            await wait_for_health(channel, "longshore.read", False)
            assert not await health(channel, "longshore.upload")

            await asyncio.to_thread(etcd_cluster.start)
            await asyncio.to_thread(postgres_service.start)
            await upload(stub, during, attempt=2)
            assert_succeeded(await outcome(stub, during.deployment_id))
            ended = await outcome(stub, before.deployment_id)
            assert ended.status == DeploymentStatus.DEPLOYMENT_STATUS_SUCCEEDED
            assert live_tree(place / "node") == V2
            await wait_for_health(channel, "longshore.read", True)
            await wait_for_health(channel, "longshore.upload", True)
        await upload(stub, after)
        assert_succeeded(await outcome(stub, after.deployment_id))
    assert live_tree(place / "node") == V1
    await assert_consistent(stores)


async def test_etcd_stands_still_for_longer_than_the_lease(
    nursery: Nursery, place: Path, stores: Stores, env: dict[str, str], etcd_cluster: EtcdCluster
) -> None:
    first, second = Uploading(PAYLOAD_1), Uploading(PAYLOAD_2)
    async with nursery.serve(place / "node", env=env) as node, connected(node) as stub:
        await upload(stub, first)
        assert_succeeded(await outcome(stub, first.deployment_id))
        for member in etcd_cluster.members:
            member.pause()
        await upload(stub, second)
        await node.logged("coordination.lease_lost")
        await node.logged("rollout.interrupted")
        assert (await get(stub, second.deployment_id)).status == _QUEUED
        assert live_tree(place / "node") == V1
        for member in etcd_cluster.members:
            member.resume()
        assert_succeeded(await outcome(stub, second.deployment_id))
    assert live_tree(place / "node") == V2
    await assert_consistent(stores)

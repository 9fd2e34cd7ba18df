"""Four MinIO servers with erasure coding: one that dies is not missed, and with two only writing waits."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from longshore_client import (
    Activation,
    ActivationStatus,
    CallPolicy,
    Client,
    Deployment,
    DeploymentStatus,
    PayloadFormat,
    Way,
    errors,
)
from longshore_storage.catalogue import open_catalogue
from tests.server.contents import random_bytes
from tests.services.minio_cluster import MinioCluster, MinioMember
from tests.services.processes import ServerProcess, serve
from tests.services.toxiproxy import Proxy, ToxiproxyService

MIB = 1 << 20
SIZE = 32 * MIB
_DEADLINE_S = 60

StartNode = Callable[..., AbstractAsyncContextManager[ServerProcess]]


@pytest.fixture
def bucket(minio_cluster: MinioCluster) -> Iterator[str]:
    with minio_cluster.fresh_bucket() as name:
        yield name


@pytest.fixture
async def start(
    postgres_database: str, minio_cluster: MinioCluster, bucket: str, etcd_url: str, tmp_path: Path
) -> StartNode:
    """Starts a node with these roles, by default with all of them and straight to the four servers."""
    catalogue = open_catalogue(postgres_database)
    await catalogue.migrate()
    await catalogue.close()

    def started(
        name: str, roles: str = "receive,control,install", blobs_url: str = ""
    ) -> AbstractAsyncContextManager[ServerProcess]:
        env = {
            "LONGSHORE_BLOBS__URL": blobs_url or minio_cluster.url(bucket),
            "LONGSHORE_BLOBS__RETRY_FOR_S": "2",
            "LONGSHORE_DATABASE__URL": postgres_database,
            "LONGSHORE_COORDINATION__URL": etcd_url,
            "LONGSHORE_COORDINATION__LEASE_S": "2",
            "LONGSHORE_POLL_S": "0.5",
            "LONGSHORE_NODE__NAME": name,
            "LONGSHORE_NODE__ROLES": roles,
        }
        return serve(data_dir=tmp_path / name, env=env)

    return started


@contextmanager
def slow_ways(toxiproxy: ToxiproxyService, cluster: MinioCluster) -> Iterator[list[Proxy]]:
    """One to each server."""
    with ExitStack() as stack:
        proxies = [stack.enter_context(toxiproxy.proxy(member.endpoint)) for member in cluster.members]
        for proxy in proxies:
            proxy.slow(bytes_per_s=MIB, stream="downstream")
        yield proxies


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(_DEADLINE_S):
        while not await asyncio.to_thread(true):
            await asyncio.sleep(0.02)


def deploying(client: Client, source: AsyncIterator[bytes]) -> asyncio.Task[Deployment]:
    """The plain way, which sends what it gets without waiting for more."""
    call = client.deploy(
        source,
        project="big",
        payload_format=PayloadFormat.FILE,
        file_name="payload.bin",
        way=Way.PLAIN,
    )
    return asyncio.create_task(call)


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), MIB):
        yield data[at : at + MIB]


async def activation(client: Client, deployment_id: str) -> Activation | None:
    return await anext(client.activations(deployment_id), None)


async def all_but_two_that_have_all_die(cluster: MinioCluster, bucket: str) -> MinioMember:
    """Gives one of the two that are left."""
    await until(lambda: len(cluster.with_all_of(bucket)) >= 2)
    left = cluster.with_all_of(bucket)[-2:]
    for member in cluster.members:
        if member not in left:
            member.kill()
    return left[0]


async def test_one_dies_while_a_node_takes_an_upload_and_another_while_a_node_reads_it(
    start: StartNode,
    minio_cluster: MinioCluster,
    bucket: str,
    toxiproxy_service: ToxiproxyService,
    tmp_path: Path,
) -> None:
    data = random_bytes(SIZE, seed=1)
    first, *_, last = minio_cluster.members

    def something_is_stored() -> bool:
        return next(last.client().list_objects(bucket, "packs/", recursive=True), None) is not None

    async def dies_in_the_middle() -> AsyncIterator[bytes]:
        async for piece in pieces(data[: SIZE - 8 * MIB]):
            yield piece
        await until(something_is_stored)
        first.kill()
        async for piece in pieces(data[SIZE - 8 * MIB :]):
            yield piece

    with slow_ways(toxiproxy_service, minio_cluster) as ways:
        places = ",".join(way.address for way in ways)
        slow_url = minio_cluster.url(bucket).replace(minio_cluster.endpoint, places)
        async with (
            start("receiver", "receive,control") as receiver,
            start("peer", "install", slow_url) as peer,
            Client(receiver.address) as client,
        ):
            # So that it does not begin to read before the one that died is back.
            peer.pause()
            recorded = await deploying(client, dies_in_the_middle())
            minio_cluster.ensure_running()
            peer.resume()
            async with asyncio.timeout(_DEADLINE_S):
                while (
                    seen := await activation(client, recorded.deployment_id)
                ) is None or not seen.fetched_bytes:
                    await asyncio.sleep(0.02)
            assert (seen.status, seen.fetched_bytes < SIZE) == (ActivationStatus.FETCHING, True)
            last.kill()
            for way in ways:
                way.mend()
            ended = await client.wait(recorded.deployment_id)
            assert (ended.status, ended.node_counts.live) == (DeploymentStatus.SUCCEEDED, 1)
            assert (tmp_path / "peer/live/big/payload.bin").read_bytes() == data
            seen = await activation(client, recorded.deployment_id)
            # It went on where it was, and did not begin anew.
            assert seen is not None
            assert seen.fetched_bytes < SIZE + SIZE // 2


async def test_with_two_dead_everything_is_read_and_nothing_is_taken_until_they_are_back(
    start: StartNode, minio_cluster: MinioCluster, bucket: str, tmp_path: Path
) -> None:
    stored, refused = random_bytes(MIB, seed=2), random_bytes(MIB, seed=3)
    impatient = CallPolicy(rounds=1, transfer_rounds=1)
    async with start("one") as node, Client(node.address) as client:
        ended = await client.wait((await deploying(client, pieces(stored))).deployment_id)
        assert ended.status == DeploymentStatus.SUCCEEDED
        await all_but_two_that_have_all_die(minio_cluster, bucket)

        assert b"".join([piece async for piece in client.read_payload("big", "1.0.0")]) == stored
        async with Client(node.address, policy=impatient) as hasty:
            with pytest.raises(
                errors.DependencyUnavailable, match=r"cannot write .*: too few of its servers"
            ):
                await deploying(hasty, pieces(refused))

        told = node.stderr.count("SlowDownWrite")
        waiting = deploying(client, pieces(refused))
        await until(lambda: node.stderr.count("SlowDownWrite") > told)
        await asyncio.to_thread(minio_cluster.ensure_running)
        ended = await client.wait((await waiting).deployment_id)
        assert ended.status == DeploymentStatus.SUCCEEDED
        assert (tmp_path / "one/live/big/payload.bin").read_bytes() == refused


async def test_what_too_few_servers_do_not_find_is_not_taken_for_gone(
    start: StartNode, minio_cluster: MinioCluster, bucket: str
) -> None:
    stored = random_bytes(MIB, seed=4)
    impatient = CallPolicy(rounds=1, transfer_rounds=1)
    async with start("one") as node, Client(node.address, policy=impatient) as client:
        ended = await client.wait((await deploying(client, pieces(stored))).deployment_id)
        assert ended.status == DeploymentStatus.SUCCEEDED
        left = await all_but_two_that_have_all_die(minio_cluster, bucket)
        # As after a PUT that three of the four had taken when two of these died.
        shutil.rmtree(left.data_dir / bucket / "manifests")
        with pytest.raises(errors.DependencyUnavailable):
            async for _ in client.read_payload("big", "1.0.0"):
                pass
        assert "payload.damaged" not in node.stderr
        await asyncio.to_thread(minio_cluster.ensure_running)
        async with Client(node.address) as patient:
            assert b"".join([piece async for piece in patient.read_payload("big", "1.0.0")]) == stored

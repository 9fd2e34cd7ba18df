"""No node relays a payload: watched from outside, by every byte and every connection of three nodes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.relay import Relay, relay_to
from longshore_client import Client, DeploymentStatus
from longshore_storage.catalogue import open_catalogue
from tests.server.contents import random_bytes
from tests.services.etcd_cluster import EtcdCluster
from tests.services.processes import ServerProcess, serve

from .sockets import ConnectionWatch, untouched_port, watching

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")

MIB = 1 << 20
SIZE = 8 * MIB
# What is not payload: answers, rows, signals, requests.
LITTLE = SIZE // 8


@dataclass(frozen=True)
class Node:
    """A node and the relays through which it, and it alone, reaches each of its stores."""

    server: ServerProcess
    minio: Relay
    postgres: Relay
    etcd: Relay

    @property
    def stores(self) -> tuple[Relay, ...]:
        return self.minio, self.postgres, self.etcd

    def live(self, project: str) -> bytes:
        return (self.server.data_dir / "live" / project / "payload.bin").read_bytes()


@dataclass(frozen=True)
class Traffic:
    """What a node has sent to its stores and got from MinIO, in bytes, all of it so far."""

    to_minio: int
    to_others: int
    from_minio: int

    @classmethod
    def of(cls, node: Node) -> Traffic:
        others = node.postgres.sent_bytes + node.etcd.sent_bytes
        return cls(node.minio.sent_bytes, others, node.minio.received_bytes)

    def __sub__(self, before: Traffic) -> Traffic:
        return Traffic(
            self.to_minio - before.to_minio,
            self.to_others - before.to_others,
            self.from_minio - before.from_minio,
        )


class Cluster:
    """One node that takes uploads, and two that install; each may drive."""

    def __init__(self, receiver: Node, installing: list[Node], front: Relay, watch: ConnectionWatch) -> None:
        self.receiver = receiver
        self.installing = installing
        self.front = front
        self.watch = watch

    @property
    def nodes(self) -> list[Node]:
        return [self.receiver, *self.installing]


@pytest.fixture
async def cluster(
    postgres_database: str, s3_url: str, etcd_cluster: EtcdCluster, etcd_prefix: str, tmp_path: Path
) -> AsyncIterator[Cluster]:
    catalogue = open_catalogue(postgres_database)
    await catalogue.migrate()
    await catalogue.close()

    @asynccontextmanager
    async def node(name: str, roles: str) -> AsyncIterator[Node]:
        with ExitStack() as stack:
            relays = [
                stack.enter_context(relay_to(place))
                for place in (_place(s3_url), _place(postgres_database), etcd_cluster.endpoints[0])
            ]
            minio, postgres, etcd = relays
            env = {
                "LONGSHORE_BLOBS__URL": s3_url.replace(_place(s3_url), minio.address),
                "LONGSHORE_DATABASE__URL": postgres_database.replace(
                    _place(postgres_database), postgres.address
                ),
                "LONGSHORE_COORDINATION__URL": f"etcd://{etcd.address}/{etcd_prefix}",
                "LONGSHORE_COORDINATION__LEASE_S": "2",
                "LONGSHORE_POLL_S": "0.5",
                "LONGSHORE_NODE__NAME": name,
                "LONGSHORE_NODE__ROLES": roles,
            }
            listen = stack.enter_context(untouched_port()).address
            async with serve(data_dir=tmp_path / name, env=env, listen=listen) as server:
                yield Node(server, minio, postgres, etcd)

    async with AsyncExitStack() as stack:
        roles = {"receiver": "receive,control", "one": "install,control", "two": "install,control"}
        receiver, *installing = [
            await stack.enter_async_context(node(name, theirs)) for name, theirs in roles.items()
        ]
        front = stack.enter_context(relay_to(receiver.server.address))
        everyone = {each.server.pid: each.server.address for each in (receiver, *installing)}
        watch = stack.enter_context(watching(everyone))
        yield Cluster(receiver, installing, front, watch)


def _place(url: str) -> str:
    """``HOST:PORT`` of a store's URL."""
    return url.rpartition("@")[2].partition("/")[0]


async def test_every_node_reads_the_store_and_none_reads_another(cluster: Cluster, tmp_path: Path) -> None:
    receiver, installing = cluster.receiver, cluster.installing
    first, second = random_bytes(SIZE, seed=1), random_bytes(SIZE, seed=2)
    path = tmp_path / "payload.bin"

    path.write_bytes(first)
    async with Client(cluster.front.address) as client:
        before = {each.server.pid: Traffic.of(each) for each in cluster.nodes}
        recorded = await client.deploy(path, project="whole")
        ended = await client.wait(recorded.deployment_id)
    assert (ended.status, ended.node_counts.live) == (DeploymentStatus.SUCCEEDED, 2)
    moved = {each: Traffic.of(each) - before[each.server.pid] for each in cluster.nodes}
    # It puts the payload into the store once, and no second time anywhere.
    assert SIZE <= moved[receiver].to_minio < SIZE + LITTLE
    assert moved[receiver].to_others + cluster.front.received_bytes < LITTLE
    for node in installing:
        assert node.live("whole") == first
        assert moved[node].from_minio >= SIZE
        assert moved[node].to_minio + moved[node].to_others < LITTLE

    path.write_bytes(second)
    before = {each.server.pid: Traffic.of(each) for each in cluster.nodes}
    # So nobody can have begun to read before the one that took it is gone.
    for node in installing:
        node.server.pause()
    async with Client(cluster.front.address) as client:
        recorded = await client.deploy(path, project="whole")
        receiver.server.kill()
    for node in installing:
        assert (Traffic.of(node) - before[node.server.pid]).from_minio < LITTLE
        node.server.resume()
    async with Client(installing[0].server.address) as client:
        ended = await client.wait(recorded.deployment_id)
    assert (ended.status, ended.node_counts.live) == (DeploymentStatus.SUCCEEDED, 2)
    for node in installing:
        assert node.live("whole") == second
        assert (Traffic.of(node) - before[node.server.pid]).from_minio >= SIZE

    await asyncio.to_thread(cluster.watch.look)
    assert cluster.watch.looks > 10
    for node in cluster.nodes:
        seen = cluster.watch.seen[node.server.pid]
        assert seen.connected_to == {store.address for store in node.stores}
        assert cluster.watch.strangers(node.server.pid) == set()
    assert cluster.watch.seen[receiver.server.pid].callers

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from longshore_storage.ports import Coordination
from tests.services.etcd_cluster import EtcdCluster

from .backends import Backend, EtcdBackend, LocalBackend, until


@pytest.fixture(params=["local", "etcd"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Every adapter in turn."""
    if request.param == "local":
        yield LocalBackend()
    else:
        cluster = request.getfixturevalue("etcd_cluster")
        yield EtcdBackend(cluster, request.getfixturevalue("etcd_prefix"))


@pytest.fixture
async def clients(backend: Backend) -> AsyncIterator[tuple[Coordination, Coordination]]:
    """Two clients of one backend; at the end nothing of theirs may be left."""
    first, second = backend.client(), backend.client()
    yield first, second
    await first.close()
    await second.close()
    await until(lambda: not backend.left_over())


@pytest.fixture
def etcd(etcd_cluster: EtcdCluster, etcd_prefix: str) -> EtcdBackend:
    """Leases short enough to be lost within a test."""
    return EtcdBackend(etcd_cluster, etcd_prefix, ttl_s=2)


@pytest.fixture
async def client(etcd: EtcdBackend) -> AsyncIterator[Coordination]:
    client = etcd.client()
    yield client
    await client.close()


@pytest.fixture
async def other(etcd: EtcdBackend) -> AsyncIterator[Coordination]:
    client = etcd.client()
    yield client
    await client.close()

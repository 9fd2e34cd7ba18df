"""A running node as tests see it: a channel and stubs from outside, its rows and its disk from inside."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import grpc
import pytest
from sqlalchemy import Table, func, select

from longshore.v1 import catalog_service_pb2_grpc, cluster_service_pb2_grpc, deployment_service_pb2_grpc
from longshore_server.node import Node
from longshore_storage.catalogue import Catalogue, tables
from tests.services.processes import ServerProcess

embedded = pytest.mark.parametrize("stores", ["embedded"], indirect=True)
services = pytest.mark.parametrize("stores", ["services"], indirect=True)


class Stubs:
    """The generated stubs on one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    @property
    def deployments(self) -> deployment_service_pb2_grpc.DeploymentServiceAsyncStub:
        return deployment_service_pb2_grpc.DeploymentServiceStub(self.channel)

    @property
    def catalog(self) -> catalog_service_pb2_grpc.CatalogServiceAsyncStub:
        return catalog_service_pb2_grpc.CatalogServiceStub(self.channel)

    @property
    def cluster(self) -> cluster_service_pb2_grpc.ClusterServiceAsyncStub:
        return cluster_service_pb2_grpc.ClusterServiceStub(self.channel)


@dataclass(frozen=True)
class RunningNode(Stubs):
    """A node with a channel to it, and a catalogue of the test's own on its database."""

    node: Node
    data_dir: Path
    channel: grpc.aio.Channel
    catalogue: Catalogue

    @property
    def address(self) -> str:
        return self.node.address

    def live(self, project: str) -> Path:
        """The tree that is live."""
        return (self.data_dir / "live" / project).resolve()

    @property
    def staged(self) -> list[Path]:
        """What lies in the staging folder."""
        return list((self.data_dir / "staging").iterdir())


StartNode = Callable[..., AbstractAsyncContextManager[RunningNode]]


class Serve(Protocol):
    def __call__(self, name: str, **env: str) -> AbstractAsyncContextManager[ServerProcess]: ...


async def count(catalogue: Catalogue, table: Table) -> int:
    async with catalogue.reading() as transaction:
        row = await transaction.one(select(func.count()).select_from(table))
    assert row is not None
    return int(row[0])


async def counts(catalogue: Catalogue) -> dict[str, int]:
    """The number of rows that an upload leaves, by table."""
    left = (tables.release, tables.payload, tables.upload, tables.upload_segment, tables.pin)
    return {table.name: await count(catalogue, table) for table in left}

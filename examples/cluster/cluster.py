"""Starts a cluster part by part, tells what ended, starts it again, and takes everything down in order.

In order the nodes go first and what they need last. Whatever ends us, nothing is left: each part is a
child that the kernel ends with us, as ``tests.services.child`` tells.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from longshore_client import LongshoreError, SyncClient
from tests.services.binaries import ETCD, MINIO, find
from tests.services.child import StartError
from tests.services.etcd_cluster import EtcdCluster
from tests.services.ports import HOST, ReservedPort
from tests.services.postgres_programs import find_postgres
from tests.services.service import Service

from .folder import ClusterError, Folder
from .screen import Screen
from .services import LONGSHORE, KeptMinio, KeptPostgres, NodeService

WANTED_PORTS: Final = {"node1": 7420, "node2": 7421, "node3": 7422}


class Cluster:
    """What runs: ``nodes``, and ``parts``, which are the nodes and all that they need."""

    def __init__(self, folder: Folder, nodes: Sequence[NodeService], services: Sequence[Service]) -> None:
        self.folder = folder
        self.nodes = nodes
        self.parts = [*services, *nodes]
        self._told: set[int] = set()

    def newly_ended(self) -> list[Service]:
        """The parts that have ended by themselves; each end is told once."""
        ended = [part for part in self._down() if part.child.pid not in self._told]
        self._told.update(part.child.pid for part in ended)
        return ended

    def start_again(self) -> Iterator[Service]:
        """Start every part that is down; gives each that runs again. Raises ``ClusterError``."""
        for part in self._down():
            started(part)
            yield part

    def driver(self) -> tuple[NodeService, str]:
        """The node that drives a rollout, and what of; of several the first. Raises ``ClusterError``."""
        running = {node.name: node for node in self.nodes if node.running}
        if not running:
            raise ClusterError("no node runs")
        try:
            with SyncClient(",".join(node.address for node in running.values())) as client:
                for lock in client.locks():
                    if lock.project and lock.node_name in running:
                        return running[lock.node_name], f"{lock.project} in {lock.environment}"
        except LongshoreError as error:
            raise ClusterError(f"nobody tells who drives: {error}") from error
        raise ClusterError("no node drives a rollout: `hold` first, then deploy, and then kill")

    def _down(self) -> list[Service]:
        return [part for part in self.parts if not part.running]


@contextmanager
def running_cluster(folder: Folder, screen: Screen) -> Iterator[Cluster]:
    """A cluster for as long as the block runs. Raises ``ClusterError`` and ``ServiceMissingError``."""
    with ExitStack() as stack:
        postgres, minio, etcd = _services(folder, screen)
        services: list[Service] = [*etcd.members, minio, postgres]
        stack.callback(_end, screen, "etcd, MinIO, PostgreSQL", services)
        with screen.step("PostgreSQL", "starting") as step:
            started(postgres)
            database_url = postgres.database_url()
            step.found = _place(database_url)
        with screen.step("MinIO", "starting") as step:
            started(minio)
            blobs_url = minio.bucket_url()
            step.found = _place(blobs_url)
        with screen.step("etcd", "starting three members") as step:
            for member in etcd.members:
                member.start(wait=False)
            for member in etcd.members:
                started(member)
            step.found = ", ".join(etcd.endpoints)
        stores = {"database": database_url, "blobs": blobs_url, "coordination": etcd.url("longshore")}
        nodes = [NodeService(name, _free_port(port), folder) for name, port in WANTED_PORTS.items()]
        with screen.step("Schema", "bringing the database to this version's") as step:
            for node in nodes:
                node.write_settings(stores)
            step.found = _migrated(nodes[0].config)
        stack.callback(_end, screen, "nodes", nodes)
        with screen.step("Nodes", "starting three") as step:
            for node in nodes:
                node.start(wait=False)
            for node in nodes:
                started(node)
            step.found = ", ".join(node.name for node in nodes)
        yield Cluster(folder, nodes, services)


def started(service: Service) -> None:
    """Start it and wait until it is ready. Raises ``ClusterError`` with its last words."""
    try:
        service.start()
    except StartError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ClusterError(f"{lines[0]}: {lines[-1]}") from None


def _services(folder: Folder, screen: Screen) -> tuple[KeptPostgres, KeptMinio, EtcdCluster]:
    """Find or build their programs; nothing is started yet."""
    with screen.step("Programs", "looking for MinIO, etcd and PostgreSQL") as step:
        minio, etcd = (find(program, screen.say) for program in (MINIO, ETCD))
        postgres = find_postgres(folder.run)
        origins = {"MinIO": minio.origin, "etcd": etcd.origin, "PostgreSQL": postgres.origin}
        step.found = ", ".join(f"{name}: {origin}" for name, origin in origins.items())
    return (
        KeptPostgres(postgres, folder),
        KeptMinio(minio.path, folder),
        EtcdCluster(etcd.path, folder.run / "etcd"),
    )


def _migrated(config: Path) -> str:
    command = [str(LONGSHORE), "admin", "migrate", "--config", str(config)]
    # Variables of whoever started us would win over the file.
    env = {name: value for name, value in os.environ.items() if not name.startswith("LONGSHORE_")}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise ClusterError(done.stderr.strip().splitlines()[-1])
    return done.stdout.strip().rpartition(" schema ")[2]


def _place(url: str) -> str:
    """What of a URL is no secret."""
    return url.rpartition("@")[2]


def _free_port(number: int) -> int:
    """``number``, or another one where somebody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
        except OSError:
            with ReservedPort() as other:
                return other.number
    return number


def _end(screen: Screen, what: str, services: Sequence[Service]) -> None:
    try:
        if any(service.running for service in services):
            with screen.step("Stopped", f"{what}, Ctrl-C kills") as step:
                for service in services:
                    service.stop()
                step.found = what
    finally:
        for service in services:
            service.close()

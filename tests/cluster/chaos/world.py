"""Everything that a run is made of: three services, a proxy server, and nodes in two environments."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from tests.faults.disks import MountsForbiddenError, SmallDisk, small_disk
from tests.services.etcd_cluster import EtcdCluster
from tests.services.minio_service import MinioService
from tests.services.postgres_service import PostgresService
from tests.services.toxiproxy import Proxy, ToxiproxyService

from .bundles import MARK
from .nodes import LONGSHORE, Links, Node

ENVIRONMENTS: Final = ("default", "staging")
PROJECTS: Final = ("web", "docs", "tools")
# The label that says which failure domain a node is in.
DOMAIN: Final = "zone"
DOMAINS: Final = ("a", "b")
LEASE_S: Final = 2
SILENCE_S: Final = 20
# So many of a project's releases keep their payload for an environment, and so many that were live there.
KEPT_RELEASES: Final = 5
KEPT_TARGETS: Final = 2
# What holds for whoever collects, nodes or not.
COLLECTING: Final = {
    "LONGSHORE_COLLECTING__GRACE_S": "15",
    "LONGSHORE_COLLECTING__KEEP_UNNAMED_S": "3",
    "LONGSHORE_RETENTION__KEEP_RELEASES": str(KEPT_RELEASES),
    "LONGSHORE_RETENTION__ROLLBACK_TARGETS": str(KEPT_TARGETS),
}

_CLOCK: Final = Path(__file__).parents[2] / "faults/shifted_clock"
_DISK_MIB: Final = 64
# Fails at what is marked with the node's name, once for each release: who tries again gets through.
_HOOK: Final = (
    'test "$(cat "$LONGSHORE_TREE/$1" 2>&1)" != "$2" '
    '|| ! mkdir "$FAILED/$LONGSHORE_PROJECT@$LONGSHORE_VERSION"'
)
# Everything that takes its time in a fleet is quick here, so that a run sees many faults a minute.
_SETTINGS: Final = {
    "LONGSHORE_COORDINATION__LEASE_S": str(LEASE_S),
    "LONGSHORE_POLL_S": "0.5",
    "LONGSHORE_DRAIN_TIMEOUT_S": "2",
    "LONGSHORE_ROLLOUT__PROGRESS_DEADLINE_S": str(SILENCE_S),
    "LONGSHORE_BLOBS__SILENCE_TIMEOUT_S": "3",
    "LONGSHORE_BLOBS__RETRY_FOR_S": "4",
    "LONGSHORE_UPLOADS__IDLE_TIMEOUT_S": "5",
    "LONGSHORE_COLLECTING__EVERY_S": "5",
    **COLLECTING,
    "LONGSHORE_COMPACTING__EVERY_S": "7",
    "LONGSHORE_AUDIT__SEAL_EVERY_S": "2",
    "LONGSHORE_NODE__KEPT_RELEASES": "2",
    "LONGSHORE_LOG__FORMAT": "json",
}


@dataclass(frozen=True)
class Services:
    """What the nodes need; a run may break all of it."""

    postgres: PostgresService
    minio: MinioService
    etcd: EtcdCluster
    toxiproxy: ToxiproxyService

    def mend(self) -> None:
        """Start what is down, resume what stands still."""
        self.postgres.ensure_running()
        self.minio.ensure_running()
        self.etcd.start()
        self.toxiproxy.ensure_running()


class Clock:
    """The clock of one node, in a file of its own."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.shift(timedelta())
        self.env = {"PYTHONPATH": str(_CLOCK), "SHIFTED_CLOCK": str(file)}

    def shift(self, by: timedelta) -> None:
        beside = self._file.with_suffix(".new")
        beside.write_text(str(round(by.total_seconds())))
        beside.replace(self._file)


@dataclass(frozen=True)
class World:
    """``database_url`` and ``blobs_url`` reach the stores past every proxy."""

    services: Services
    nodes: Sequence[Node]
    database_url: str
    blobs_url: str
    etcd_prefix: str
    clock: Clock
    disk: SmallDisk | None

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    @property
    def shifted(self) -> Node:
        """The node whose clock is ``clock``."""
        return self.nodes[0]

    @property
    def cramped(self) -> Node:
        """The node on ``disk``, where this machine lets one be made."""
        return self.nodes[-1]

    def mend(self) -> None:
        """End every fault."""
        self.services.mend()
        for node in self.nodes:
            if node.running:
                node.resume()
            for service in ("postgres", "minio", "etcd"):
                for proxy in node.links.to(service):
                    proxy.mend()
        self.clock.shift(timedelta())


@contextmanager
def made_world(services: Services, folder: Path, *, nodes: int) -> Iterator[World]:
    """A world whose nodes are not started yet."""
    with ExitStack() as stack:
        stack.callback(subprocess.run, ["chmod", "-R", "u+w", str(folder)], check=True)
        postgres, minio, etcd = services.postgres, services.minio, services.etcd
        database_url = postgres.url(stack.enter_context(postgres.fresh_database()))
        blobs_url = minio.url(stack.enter_context(minio.fresh_bucket()))
        prefix = stack.enter_context(etcd.fresh_prefix())
        disk = _small_disk(stack, folder)
        clock = Clock(folder / "clock")
        (folder / "logs").mkdir()
        proxy = services.toxiproxy.proxy
        made: list[Node] = []
        for number in range(nodes):
            node = _node(
                number,
                Links(
                    postgres=stack.enter_context(proxy(place_of(database_url))),
                    minio=stack.enter_context(proxy(place_of(blobs_url))),
                    etcd=[stack.enter_context(proxy(endpoint)) for endpoint in etcd.endpoints],
                ),
                disk if number == nodes - 1 else None,
                folder,
                env={
                    "LONGSHORE_DATABASE__URL": database_url,
                    "LONGSHORE_BLOBS__URL": blobs_url,
                    "LONGSHORE_COORDINATION__URL": prefix,
                    **(clock.env if number == 0 else {}),
                },
            )
            stack.callback(node.close)
            made.append(node)
        yield World(services, made, database_url, blobs_url, prefix, clock, disk)


def _node(number: int, links: Links, disk: SmallDisk | None, folder: Path, *, env: Mapping[str, str]) -> Node:
    """``env`` names the stores as they are; the node is told where its own proxies to them listen."""
    # More nodes in the first environment than in the second.
    name, environment = f"node{number + 1}", ENVIRONMENTS[number % len(ENVIRONMENTS)]
    return Node(
        name,
        environment,
        links,
        data_dir=(disk.path if disk else folder) / name,
        seen=(disk.seen if disk else folder) / name,
        folder=folder / "logs",
        program=disk.program if disk else [LONGSHORE],
        env={
            **_SETTINGS,
            **env,
            "LONGSHORE_DATABASE__URL": _through(links.postgres, env["LONGSHORE_DATABASE__URL"]),
            "LONGSHORE_BLOBS__URL": _through(links.minio, env["LONGSHORE_BLOBS__URL"]),
            "LONGSHORE_COORDINATION__URL": _etcd_through(links.etcd, env["LONGSHORE_COORDINATION__URL"]),
            "LONGSHORE_NODE__NAME": name,
            "LONGSHORE_NODE__ENVIRONMENT": environment,
            "LONGSHORE_NODE__LABELS": json.dumps({DOMAIN: _domain(number)}),
            "LONGSHORE_NODE__HOOKS": json.dumps([_hook(name, folder / f"failed-{name}")]),
        },
    )


def _domain(number: int) -> str:
    """Nodes of one environment are in both domains in turn."""
    return DOMAINS[number // len(ENVIRONMENTS) % len(DOMAINS)]


def _hook(name: str, failed: Path) -> Mapping[str, object]:
    """The hook of a node, which makes a folder in ``failed`` for each release that it has failed at."""
    failed.mkdir()
    return {
        "when": "after_switch",
        "command": ["sh", "-c", _HOOK, "hook", MARK, name],
        "environment": {"FAILED": str(failed)},
    }


def _small_disk(stack: ExitStack, folder: Path) -> SmallDisk | None:
    try:
        return stack.enter_context(small_disk(folder, size_mib=_DISK_MIB))
    except MountsForbiddenError:
        return None


def place_of(url: str) -> str:
    """``HOST:PORT`` of a store's URL."""
    return url.rpartition("@")[2].partition("/")[0]


def _through(proxy: Proxy, url: str) -> str:
    return url.replace(place_of(url), proxy.address)


def _etcd_through(proxies: Sequence[Proxy], prefix: str) -> str:
    return f"etcd://{','.join(proxy.address for proxy in proxies)}/{prefix}"

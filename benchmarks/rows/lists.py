"""``ListDeployments`` over 1,000,000 deployments against it over 1,000: the first page, and one deep inside.

Every filter is asked by itself, as a client asks: through a node. What counts is the worst of
the filters, each as the ratio of medians; both sizes take turns, so that the machine's mood is in both.
"""

from __future__ import annotations

import base64
import json
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from benchmarks.history import fill_history, time_of
from benchmarks.results import Measured
from benchmarks.stage import Bench
from longshore.v1 import deployment_pb2
from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1.deployment_service_pb2_grpc import DeploymentServiceStub
from tests.services.postgres_programs import find_postgres
from tests.services.postgres_service import PostgresService
from tests.services.processes import serve

_FEWEST = 1_000
_CALLS = 30
_D = deployment_pb2

_PAGE = 20
# Where a page deep inside begins, and the times between which it lies, in shares of all numbers.
_DEEP, _SINCE, _UNTIL = 5 / 8, 4 / 8, 7 / 8


def filters_of(size: int) -> dict[str, dict[str, Any]]:
    """Every filter by itself, over that many deployments; each matches more than two pages."""
    since, until, late = (_timestamp(int(size * share)) for share in (_SINCE, _UNTIL, 1 - 3 * _PAGE / size))
    return {
        "none": {},
        "project": {"project": "project-3"},
        "environment": {"environment": "staging"},
        "project and environment": {"project": "project-3", "environment": "staging"},
        "common status": {"statuses": [_D.DEPLOYMENT_STATUS_SUCCEEDED]},
        "rare status": {"statuses": [_D.DEPLOYMENT_STATUS_CANCELLED]},
        "two statuses": {"statuses": [_D.DEPLOYMENT_STATUS_FAILED, _D.DEPLOYMENT_STATUS_SUCCEEDED]},
        "version": {"version": "1.4.0"},
        "deployed_by": {"deployed_by": "caller-7"},
        "since": {"since_time": since},
        "since not long ago": {"since_time": late},
        "until": {"until_time": until},
        "label": {"labels": {"team": "team-5"}},
    }


async def measure(bench: Bench) -> Measured:
    with PostgresService(find_postgres(bench.folder), bench.folder / "postgres") as postgres:
        return await measure_on(bench, postgres)


async def measure_on(bench: Bench, postgres: PostgresService) -> Measured:
    """Measure on a PostgreSQL that runs, and on SQLite."""
    most = bench.sizes.listed_deployments
    fewest = min(_FEWEST, most // 2)
    figures: dict[str, list[float]] = {}
    details: dict[str, Any] = {"deployments": most, "against": fewest}
    async with AsyncExitStack() as stack:
        for kind in ("sqlite", "postgres"):
            nodes = {}
            for size in (fewest, most):
                bench.say(f"{kind}: filling in {size:,} deployments")
                folder = bench.folder / f"lists-{kind}-{size}"
                folder.mkdir()
                url = f"sqlite:///{folder}/longshore.db"
                if kind == "postgres":
                    url = postgres.url(stack.enter_context(postgres.fresh_database()))
                nodes[size] = await stack.enter_async_context(_node(folder, url, size, bench))
            took = await _ask(nodes)
            ratios = {name: took[most][name] / took[fewest][name] for name in took[most]}
            figures[f"lists.{kind}"] = [max(ratios.values())]
            details[kind] = {
                name: {"times": round(ratio, 2), "ms": [_ms(took[fewest][name]), _ms(took[most][name])]}
                for name, ratio in ratios.items()
            }
            worst = max(ratios, key=lambda name: ratios[name])
            bench.say(f"{kind}: {worst} takes {ratios[worst]:.2f} times as long")
    return Measured(figures, details)


@dataclass(frozen=True)
class _Listed:
    """A node that answers, and how many deployments it has."""

    stub: Any
    size: int

    async def seconds(self, name: str, *, deep: bool) -> float:
        request = pb.ListDeploymentsRequest(page_size=_PAGE, **filters_of(self.size)[name])
        if deep:
            first = await self.stub.ListDeployments(request)
            if first.next_page_token:
                request.page_token = _moved(first.next_page_token, int(self.size * _DEEP))
        begun = time.perf_counter()
        await self.stub.ListDeployments(request)
        return time.perf_counter() - begun


@asynccontextmanager
async def _node(folder: Path, url: str, size: int, bench: Bench) -> AsyncIterator[_Listed]:
    await fill_history(url, size)
    with bench.minio.fresh_bucket() as bucket:
        env = {
            "LONGSHORE_DATABASE__URL": url,
            "LONGSHORE_BLOBS__URL": bench.minio.url(bucket),
            "LONGSHORE_LOG__LEVEL": "warning",
            "LONGSHORE_NODE__ROLES": "receive",
            "LONGSHORE_COORDINATION__URL": "etcd://127.0.0.1:9/none" if "postgres" in url else "local://",
        }
        async with (
            serve(data_dir=folder, env=env) as server,
            grpc.aio.insecure_channel(server.address) as channel,
        ):
            yield _Listed(DeploymentServiceStub(channel), size)


async def _ask(nodes: Mapping[int, _Listed]) -> dict[int, dict[str, float]]:
    """The median in seconds by size and by filter and place."""
    medians: dict[int, dict[str, float]] = defaultdict(dict)
    for name in filters_of(_FEWEST):
        for deep in (False, True):
            seconds: dict[int, list[float]] = defaultdict(list)
            for _ in range(_CALLS):
                for size, node in nodes.items():
                    seconds[size].append(await node.seconds(name, deep=deep))
            for size, taken in seconds.items():
                medians[size][f"{name}, {'deep inside' if deep else 'first page'}"] = statistics.median(taken)
    return medians


def _moved(token: str, number: int) -> str:
    """A page token for another place: to page there would take as many calls as there are pages."""
    binding, _ = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    text = json.dumps([binding, number], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _timestamp(number: int) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(time_of(number))
    return message


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)

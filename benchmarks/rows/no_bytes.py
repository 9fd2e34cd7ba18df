"""What needs no payload: the same again, back to a kept release, the same in another environment.

Counted are the payload's bytes that the server took in, that pack files grew by, and that nodes fetched. The
node of the other environment has never had the release: what it fetches to have it at all is told beside.
"""

from __future__ import annotations

import asyncio

from benchmarks.peers import Cluster, cluster, live_everywhere
from benchmarks.results import Measured
from benchmarks.services import Services, services
from benchmarks.stage import Bench
from longshore_client import Client, Deployment

from .tree import lay_tree

_OLD, _NEW = "1.0.0", "2.0.0"


async def measure(bench: Bench) -> Measured:
    with services(bench) as started:
        return await measure_on(bench, started)


async def measure_on(bench: Bench, started: Services) -> Measured:
    """Measure on services that run."""
    moved: dict[str, float] = {}
    async with (
        cluster(bench, started, ["default", "production"]) as nodes,
        Client(nodes.receiver.address) as client,
    ):
        tree = await asyncio.to_thread(lay_tree, bench.sizes, nodes.place.folder)
        for version in (_OLD, _NEW):
            (tree / "version").write_text(version)
            deployment = await client.deploy(tree, project="bench", version=version)
            await live_everywhere(client, deployment.deployment_id, 1)
        stored = _pack_bytes(nodes)

        again = await client.deploy(tree, project="bench", version=_NEW)
        moved["redeploy"] = await _received_and_fetched(client, again)
        back = await client.rollback("bench", version=_OLD)
        assert back is not None
        moved["rollback"] = await _received_and_fetched(client, back)
        promoted = await client.deploy(tree, project="bench", version=_NEW, environment="production")
        (there,) = await live_everywhere(client, promoted.deployment_id, 1)
        moved["promotion"] = _received(promoted)
        grown = _pack_bytes(nodes) - stored
    for name, size_bytes in moved.items():
        bench.say(f"{name}: {size_bytes:,.0f} bytes; pack files grew by {grown:,}")
    return Measured(
        {f"no-bytes.{name}": [size_bytes + grown] for name, size_bytes in moved.items()},
        {"other_environment_fetched_bytes": there.fetched_bytes, "payload_bytes": there.total_bytes},
    )


def _received(deployment: Deployment) -> int:
    return deployment.transfer.received_bytes if deployment.transfer is not None else 0


async def _received_and_fetched(client: Client, deployment: Deployment) -> int:
    (activation,) = await live_everywhere(client, deployment.deployment_id, 1)
    return _received(deployment) + activation.fetched_bytes


def _pack_bytes(nodes: Cluster) -> int:
    objects = nodes.place.sdk().list_objects(nodes.place.bucket, recursive=True)
    return sum(each.size or 0 for each in objects if "packs/" in str(each.object_name))

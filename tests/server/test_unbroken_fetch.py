"""A store that goes away while a tree is built: the building waits, and goes on where it was."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore_server.agent.moved import Moved
from longshore_storage.payloads import PayloadSettings
from tests.bundles.trees import File, Tree
from tests.services.minio_service import MinioService
from tests.services.store_faults import CutsAnswer, Drops, Says
from tests.services.store_proxy import StoreFault, StoreProxy, store_proxy
from tests.storage.payloads.world import CUTTING, KIB, until

from .builds import Builds, builds
from .contents import canonical_tar, installed
from .disk.places import removable

# Some thirty batches, of which two are under way at a time.
SETTINGS = PayloadSettings(
    cutting=CUTTING,
    pack_bytes=1024 * KIB,
    packs_per_upload=2,
    batch_bytes=256 * KIB,
    read_batch_bytes=256 * KIB,
    read_batches_in_flight=2,
    threads=2,
)
TREE: Tree = {f"part{number}": File(random.Random(number).randbytes(500 * KIB)) for number in range(16)}
PAYLOAD = canonical_tar(TREE)

FAULTS: list[StoreFault] = [Drops(reset=True), CutsAnswer(0.5), Says(503, "SlowDown")]


@pytest.fixture
async def proxy(minio_service: MinioService) -> AsyncIterator[StoreProxy]:
    async with store_proxy(minio_service.endpoint) as proxy:
        yield proxy


@pytest.fixture
async def node(proxy: StoreProxy, s3_url: str, tmp_path: Path) -> AsyncIterator[Builds]:
    async with builds(tmp_path, blobs_url=proxy.url(s3_url), settings=SETTINGS) as node:
        yield node
    removable(tmp_path)


def reads(proxy: StoreProxy, kind: str) -> int:
    return sum(operation == "get" and key.startswith(kind) for operation, key in proxy.requests)


async def test_what_was_unpacked_is_not_thrown_away(node: Builds, proxy: StoreProxy) -> None:
    release = await node.store_tree(TREE, "1.0.0")
    proxy.requests.clear()
    await node.build(release)
    reads_at_best = reads(proxy, "packs/")
    assert reads_at_best >= 30
    node.trees.prune("netops", keep=0, live=None)

    moved = Moved(len(PAYLOAD))
    proxy.requests.clear()
    async with asyncio.TaskGroup() as tasks:
        building = tasks.create_task(node.build(release, moved))
        failed = await interrupted(proxy, moved)
    built = building.result()
    assert installed(built.tree.path) == TREE
    assert built.installed_bytes == len(PAYLOAD)
    assert reads(proxy, "manifests/") == 1
    # Of what came, only what shared a batch with something that did not come was asked for twice.
    assert reads(proxy, "packs/") - failed <= reads_at_best + 4 * SETTINGS.read_batches_in_flight
    assert len(PAYLOAD) <= built.fetched_bytes < len(PAYLOAD) * 1.5


async def interrupted(proxy: StoreProxy, moved: Moved) -> int:
    """Let everything happen to a build, one thing after another; how many requests came to nothing."""
    failed = installed_bytes = 0
    for fault in FAULTS:
        rule = proxy.break_(fault, "get", "packs/", skip=6)
        # While the store is away what is missing is asked for again and again, and what came is unpacked.
        await until(lambda: rule.hits >= 3 and moved.installed_bytes > installed_bytes)  # noqa: B023
        installed_bytes = moved.installed_bytes
        failed += rule.hits
        await proxy.mend()
    # It is gone altogether, as one that is started again.
    await proxy.refuse()
    await proxy.listen()
    return failed


async def test_a_build_that_is_cancelled_while_it_waits_leaves_nothing(
    node: Builds, proxy: StoreProxy
) -> None:
    release = await node.store_tree(TREE, "1.0.0")
    rule = proxy.break_(Says(503, "SlowDown"), "get", "packs/", skip=4)
    building = asyncio.create_task(node.build(release))
    await rule.has_hit()
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert node.trees.trees("netops") == []
    assert list(node.folder.installed.iterdir()) == []

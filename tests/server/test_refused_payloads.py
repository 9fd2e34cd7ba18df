"""A payload that was stored and then refused is left to the collector, which takes all of it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from longshore_bundles.tar_header import END_OF_ARCHIVE, file_header, padding
from longshore_server.collecting import make_collector
from longshore_server.settings import load_settings
from longshore_server.stores import open_stores
from longshore_storage.catalogue import tables
from longshore_storage.catalogue.rows import Actor
from longshore_storage.collecting import CollectingReport
from tests.bundles.trees import File, make_zip

from .calls import MIB, deploy, deploy_to_end, get, new_id, refused
from .contents import canonical_tar, random_bytes, small_tree
from .running import RunningNode, StartNode, count

S = grpc.StatusCode
LARGE = File(random_bytes(MIB))
TRAVERSAL = b"".join(
    [file_header("../x", MIB, executable=False), LARGE.content, padding(MIB), END_OF_ARCHIVE]
)
NAMES_ANOTHER = canonical_tar({"package.json": File(b'{"name": "other"}'), "large.bin": LARGE})
KEPT = canonical_tar({**small_tree(), "own.bin": File(random_bytes(MIB, 2))})


async def collect(node: RunningNode, stores: dict[str, Any]) -> set[str]:
    """Run the collector as another process would, without grace; the keys that are left."""
    at_once = {"grace_s": 0, "keep_unnamed_s": 0, "every_s": 0}
    settings = load_settings(None, {"data_dir": node.data_dir, **stores, "collecting": at_once})
    async with AsyncExitStack() as stack:
        opened = await open_stores(settings, stack)
        await make_collector(settings, opened.catalogue, opened.blobs, Actor("admin")).run(CollectingReport())
        return {blob.key async for blob in opened.blobs.list("") if not blob.key.startswith("catalogues/")}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (TRAVERSAL, "ARCHIVE_INVALID"),
        (NAMES_ANOTHER, "VALIDATION_FAILED"),
        (random_bytes(MIB, 3), "VALIDATION_FAILED"),
        (make_zip({"large.bin": LARGE}), "STAGING_EXCEEDED"),
    ],
    ids=["archive", "manifest", "no name", "staging"],
)
async def test_what_is_refused_is_collected(
    start_node: StartNode, stores: dict[str, Any], payload: bytes, reason: str
) -> None:
    async with start_node(uploads={"staging_bytes": MIB // 2}, collecting={"every_s": 0}) as node:
        await deploy_to_end(node, KEPT)
        kept = await collect(node, stores)
        deployment_id = new_id()
        code = S.RESOURCE_EXHAUSTED if reason == "STAGING_EXCEEDED" else S.INVALID_ARGUMENT
        with refused(code, reason):
            await deploy(node, payload, deployment_id)
        assert (await get(node, deployment_id)).status == d.DEPLOYMENT_STATUS_FAILED
        # Its rows and objects are there still: removing them at once would race with who finds them.
        assert await count(node.catalogue, tables.payload) == 2
        assert await count(node.catalogue, tables.upload) == 0
        assert await count(node.catalogue, tables.pin) == 0
        assert await collect(node, stores) == kept
        for table, left in ((tables.payload, 1), (tables.pack_file, 1), (tables.condemned, 0)):
            assert await count(node.catalogue, table) == left
        # The refusal outlives the bytes.
        with refused(code, reason):
            await deploy(node, payload, deployment_id)
        assert node.staged == []

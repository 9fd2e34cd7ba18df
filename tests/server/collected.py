"""Payloads that collecting may drop, and collecting beside a running node as the command does it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.collecting import make_collector
from longshore_server.settings import load_settings
from longshore_server.stores import open_stores
from longshore_storage.catalogue.rows import Actor
from longshore_storage.collecting import CollectingReport
from tests.bundles.trees import File

from .contents import canonical_tar, random_bytes, small_tree
from .running import RunningNode

MIB = 1 << 20

AT_ONCE = {"grace_s": 0, "keep_unnamed_s": 0, "every_s": 0}


async def collect(node: RunningNode, stores: dict[str, Any], **collecting: Any) -> set[str]:
    """Run once as another process would; the keys that are left."""
    settings = load_settings(
        None, {"data_dir": node.data_dir, **stores, "collecting": {**AT_ONCE, **collecting}}
    )
    async with AsyncExitStack() as stack:
        opened = await open_stores(settings, stack)
        await make_collector(settings, opened.catalogue, opened.blobs, Actor("admin")).run(CollectingReport())
        return {blob.key async for blob in opened.blobs.list("") if not blob.key.startswith("catalogues/")}


def content(number: int) -> bytes:
    """Payloads that share nothing."""
    return canonical_tar({**small_tree(str(number)), "large.bin": File(random_bytes(MIB, number))})


async def delete(node: RunningNode, version: str, **values: Any) -> pb.DeletePayloadResponse:
    return await node.deployments.DeletePayload(
        pb.DeletePayloadRequest(**{"project": "netops", "version": version, **values})
    )


async def download(node: RunningNode, version: str) -> tuple[pb.PayloadInfo, bytes]:
    request = pb.DownloadPayloadRequest(project="netops", version=version)
    messages = [message async for message in node.deployments.DownloadPayload(request)]
    return messages[0].info, b"".join(message.data for message in messages)


async def stored_versions(node: RunningNode) -> list[str]:
    response = await node.catalog.ListReleases(catalog.ListReleasesRequest(project="netops"))
    return sorted(release.version for release in response.releases if release.payload_present)

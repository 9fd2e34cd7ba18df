"""Collecting beside a running node, as the command does it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from longshore_server.collecting import make_collector
from longshore_server.settings import load_settings
from longshore_server.stores import open_stores
from longshore_storage.catalogue.rows import Actor
from longshore_storage.collecting import CollectingReport

from .running import RunningNode

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

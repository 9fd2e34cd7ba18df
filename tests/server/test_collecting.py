"""A node collects by itself: one of those that look does it, and a store that is away ends none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from sqlalchemy import select, update

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import errors_pb2
from longshore_server.collecting import CollectingTimer, make_collector
from longshore_server.disk import DataFolder
from longshore_server.settings import Settings, load_settings
from longshore_server.stores import open_stores
from longshore_storage.catalogue import Catalogue, chores, tables
from longshore_storage.catalogue.rows import Actor
from longshore_storage.coordination.local import LocalCoordination, LocalHub
from longshore_storage.ports import BlobStore

from .calls import (
    UploadCall,
    data_messages,
    deploy_to_end,
    ended,
    header,
    interrupted,
    new_id,
    refused,
    until,
)
from .collected import AT_ONCE, content
from .contents import random_bytes
from .running import StartNode, count, embedded

S = grpc.StatusCode
MIB = 1 << 20


@asynccontextmanager
async def blobs_of(settings: Settings) -> AsyncIterator[BlobStore]:
    async with AsyncExitStack() as stack:
        yield (await open_stores(settings, stack)).blobs


class TestByTimer:
    async def test_an_abandoned_upload_fails_and_its_bytes_go(
        self, start_node: StartNode, stores: dict[str, Any]
    ) -> None:
        collecting = {**AT_ONCE, "every_s": 0.2}
        async with start_node(collecting=collecting) as node:
            deployment_id, data = new_id(), random_bytes(20 * MIB)
            async with UploadCall(node, header(deployment_id)) as call:
                await call.send(data_messages(data))
                await until(node, deployment_id, lambda seen: seen.transfer.durable_bytes)
            await interrupted(node, deployment_id)
            u, f = tables.upload, tables.pack_file
            async with node.catalogue.transaction() as transaction:
                old = await transaction.now() - timedelta(days=2)
                await transaction.execute(update(u).values(heartbeat_time=old))
                # What was on its way when the upload broke off stays an hour longer.
                found = await transaction.all(select(f.c.key).where(f.c.state == "STORED"))
                stored = {row.key for row in found}
            assert stored
            failed = await ended(node, deployment_id)
            assert failed.status == d.DEPLOYMENT_STATUS_FAILED
            assert failed.error.reason == errors_pb2.ERROR_REASON_UPLOAD_ABANDONED
            assert "new id" in failed.error.message
            with refused(S.FAILED_PRECONDITION, "UPLOAD_ABANDONED"):
                async with UploadCall(node, header(deployment_id)):
                    pass
            settings = load_settings(None, {"data_dir": node.data_dir, **stores})
            async with blobs_of(settings) as blobs:
                await eventually(lambda: none_is_left(blobs, stored))
            assert await count(node.catalogue, tables.upload) == 0
            assert (await deploy_to_end(node, content(1))).version == "1.0.0"

    async def test_one_of_those_that_look_does_it(self, tmp_path: Path) -> None:
        settings = load_settings(None, {"data_dir": tmp_path, "collecting": AT_ONCE})
        hub = LocalHub()
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(DataFolder.open(tmp_path))
            stores = await open_stores(settings, stack)
            collector = make_collector(settings, stores.catalogue, stores.blobs, Actor("node:one"))
            timer = CollectingTimer(collector, LocalCoordination(hub), folder, every_s=0.02)
            async with LocalCoordination(hub).lock("collecting"):
                looking = asyncio.create_task(timer.run())
                await eventually(lambda: waits_for_the_lock(hub))
                assert not await has_ended(stores.catalogue)
            await eventually(lambda: has_ended(stores.catalogue))
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            assert not await collector.is_due(timedelta(hours=1))
            assert await collector.is_due(timedelta(0))
            # A last time that lies ahead, because the clock was set back since, does not put it off for long.
            async with stores.catalogue.transaction() as transaction:
                ahead = await transaction.now() + timedelta(hours=2)
                await transaction.execute(update(tables.chore).values(end_time=ahead))
            assert await collector.is_due(timedelta(hours=1))

    @embedded
    async def test_a_store_that_is_away_does_not_end_the_node(self, start_node: StartNode) -> None:
        async with start_node(collecting={**AT_ONCE, "every_s": 0.05}) as node:
            moved = node.data_dir / "moved"
            (node.data_dir / "blobs").rename(moved)
            await asyncio.sleep(0.3)
            moved.rename(node.data_dir / "blobs")
            assert (await deploy_to_end(node, content(1))).version == "1.0.0"


async def has_ended(catalogue: Catalogue) -> bool:
    async with catalogue.reading() as transaction:
        return (await chores.get_chore(transaction, "collecting")).end_time is not None


async def waits_for_the_lock(hub: LocalHub) -> bool:
    return len(hub.queues["collecting"]) > 1


async def none_is_left(blobs: BlobStore, keys: set[str]) -> bool:
    return not keys & {blob.key async for blob in blobs.list("packs/")}


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what others bring about."""
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)

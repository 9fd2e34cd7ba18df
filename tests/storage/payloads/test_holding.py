"""Holding an upload of which nothing is written: alive for as long as the session works, and not beyond."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from longshore_storage.catalogue import uploads
from longshore_storage.payloads import UploadTakenOver

from .conftest import OpenWorld
from .world import SMALL, World

QUICK = replace(SMALL, heartbeat_s=0.02)


async def beats(world: World, deployment_id: str, times: int) -> None:
    for _ in range(times):
        before = (await world.upload_row(deployment_id)).heartbeat_time
        async with asyncio.timeout(10):
            while (await world.upload_row(deployment_id)).heartbeat_time <= before:
                await asyncio.sleep(0.005)


async def test_it_beats_and_stops(open_world: OpenWorld) -> None:
    async with open_world(QUICK) as world:
        deployment_id = await world.begin()
        async with world.store.hold(deployment_id=deployment_id, epoch=1):
            await beats(world, deployment_id, 3)
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_who_takes_over_ends_the_work(open_world: OpenWorld) -> None:
    async with open_world(QUICK) as world:
        deployment_id = await world.begin()
        with pytest.raises(UploadTakenOver):
            async with world.store.hold(deployment_id=deployment_id, epoch=1):
                assert await world.take_over(deployment_id) == 2
                await asyncio.Event().wait()
        assert (await world.upload_row(deployment_id)).epoch == 2


async def test_a_writer_whose_payload_is_stored_still_notices(open_world: OpenWorld) -> None:
    async with open_world(QUICK) as world:
        deployment_id = await world.begin()
        with pytest.raises(UploadTakenOver):
            async with world.writer(deployment_id) as writer:
                await writer.add_data(0, b"a payload")
                await writer.finish()
                await beats(world, deployment_id, 1)
                await world.take_over(deployment_id)
                await asyncio.Event().wait()


async def test_ending_it_oneself_is_no_loss(open_world: OpenWorld) -> None:
    async with open_world(QUICK) as world:
        deployment_id = await world.begin()
        async with world.store.hold(deployment_id=deployment_id, epoch=1) as hold:
            hold.end()
            async with world.catalogue.transaction() as transaction:
                await uploads.drop_upload(transaction, deployment_id)
            async with asyncio.timeout(10):
                while len(asyncio.all_tasks()) > 1:
                    await asyncio.sleep(0.005)

"""Memory is bounded by the settings, not by the payload's size or by how many uploads there are."""

from __future__ import annotations

import asyncio
import random
import tracemalloc

from longshore_storage.payloads import PayloadSettings

from .conftest import OpenWorld
from .world import World, embedded_only

MIB = 1024 * 1024
SETTINGS = PayloadSettings(
    pack_bytes=4 * MIB,
    uploads_at_once=2,
    packs_in_flight=3,
    packs_per_upload=2,
    batch_bytes=1 * MIB,
    batches_in_flight=2,
    read_batch_bytes=1 * MIB,
    read_batches_in_flight=2,
    threads=2,
)
# Messages, rows, compiled statements.
ALLOWANCE = 8 * MIB


async def upload(world: World, seed: int, size_mib: int) -> str:
    chance = random.Random(seed)
    deployment_id = await world.begin()
    async with world.writer(deployment_id) as writer:
        for _ in range(size_mib):
            await writer.add_data(writer.offset, chance.randbytes(MIB))
        return (await writer.finish()).sha256


async def read(world: World, sha256: str) -> int:
    async with world.store.open(sha256) as reader:
        return sum([len(piece) async for piece in reader.stream()])


@embedded_only
async def test_memory_stays_under_the_bound(open_world: OpenWorld) -> None:
    async with open_world(SETTINGS) as world:
        await upload(world, 0, 1)  # What is loaded and compiled once is not what is measured.
        tracemalloc.start(1)
        try:
            names = await asyncio.gather(upload(world, 1, 80), upload(world, 2, 60), upload(world, 3, 60))
            peak_bytes = tracemalloc.get_traced_memory()[1]
            assert peak_bytes < SETTINGS.memory_bytes + ALLOWANCE
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            assert await read(world, names[0]) == 80 * MIB
            read_bytes = tracemalloc.get_traced_memory()[1] - before
            assert read_bytes < SETTINGS.stream_bytes + ALLOWANCE
        finally:
            tracemalloc.stop()

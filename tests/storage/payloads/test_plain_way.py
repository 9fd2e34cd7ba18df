"""Uploading data: what goes in comes out, is stored once, and is refused when it is not what was declared."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore_storage.catalogue import tables
from longshore_storage.payloads import (
    OffsetMismatch,
    PayloadEmpty,
    PayloadSettings,
    Sha256Mismatch,
    SizeMismatch,
)

from .conftest import OpenWorld
from .world import KIB, World, cut, embedded_only, random_bytes, send, text_bytes

# Runs of random bytes, of one byte, and of earlier bytes again.
_payloads = st.lists(
    st.tuples(st.sampled_from(["random", "zeros", "again"]), st.integers(1, 80 * KIB), st.integers(0, 3)),
    min_size=1,
    max_size=6,
)


def _payload(runs: list[tuple[str, int, int]]) -> bytes:
    data = b""
    for kind, size, seed in runs:
        if kind == "random":
            data += random_bytes(size, seed)
        elif kind == "zeros":
            data += bytes(size)
        else:
            data += data[:size] or b"x"
    return data


@given(runs=_payloads, piece=st.sampled_from([1000, 24 * KIB, 100 * KIB]))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_goes_in_comes_out(world: World, runs: list[tuple[str, int, int]], piece: int) -> None:
    data = _payload(runs)
    stored = await world.upload(data, piece=piece)
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert stored.size_bytes == stored.received_bytes == len(data)
    assert stored.chunk_count == len(cut(data))
    assert await world.read(stored.sha256) == data


@pytest.mark.parametrize("make", [random_bytes, text_bytes])
async def test_a_large_payload(open_world: OpenWorld, make: type[bytes]) -> None:
    data = make(50_000_000)
    async with open_world(PayloadSettings()) as world:
        stored = await world.upload(data, piece=1024 * KIB)
        assert await world.read(stored.sha256) == data
        assert await world.count(tables.pack_file) == -(-stored.stored_bytes // (16 * 1024 * KIB))
        if make is text_bytes:
            assert stored.stored_bytes < len(data) * 0.7


async def test_the_next_version_stores_only_what_changed(world: World) -> None:
    old = random_bytes(400 * KIB)
    new = old[: 200 * KIB] + b"changed" + old[200 * KIB :]
    await world.upload(old)
    stored = await world.upload(new)
    assert stored.stored_bytes < 40 * KIB
    assert stored.reused_bytes + stored.stored_bytes == len(new)
    assert await world.read(stored.sha256) == new


async def test_the_same_payload_again_stores_nothing(world: World) -> None:
    data = random_bytes(200 * KIB)
    first, second = await world.upload(data), await world.upload(data)
    assert (second.sha256, second.manifest_key) == (first.sha256, first.manifest_key)
    assert (second.stored_bytes, second.reused_bytes) == (0, len(data))
    assert await world.keys("manifests/") == [first.manifest_key]


async def test_another_project_stores_its_own_chunks(world: World) -> None:
    data = random_bytes(100 * KIB)
    await world.upload(data, project="one")
    stored = await world.upload(data + b"!", project="two")
    assert stored.stored_bytes == len(data) + 1


@embedded_only
async def test_what_stands_twice_is_stored_once_also_while_in_flight(world: World) -> None:
    part = random_bytes(40 * KIB)
    waiting, released = asyncio.Event(), asyncio.Event()

    async def hold_back(key: str) -> None:
        waiting.set()
        await released.wait()

    world.blobs.before_put = hold_back
    deployment_id = await world.begin()
    async with world.writer(deployment_id) as writer:
        await send(writer, part * 4)
        await waiting.wait()
        assert writer.durable_bytes == 0
        released.set()
        stored = await writer.finish()
    assert stored.stored_bytes < len(part) * 1.5
    assert await world.read(stored.sha256) == part * 4


async def test_the_rows_are_exactly_the_manifests_pack_files(world: World) -> None:
    stored = await world.upload(random_bytes(300 * KIB))
    named = await world.column(tables.payload_pack, "pack_key")
    assert sorted(map(str, named)) == sorted(await world.keys("packs/"))
    assert set(await world.column(tables.pack_file, "state")) == {"STORED"}
    assert await world.column(tables.payload, "sha256") == [stored.sha256]


@embedded_only
async def test_bytes_for_another_place_are_refused(world: World) -> None:
    deployment_id = await world.begin()
    async with world.writer(deployment_id) as writer:
        await writer.add_data(0, b"abc")
        with pytest.raises(OffsetMismatch) as caught:
            await writer.add_data(4, b"def")
        assert (caught.value.expected, caught.value.got) == (3, 4)
        await writer.add_data(3, b"def")
        stored = await writer.finish()
    assert await world.read(stored.sha256) == b"abcdef"


@embedded_only
async def test_nothing_is_no_payload(world: World) -> None:
    deployment_id = await world.begin()
    async with world.writer(deployment_id) as writer:
        await writer.add_data(0, b"")
        with pytest.raises(PayloadEmpty):
            await writer.finish()


@embedded_only
async def test_more_than_declared_is_refused_before_it_is_all_there(world: World) -> None:
    deployment_id = await world.begin(declared_size_bytes=10)
    async with world.writer(deployment_id) as writer:
        await writer.add_data(0, b"0123456789")
        with pytest.raises(SizeMismatch) as caught:
            await writer.add_data(10, b"!")
    assert (caught.value.declared, caught.value.got) == (10, 11)


@embedded_only
@pytest.mark.parametrize("declared", [99, 101])
async def test_another_size_than_declared_leaves_no_payload(world: World, declared: int) -> None:
    deployment_id = await world.begin()
    async with world.writer(deployment_id) as writer:
        await writer.add_data(0, bytes(100))
        with pytest.raises(SizeMismatch) as caught:
            await writer.finish(declared)
    assert (caught.value.declared, caught.value.got) == (declared, 100)
    assert await world.count(tables.payload) == 0


async def test_another_sha256_than_declared_leaves_no_payload(world: World) -> None:
    deployment_id = await world.begin()
    async with world.writer(deployment_id) as writer:
        await writer.add_data(0, b"abc")
        with pytest.raises(Sha256Mismatch) as caught:
            await writer.finish(3, "0" * 64)
    assert (caught.value.declared, caught.value.got) == ("0" * 64, hashlib.sha256(b"abc").hexdigest())
    assert await world.count(tables.payload) == 0
    assert await world.keys("manifests/") == []

"""Payloads stored in and read from a blob store that does wrong: whole or resumable, right or refused.

Each fault of the table that comes up to here hits pack files, then manifests; at the end nothing is left that
no row names.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from longshore_storage.catalogue import open_catalogue, tables
from longshore_storage.errors import BlobStoreUnavailable, CorruptBlob, Misconfigured
from tests.services.minio_service import MinioService
from tests.services.store_faults import Holds
from tests.services.store_proxy import StoreProxy, store_proxy
from tests.storage.collecting.store import Store
from tests.storage.healing.hurt_world import HurtWorld, opened_world, sha256_of
from tests.storage.payloads.world import KIB, random_bytes, send, text_bytes

from .store_fault_table import CASES, Case, Good, Outcome

DATA = random_bytes(100 * KIB) + text_bytes(100 * KIB)
SHA256 = sha256_of(DATA)


@dataclass
class Faulty:
    """One catalogue and one store behind a proxy, for a node that waits and for one that soon gives up."""

    proxy: StoreProxy
    patient: HurtWorld
    impatient: HurtWorld

    async def is_tidy(self) -> bool:
        """Whether collecting leaves exactly what rows name."""
        store = Store(self.patient)
        await store.collect()
        return await store.objects() == await store.named()


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty catalogue with its schema, to be copied: making it takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "longshore.db"

    async def migrate() -> None:
        catalogue = open_catalogue(f"sqlite:///{path}")
        await catalogue.migrate()
        await catalogue.close()

    asyncio.run(migrate())
    return path


@pytest.fixture
async def faulty(
    minio_service: MinioService, s3_url: str, migrated: Path, tmp_path: Path
) -> AsyncIterator[Faulty]:
    shutil.copy(migrated, tmp_path)
    catalogue = open_catalogue(f"sqlite:///{tmp_path}/longshore.db")
    async with (
        store_proxy(minio_service.endpoint) as proxy,
        opened_world(catalogue, proxy.url(s3_url), read_timeout_s=1, retry_for_s=20) as patient,
        opened_world(catalogue, proxy.url(s3_url), read_timeout_s=1, retry_for_s=0.3) as impatient,
    ):
        yield Faulty(proxy, patient, impatient)
    await catalogue.close()


def of_operation(operation: str) -> list[Case]:
    return [case for case in CASES if operation in case.operations and case.comes_up]


async def upload(world: HurtWorld, deployment_id: str, epoch: int) -> None:
    async with world.writer(deployment_id, epoch=epoch) as writer:
        await send(writer, DATA)
        await writer.finish(len(DATA), SHA256)


async def broken_off(world: HurtWorld, expected: Outcome, deployment_id: str, epoch: int) -> bool:
    """Upload what is left; True when that ended as the fault does, with nothing recorded."""
    if isinstance(expected, Good):
        await upload(world, deployment_id, epoch)
        return False
    try:
        await upload(world, deployment_id, epoch)
    except expected:
        return await world.count(tables.payload) == 0
    return False


async def read_through(world: HurtWorld) -> bool:
    """Read; False when that failed as what trying again does not help."""
    try:
        return await is_right(world)
    except Misconfigured:
        return False


async def is_right(world: HurtWorld) -> bool:
    """Whether the payload reads back; if not, that is noted."""
    try:
        assert await world.read(SHA256) == DATA
    except CorruptBlob:
        assert (await world.row(SHA256)).damage
        return False
    return not (await world.row(SHA256)).damage


async def healed(faulty: Faulty, deployment_id: str, *, lies: int) -> str:
    """What was never stored is found by reading, and healed by who sends it again: the last upload's id."""
    world = faulty.patient
    for _ in range(lies):
        # A reading stops at the first object that is gone, so each may take a round of its own.
        if await is_right(world):
            break
        await Store(world).drop(deployment_id)
        deployment_id = await world.begin()
        await upload(world, deployment_id, 1)
    assert await is_right(world)
    return deployment_id


@pytest.mark.parametrize("case", of_operation("put"), ids=str)
async def test_puts_that_fail_once(faulty: Faulty, case: Case) -> None:
    world = faulty.patient
    rules = [
        faulty.proxy.break_(case.fault, "put", "packs/", skip=2, times=1),
        faulty.proxy.break_(case.fault, "put", "manifests/", times=1),
    ]
    deployment_id, epoch = await world.begin(declared_size_bytes=len(DATA)), 1
    while await broken_off(world, case.once, deployment_id, epoch):
        epoch = await world.take_over(deployment_id)
    assert epoch == (1 if isinstance(case.once, Good) else 3)
    assert [rule.hits for rule in rules] == [1, 1]
    await healed(faulty, deployment_id, lies=2 if case.once is Good.DECEIVED else 0)


@pytest.mark.parametrize("case", of_operation("put"), ids=str)
async def test_puts_that_fail_until_the_store_is_mended(faulty: Faulty, case: Case) -> None:
    deployment_id, epoch = await faulty.patient.begin(declared_size_bytes=len(DATA)), 1
    rule = faulty.proxy.break_(case.fault, "put", skip=2)
    if await broken_off(faulty.impatient, case.always, deployment_id, epoch):
        # Again and again, as a client does: what was stored before stays.
        assert await broken_off(faulty.impatient, case.always, deployment_id, epoch)
        await faulty.proxy.mend()
        epoch = await faulty.patient.take_over(deployment_id)
        assert not await broken_off(faulty.patient, case.always, deployment_id, epoch)
    else:
        assert isinstance(case.always, Good)
        await faulty.proxy.mend()
    assert rule.hits
    lies = rule.hits if case.always is Good.DECEIVED else 0
    await Store(faulty.patient).record(await healed(faulty, deployment_id, lies=lies), DATA, "1.0.0")
    assert await faulty.is_tidy()
    assert await is_right(faulty.patient)


async def test_a_put_that_ends_after_its_row_was_collected_leaves_nothing(faulty: Faulty) -> None:
    world, store = faulty.patient, Store(faulty.patient)
    deployment_id = await world.begin(declared_size_bytes=len(DATA))
    late = Holds(share=0.5)
    faulty.proxy.break_(late, "put", "packs/", skip=2)
    assert await broken_off(faulty.impatient, BlobStoreUnavailable, deployment_id, 1)
    await store.drop(deployment_id)
    assert await faulty.is_tidy()
    late.let_go.set()
    async with asyncio.timeout(20):
        while await store.objects() == await store.named():
            await asyncio.sleep(0.01)
    # An orphan is only noted at first.
    async with asyncio.timeout(20):
        while not await faulty.is_tidy():
            pass
    assert await store.objects() == set()


async def stored(faulty: Faulty) -> HurtWorld:
    """One release, and who reads it."""
    deployment_id = await faulty.patient.begin()
    await upload(faulty.patient, deployment_id, 1)
    await Store(faulty.patient).record(deployment_id, DATA, "1.0.0")
    return faulty.patient


@pytest.mark.parametrize("case", of_operation("get"), ids=str)
async def test_reads_that_fail_once(faulty: Faulty, case: Case) -> None:
    """Wrong bytes once are no damage. What trying again does not help is told, and nothing is made of it."""
    world = await stored(faulty)
    rules = [
        faulty.proxy.break_(case.fault, "get", "manifests/", times=1),
        faulty.proxy.break_(case.fault, "get", "packs/", skip=2, times=1),
    ]
    failures = 0
    while not await read_through(world):
        failures += 1
    assert failures == (2 if case.once is Misconfigured else 0)
    assert [rule.hits for rule in rules] == [1, 1]
    assert await world.audited("payload.damaged") == []


@pytest.mark.parametrize("case", of_operation("get"), ids=str)
async def test_reads_that_fail_until_the_store_is_mended(faulty: Faulty, case: Case) -> None:
    """Wrong bytes again and again are taken for damage, until a scrub finds them sound."""
    world = await stored(faulty)
    for kind in ("packs/", "manifests/"):
        rule = faulty.proxy.break_(case.fault, "get", kind)
        if case.always is Good.AT_ONCE:
            assert await is_right(world)
        else:
            expected = CorruptBlob if case.hurts_reading else case.always
            assert not isinstance(expected, Good)
            received = b""
            with pytest.raises(expected):
                async with faulty.impatient.store.open(SHA256) as reader:
                    async for piece in reader.stream():
                        received += piece
            assert DATA.startswith(received)
        assert rule.hits
        await faulty.proxy.mend()
        damaged = bool((await world.row(SHA256)).damage)
        assert damaged is case.hurts_reading
        if damaged:
            scrubbed = await world.scrub().run()
            assert scrubbed.absolved
            assert not scrubbed.damaged
        assert await is_right(world)

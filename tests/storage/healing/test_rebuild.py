"""From the blob store alone the same payloads come back, byte for byte, and nothing there is touched."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from longshore_chunks import chunk_digest
from longshore_storage.catalogue import Transaction, append_only, stored_payloads, tables
from longshore_storage.healing import Rebuild, RebuildReport
from tests.storage.compacting.loose_world import collect
from tests.storage.payloads.world import KIB, cut, embedded_only, random_bytes, text_bytes

from .hurt_world import HurtWorld, flipped, sha256_of

ONE = text_bytes(90 * KIB) + random_bytes(90 * KIB)
TWO = ONE[: 100 * KIB] + random_bytes(40 * KIB, seed=2)
THREE = random_bytes(50 * KIB, seed=3)
ALL = {sha256_of(data): data for data in (ONE, TWO, THREE)}
STORAGE = (tables.payload_pack, tables.payload, tables.chunk, tables.pin, tables.pack_file)


async def fill(world: HurtWorld) -> None:
    await world.release(ONE, "1.0.0")
    await world.release(TWO, "1.1.0")
    await world.release(THREE, "1.0.0", project="other")


async def empty(world: HurtWorld, *, releases: bool) -> None:
    """Lose the rows of what is stored, and with ``releases`` everything."""
    async with world.catalogue.transaction() as transaction:
        await transaction.execute(tables.upload.delete())
        await transaction.execute(update(tables.release).values(stored_payload=None))
        for table in STORAGE:
            await transaction.execute(table.delete())
        if releases:
            async with append_only.lifted(transaction):
                for table in reversed(tables.metadata.sorted_tables):
                    await transaction.execute(table.delete())


async def rebuild(world: HurtWorld, project: str | None = None) -> RebuildReport:
    return await Rebuild(world.catalogue, world.blobs, world.workers, index_project=project).run()


async def rows_of(world: HurtWorld) -> dict[str, list[tuple[object, ...]]]:
    rows = {}
    async with world.catalogue.reading() as transaction:
        for table in (*STORAGE, tables.release):
            columns = [column for column in table.c if column.name != "create_time"]
            found = await transaction.all(select(*columns))
            rows[table.name] = sorted((tuple(row) for row in found), key=repr)
    return rows


async def test_beside_releases_everything_comes_back_as_it_was(world: HurtWorld) -> None:
    await fill(world)
    async with world.catalogue.transaction() as transaction:
        await transaction.execute(tables.upload.delete())
    before = await rows_of(world)
    await empty(world, releases=False)
    report = await rebuild(world)
    assert (report.payloads, report.restored_payloads, report.linked_releases) == (3, 3, 3)
    assert report.restored_packs == len(before["pack_file"])
    assert (report.unnamed_payloads, report.unindexed_payloads, report.unusable) == (0, 0, [])
    after = await rows_of(world)
    for table in ("payload", "payload_pack", "pack_file", "release"):
        assert after[table] == before[table]
    # The index may name another of the places where a chunk lies; a chunk that is in it was in it before.
    assert {row[:2] for row in after["chunk"]} == {row[:2] for row in before["chunk"]}
    for sha256, data in ALL.items():
        assert await world.read(sha256) == data
    assert (await world.scrub().run()).damaged == 0

    # Once more, and nothing is there to be done.
    again = await rebuild(world)
    assert (again.payloads, again.restored_payloads, again.restored_packs) == (3, 0, 0)
    assert await rows_of(world) == after


async def test_into_an_empty_catalogue(world: HurtWorld) -> None:
    await fill(world)
    await empty(world, releases=True)
    report = await rebuild(world)
    assert (report.restored_payloads, report.unnamed_payloads, report.unindexed_payloads) == (3, 3, 3)
    assert await world.count(tables.chunk) == 0
    for sha256, data in ALL.items():
        assert await world.read(sha256) == data

    # With a project for the index, the next upload of the content costs nothing, and of the like little.
    report = await rebuild(world, "netops")
    assert (report.restored_payloads, report.unnamed_payloads, report.unindexed_payloads) == (0, 3, 0)
    assert report.indexed_chunks >= await world.count(tables.chunk) > 0
    missing = await world.store.find_missing(
        deployment_id=await world.begin(),
        project="netops",
        digests=[chunk_digest(raw) for data in ALL.values() for raw in cut(data)],
    )
    assert missing == []
    stored = await world.upload(ONE + b"more")
    assert stored.stored_bytes < 40 * KIB

    # No release names them, and collecting leaves them alone all the same, for a while.
    await collect(world.catalogue, world.blobs, keep_unnamed=timedelta(0), grace=timedelta(0))
    for sha256, data in ALL.items():
        assert await world.read(sha256) == data


async def test_a_catalogue_older_than_the_store(world: HurtWorld) -> None:
    """What the backup knows stays as it is; what came later is added."""
    await world.release(ONE, "1.0.0")
    async with world.catalogue.reading() as transaction:
        known = set(await world.column(tables.pack_file, "key"))
        row = await stored_payloads.get_payload(transaction, sha256_of(ONE))
    await world.release(TWO, "1.1.0")
    async with world.catalogue.transaction() as transaction:
        await forget(transaction, sha256_of(TWO), known)
    report = await rebuild(world)
    assert (report.payloads, report.restored_payloads, report.linked_releases) == (2, 1, 0)
    assert report.unindexed_payloads == 1
    assert await world.row(sha256_of(ONE)) == row
    assert await world.read(sha256_of(TWO)) == TWO


async def forget(transaction: Transaction, sha256: str, known: set[object]) -> None:
    """Everything about a payload, and all pack files but the known ones."""
    await transaction.execute(tables.upload.delete())
    await transaction.execute(tables.release.delete().where(tables.release.c.payload_sha256 == sha256))
    await transaction.execute(tables.payload.delete().where(tables.payload.c.sha256 == sha256))
    f = tables.pack_file
    for row in await transaction.all(select(f.c.key)):
        if row.key not in known:
            await transaction.execute(f.delete().where(f.c.key == row.key))


@embedded_only
async def test_a_pack_file_that_the_backup_knows_as_being_written(world: HurtWorld) -> None:
    await world.release(ONE)
    await empty(world, releases=False)
    key = (await world.keys("packs/"))[0]
    async with world.catalogue.transaction() as transaction:
        await transaction.execute(
            tables.pack_file.insert().values(key=key, state="WRITING", create_time=await transaction.now())
        )
    assert (await rebuild(world)).restored_payloads == 1
    assert set((await world.pack_states()).values()) == {"STORED"}
    assert await world.read(sha256_of(ONE)) == ONE


async def test_damage_in_the_store(world: HurtWorld) -> None:
    await fill(world)
    of_two = {chunk.pack_key for chunk in await world.chunks_of(sha256_of(TWO))}
    of_one = {chunk.pack_key for chunk in await world.chunks_of(sha256_of(ONE))}
    lost = min(of_one - of_two)
    unreadable = (await world.chunks_of(sha256_of(TWO)))[-1].pack_key
    broken = (await world.row(sha256_of(THREE))).manifest_key
    await world.blobs.delete(lost)
    await world.change_object(unreadable, flipped(-3))
    await world.change_object(broken, flipped(100))
    await world.restore("manifests/00/strange", b"strange")
    await empty(world, releases=False)
    report = await rebuild(world)
    assert (report.payloads, report.restored_payloads) == (1, 1)
    assert report.unusable_count == len(report.unusable) == 3
    told = "\n".join(report.unusable)
    assert lost in told
    assert broken in told
    assert "manifests/00/strange" in told
    assert await world.read(sha256_of(TWO)) == TWO
    assert (await world.pack_states())[unreadable] == "DAMAGED"
    assert unreadable not in await world.column(tables.chunk, "pack_key")


@embedded_only
async def test_the_newest_manifest_that_is_whole(world: HurtWorld) -> None:
    """After a repair the old manifest is in the store for a while, and names what is lost."""
    await world.release(ONE)
    old = await world.row(sha256_of(ONE))
    await world.blobs.delete((await world.chunks_of(sha256_of(ONE)))[0].pack_key)
    await world.scrub().run()
    await world.upload(ONE)
    new = await world.row(sha256_of(ONE))
    assert len(await world.keys("manifests/")) == 2
    async with world.catalogue.transaction() as transaction:
        await transaction.execute(tables.condemned.delete())
    await empty(world, releases=False)
    assert (await rebuild(world)).restored_payloads == 1
    assert (await world.row(sha256_of(ONE))).manifest_key == new.manifest_key != old.manifest_key
    assert await world.read(sha256_of(ONE)) == ONE


@embedded_only
@pytest.mark.parametrize("what", ["manifest", "pack"])
async def test_what_is_condemned_stays_condemned(world: HurtWorld, what: str) -> None:
    await world.release(ONE)
    key = (await world.row(sha256_of(ONE))).manifest_key
    if what == "pack":
        key = (await world.chunks_of(sha256_of(ONE)))[0].pack_key
    await empty(world, releases=False)
    async with world.catalogue.transaction() as transaction:
        await stored_payloads.condemn(transaction, key)
    report = await rebuild(world)
    assert (report.restored_payloads, report.unusable_count) == (0, 1)
    assert await world.pack_states() == {}


@embedded_only
async def test_a_manifest_that_is_just_being_written_is_left_to_its_writer(world: HurtWorld) -> None:
    await world.release(ONE)
    key = (await world.row(sha256_of(ONE))).manifest_key
    await empty(world, releases=False)
    async with world.catalogue.transaction() as transaction:
        await stored_payloads.begin_manifest(transaction, key)
    assert (await rebuild(world)).restored_payloads == 0


@embedded_only
async def test_many_tiny_chunks(world: HurtWorld) -> None:
    """Their index is longer than what is read of a pack file's end at first."""
    from longshore_storage.payloads import ChunkEntry

    raws = [b"%07d" % number for number in range(900)]
    stored = await world.upload_chunks(
        [ChunkEntry(chunk_digest(raw), len(raw), raw=raw) for raw in raws], at_a_time=900
    )
    await empty(world, releases=True)
    report = await rebuild(world, "netops")
    assert (report.restored_payloads, report.indexed_chunks) == (1, 900)
    assert await world.read(stored.sha256) == b"".join(raws)

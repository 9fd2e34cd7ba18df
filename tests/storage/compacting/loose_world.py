"""Stores in which payloads were removed, so that pack files are worth compacting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from longshore_chunks import Codec, PlacedChunk, chunk_digest, decode
from longshore_storage.catalogue import Catalogue, tables
from longshore_storage.catalogue.retaining import RetentionPolicy
from longshore_storage.collecting import CollectingReport, CollectingSettings, Collector, Retention
from longshore_storage.compacting import Compaction
from longshore_storage.ports import BlobStore
from tests.storage.healing.hurt_world import ACTOR, HurtWorld
from tests.storage.payloads.world import KIB, SMALL, cut, entries_of, random_bytes, text_bytes

AT_ONCE = timedelta(0)
RAWS = cut(text_bytes(200 * KIB) + random_bytes(200 * KIB))
WHOLE = b"".join(RAWS)


@dataclass
class LooseWorld(HurtWorld):
    """The stores of one test, with what compacts and collects them."""

    def compaction(self, *, round_chunks: int = 1000, catalogue: Catalogue | None = None) -> Compaction:
        return Compaction(
            catalogue or self.catalogue,
            self.blobs,
            self.workers,
            pack_bytes=SMALL.pack_bytes,
            suspect=self.marker.suspect,
            round_chunks=round_chunks,
        )

    async def loosen(self, kept: int = 3) -> dict[str, bytes]:
        """Leave payloads that use a part of each pack file; the one that filled them is removed.

        Tells what is left, by sha256. They have some chunks in common.
        """
        whole = await self.upload(WHOLE)
        left: dict[str, bytes] = {}
        for number in range(kept):
            raws = [raw for place, raw in enumerate(RAWS) if place % 10 in (0, number)]
            raws.append(random_bytes(3 * KIB, seed=100 + number))
            stored = await self.upload_chunks(entries_of(raws))
            left[stored.sha256] = b"".join(raws)
            await self.name_release(stored.sha256, stored.size_bytes, f"1.0.{number}")
        await self.end_uploads()
        await self.remove(whole.sha256)
        return left

    async def remove(self, sha256: str) -> None:
        """Drop a payload that no release names."""
        p = tables.payload
        async with self.catalogue.transaction() as transaction:
            await transaction.execute(p.delete().where(p.c.sha256 == sha256))

    async def end_uploads(self) -> None:
        """Every upload ends, so that nothing is pinned or kept by one."""
        async with self.catalogue.transaction() as transaction:
            await transaction.execute(tables.upload.delete())

    async def stored_bytes(self) -> int:
        """What the pack files with a row take."""
        async with self.catalogue.reading() as transaction:
            row = await transaction.one(select(func.coalesce(func.sum(tables.pack_file.c.size_bytes), 0)))
        assert row is not None
        return int(row[0])

    async def collect(self, *, keep_unnamed: timedelta = AT_ONCE, grace: timedelta = AT_ONCE) -> None:
        """Collect everything that nothing names, its objects too."""
        await collect(self.catalogue, self.blobs, keep_unnamed=keep_unnamed, grace=grace)

    async def a_chunk_of_one_payload(self) -> tuple[str, PlacedChunk]:
        """A payload and a chunk that no other uses, in a pack file that others use too."""
        packs = await self.payload_packs()
        users: dict[PlacedChunk, set[str]] = {}
        for sha256 in sorted({sha256 for _, sha256 in packs}):
            for chunk in await self.chunks_of(sha256):
                users.setdefault(chunk, set()).add(sha256)
        for chunk, of in users.items():
            shared = {sha256 for key, sha256 in packs if key == chunk.pack_key}
            if len(of) == 1 and of < shared:
                return of.pop(), chunk
        raise AssertionError("there is no such chunk")

    async def check(self, left: dict[str, bytes]) -> None:
        """What must hold at any time: payloads read right, rows fit their manifests."""
        for sha256, data in left.items():
            assert await self.read(sha256) == data
            named = {key for key, named_by in await self.payload_packs() if named_by == sha256}
            assert named == {chunk.pack_key for chunk in await self.chunks_of(sha256)}
        states = await self.pack_states()
        assert {states[key] for key, _ in await self.payload_packs()} <= {"STORED"}
        await self.check_index()

    async def check_index(self) -> None:
        """Every row of the index leads to a chunk of that digest."""
        c = tables.chunk
        async with self.catalogue.reading() as transaction:
            rows = await transaction.all(select(c))
        for row in rows:
            stored = await self.blobs.get(row.pack_key, row.offset, row.stored_length)
            assert chunk_digest(decode(Codec(row.codec), stored, row.raw_length)) == row.digest


async def collect(
    catalogue: Catalogue, blobs: BlobStore, *, keep_unnamed: timedelta, grace: timedelta
) -> None:
    settings = CollectingSettings(
        keep_unnamed=keep_unnamed, keep_unfinished=keep_unnamed, grace=grace, orphans_after=grace
    )
    keep_all = Retention(lambda project, environment: RetentionPolicy(), 1)
    collector = Collector(catalogue, blobs, settings, keep_all, actor=ACTOR, abandoned={})
    await collector.run(CollectingReport())

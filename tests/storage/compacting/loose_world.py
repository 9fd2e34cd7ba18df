"""Stores in which payloads were removed, so that pack files are worth compacting."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from longshore_storage.catalogue import tables
from longshore_storage.collecting import CollectingReport, CollectingSettings, Collector, Retention
from longshore_storage.compacting import Compaction
from tests.storage.healing.hurt_world import ACTOR, HurtWorld, sha256_of
from tests.storage.payloads.world import KIB, SMALL, cut, random_bytes, text_bytes

__all__ = ["LooseWorld", "sha256_of"]


@dataclass
class LooseWorld(HurtWorld):
    """The stores of one test, with what compacts and collects them."""

    def compaction(self, *, round_chunks: int = 1000) -> Compaction:
        return Compaction(
            self.catalogue,
            self.blobs,
            self.workers,
            pack_bytes=SMALL.pack_bytes,
            suspect=self.marker.suspect,
            round_chunks=round_chunks,
        )

    async def loosen(self, kept: int = 3) -> dict[str, bytes]:
        """Payloads that use a part of each pack file; the payload that filled them is gone.

        Tells what is left, by sha256. Each uses some chunks that others use too.
        """
        raws = cut(text_bytes(200 * KIB) + random_bytes(200 * KIB))
        whole = b"".join(raws)
        await self.upload(whole)
        left: dict[str, bytes] = {}
        for number in range(kept):
            part = b"".join(raw for place, raw in enumerate(raws) if place % 8 in (0, number % 3))
            data = part + random_bytes(3 * KIB, seed=100 + number)
            await self.upload_of_chunks(data, part_of=raws)
            left[sha256_of(data)] = data
            await self.name_release(sha256_of(data), len(data), f"1.0.{number}")
        await self.remove(sha256_of(whole))
        return left

    async def upload_of_chunks(self, data: bytes, *, part_of: list[bytes]) -> None:
        """As a thrifty client does, so that borders are where the pieces of ``part_of`` have them."""
        from tests.storage.payloads.world import entries_of

        known = {raw[:64]: raw for raw in part_of}
        pieces, at = [], 0
        while at < len(data):
            raw = known.get(data[at : at + 64])
            if raw is not None and data[at : at + len(raw)] == raw:
                pieces.append(raw)
            else:
                pieces.append(data[at:])
            at += len(pieces[-1])
        await self.upload_chunks(entries_of(pieces))

    async def remove(self, sha256: str) -> None:
        """Drop a payload and the uploads that keep it."""
        p, u = tables.payload, tables.upload
        async with self.catalogue.transaction() as transaction:
            await transaction.execute(u.delete())
            await transaction.execute(p.delete().where(p.c.sha256 == sha256))

    async def end_uploads(self) -> None:
        """Every upload ends, so that nothing is pinned."""
        async with self.catalogue.transaction() as transaction:
            await transaction.execute(tables.upload.delete())

    async def stored_bytes(self) -> int:
        """What the pack files with a row take."""
        async with self.catalogue.reading() as transaction:
            row = await transaction.one(select(func.coalesce(func.sum(tables.pack_file.c.size_bytes), 0)))
        assert row is not None
        return int(row[0])

    async def collect(self) -> CollectingReport:
        """Collect without any grace."""
        raise NotImplementedError


_ = (CollectingSettings, Collector, Retention, ACTOR)

"""One process: its way to the stores, and everything that a node and an administrator run on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from longshore_chunks import CuttingParameters
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import open_catalogue
from longshore_storage.catalogue.retaining import RetentionPolicy
from longshore_storage.catalogue.rows import Actor
from longshore_storage.collecting import CollectingSettings, Collector, Retention
from longshore_storage.compacting import Compaction
from longshore_storage.healing import DamageMarker, PayloadRepair, Rebuild, Scrub
from longshore_storage.payloads import PayloadSettings, PayloadStore
from longshore_storage.payloads.threads import Workers
from tests.storage.conftest import connections_in_use

from .bucket import Bucket
from .faults import Life
from .mortal import MortalBlobs, MortalCatalogue

KIB = 1024
CUTTING = CuttingParameters(min_size_bytes=512, avg_size_bytes=1 * KIB, max_size_bytes=4 * KIB)
# So small that a payload of some KiB has several pack files, segments and batches.
SETTINGS = PayloadSettings(
    cutting=CUTTING,
    pack_bytes=6 * KIB,
    uploads_at_once=3,
    packs_in_flight=3,
    packs_per_upload=2,
    batch_bytes=5 * KIB,
    batches_in_flight=2,
    reads_in_flight=4,
    threads=1,
)
COLLECTING = CollectingSettings()
ACTOR = Actor("tests")
ABANDONED = {"reason": "UPLOAD_ABANDONED", "message": "nobody resumed it"}


@dataclass
class Process:
    """A node, alive until ``life`` is over."""

    life: Life
    catalogue: MortalCatalogue
    blobs: MortalBlobs
    workers: Workers
    store: PayloadStore
    quiet_store: PayloadStore
    marker: DamageMarker

    def collector(self, keep_releases: int | None) -> Collector:
        policy = RetentionPolicy(keep_releases=keep_releases)
        retention = Retention(lambda project, environment: policy, 0)
        return Collector(self.catalogue, self.blobs, COLLECTING, retention, actor=ACTOR, abandoned=ABANDONED)

    def compaction(self) -> Compaction:
        return Compaction(
            self.catalogue,
            self.blobs,
            self.workers,
            pack_bytes=SETTINGS.pack_bytes,
            suspect=self.marker.suspect,
            round_chunks=8,
        )

    def scrub(self) -> Scrub:
        return Scrub(
            self.catalogue, self.blobs, self.workers, self.quiet_store, self.marker, rate_bytes_s=None
        )

    def repair(self) -> PayloadRepair:
        return PayloadRepair(
            self.catalogue,
            self.blobs,
            self.workers,
            cutting=CUTTING,
            pack_bytes=SETTINGS.pack_bytes,
            actor=ACTOR,
        )

    def rebuild(self, index_project: str | None, keep_unnamed: timedelta) -> Rebuild:
        return Rebuild(
            self.catalogue,
            self.blobs,
            self.workers,
            index_project=index_project,
            keep_unnamed=keep_unnamed,
        )

    def check_idle(self) -> None:
        """Between two steps nothing is left running and no place is taken."""
        assert connections_in_use(self.catalogue) == 0
        assert self.store.places.booked == 0
        assert self.store._packs._value == SETTINGS.packs_in_flight


@asynccontextmanager
async def opened_process(
    database_url: str,
    blob_store_url: str,
    bucket: Bucket,
    *,
    may_go: Callable[[str], Awaitable[None]],
    writer: asyncio.Lock | None,
) -> AsyncIterator[Process]:
    """A node that was just started. ``may_go`` is asked before it deletes an object.

    ``writer`` is what all processes wait for that write to SQLite without threads: there nobody else could
    go on while one waits in its busy handler.
    """
    life = Life()
    catalogue = MortalCatalogue(open_catalogue(database_url), life, bucket.clock)
    if writer is not None:
        catalogue.share_writer(writer)
    workers = Workers(SETTINGS.threads)
    try:
        async with open_blob_store(blob_store_url) as store:
            blobs = MortalBlobs(store, bucket, life, may_go)
            marker = DamageMarker(catalogue, blobs, workers, actor=ACTOR)
            async with (
                PayloadStore(catalogue, blobs, settings=SETTINGS, suspect=marker.suspect) as payloads,
                PayloadStore(catalogue, blobs, settings=SETTINGS) as quiet,
            ):
                yield Process(life, catalogue, blobs, workers, payloads, quiet, marker)
            await bucket.settle()
    finally:
        workers.close()
        await catalogue.close()

"""From stores to what heals and compacts them, with threads of its own, so that uploads keep theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.rows import Actor
from longshore_storage.compacting import Compaction
from longshore_storage.healing import DamageMarker, PayloadRepair
from longshore_storage.payloads import PayloadSettings
from longshore_storage.payloads.threads import Workers
from longshore_storage.ports import BlobStore

# Started when they are needed first, which on most nodes is never.
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Healers:
    """What heals and compacts one catalogue's payloads."""

    workers: Workers
    marker: DamageMarker
    repair: PayloadRepair
    compaction: Compaction


@contextmanager
def open_healers(
    catalogue: Catalogue, blobs: BlobStore, actor: Actor, settings: PayloadSettings | None = None
) -> Iterator[Healers]:
    """Healers for as long as the block runs; ``actor`` stands in the audit trail."""
    settings = settings or PayloadSettings()
    workers = Workers(_THREADS)
    marker = DamageMarker(catalogue, blobs, workers, actor=actor)
    try:
        yield Healers(
            workers,
            marker,
            PayloadRepair(
                catalogue,
                blobs,
                workers,
                cutting=settings.cutting,
                pack_bytes=settings.pack_bytes,
                actor=actor,
            ),
            Compaction(
                catalogue,
                blobs,
                workers,
                pack_bytes=settings.pack_bytes,
                suspect=marker.suspect,
            ),
        )
    finally:
        workers.close()

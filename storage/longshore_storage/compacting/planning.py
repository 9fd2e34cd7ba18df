"""Which pack files are worth emptying, in which order.

Emptied are those less than half live, and damaged ones that sound payloads still use. Left alone are pack
files that an upload has pinned and those of a damaged payload: both would keep them whatever is moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from longshore_storage.catalogue import Catalogue, compacting, scrubbing
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.errors import BlobNotFound, CorruptBlob
from longshore_storage.payloads.manifest_reading import StoredManifest
from longshore_storage.payloads.reader import Suspect
from longshore_storage.payloads.threads import Workers
from longshore_storage.ports import BlobStore

from .live_bytes import LiveBytes, LiveShare

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pack file to be emptied."""

    key: str
    size_bytes: int
    share: LiveShare


@dataclass(frozen=True, slots=True)
class CompactionPlan:
    """What would be emptied, in an order in which neighbours are used by the same payloads."""

    candidates: Sequence[Candidate]

    @property
    def size_bytes(self) -> int:
        """What the pack files take now."""
        return sum(candidate.size_bytes for candidate in self.candidates)

    @property
    def live_bytes(self) -> int:
        """What of them has to be moved."""
        return sum(candidate.share.live_bytes for candidate in self.candidates)

    def rounds(self, *, live_bytes: int, live_chunks: int) -> Iterator[list[Candidate]]:
        """The candidates in portions of up to so many bytes and chunks, one candidate at least."""
        portion: list[Candidate] = []
        left_bytes, left_chunks = live_bytes, live_chunks
        for candidate in self.candidates:
            left_bytes -= candidate.share.live_bytes
            left_chunks -= candidate.share.live_chunks
            if portion and min(left_bytes, left_chunks) < 0:
                yield portion
                portion = []
                left_bytes = live_bytes - candidate.share.live_bytes
                left_chunks = live_chunks - candidate.share.live_chunks
            portion.append(candidate)
        if portion:
            yield portion


async def plan(catalogue: Catalogue, blobs: BlobStore, workers: Workers, suspect: Suspect) -> CompactionPlan:
    """Read every manifest once and choose.

    Holds a number for each pack file, and the table of ``LiveBytes``. Raises ``Unavailable``.
    """
    live = LiveBytes()
    after = ""
    while True:
        async with catalogue.reading() as transaction:
            rows = await scrubbing.payloads_after(transaction, after, limit=_PAGE)
        if not rows:
            break
        for row in rows:
            if not row.damage:
                await _count(row, live, blobs, workers, suspect)
        after = rows[-1].sha256
    async with catalogue.reading() as transaction:
        held = await compacting.held_packs(transaction)
    candidates: list[Candidate] = []
    after = ""
    while True:
        async with catalogue.reading() as transaction:
            packs = await scrubbing.packs_after(transaction, after, limit=_PAGE)
        if not packs:
            break
        for pack in packs:
            share = live.share_of(pack.key)
            if share is None or pack.key in held:
                continue
            if pack.state == "DAMAGED" or share.live_bytes * 2 < pack.size_bytes:
                candidates.append(Candidate(pack.key, pack.size_bytes, share))
        after = packs[-1].key
    candidates.sort(key=lambda candidate: candidate.share.number)
    return CompactionPlan(candidates)


async def _count(
    row: PayloadRow, live: LiveBytes, blobs: BlobStore, workers: Workers, suspect: Suspect
) -> None:
    manifest = StoredManifest.of(row, blobs, workers)
    try:
        async with aclosing(manifest.chunks()) as pages:
            async for chunks in pages:
                await workers.run(live.add, chunks)
    except (BlobNotFound, CorruptBlob):
        # Damaged, which keeps its pack files out of this; or it has another manifest by now, and what was
        # counted wrong is only a choice.
        await suspect(row.manifest_key)

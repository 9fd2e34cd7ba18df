"""Emptying pack files: live chunks are copied into new ones, then each payload gets a manifest of its own.

The work goes in rounds, each of a bounded number of chunks. In a round nothing that anybody reads changes
until the chunks are put; then each payload's manifest is swapped in a transaction of its own. So whatever
breaks off, beside whatever else, leaves payloads that are whole, and rows that the collector knows: pack
files WRITING, drafts of manifests. Two compactions at once waste work and break nothing.

Readers of an old manifest go on with it: its objects stay for the collector's grace, and who comes later
still reads the row again.

Whoever writes in the store can put other bytes there while this runs. So a manifest's places count once it
was read to its end and is the row's, and what two manifests say differently of one place is not moved.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

import structlog

from longshore_chunks import PlacedChunk
from longshore_storage.catalogue import Catalogue, chores, compacting
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.errors import BlobNotFound, CorruptBlob
from longshore_storage.payloads import PackFileGone
from longshore_storage.payloads.manifest_reading import StoredManifest
from longshore_storage.payloads.new_packs import NewPacks
from longshore_storage.payloads.reader import Suspect
from longshore_storage.payloads.threads import Workers
from longshore_storage.ports import BlobStore

from .copying import Place, copy_chunks
from .planning import Candidate, CompactionPlan, plan
from .rewriting import Moved, PayloadRewriter

_log = structlog.get_logger(__name__)

_CHORE = "compacting"
_ROUND_BYTES = 256 * 1024 * 1024
_ROUND_CHUNKS = 32_768
_PAYLOADS_A_PAGE = 200


@dataclass(slots=True)
class CompactionProgress:
    """What a compaction has done so far.

    ``emptied_packs`` are those that no payload names any more, with their ``emptied_bytes``;
    ``written_bytes`` went into new ones; ``payloads`` have a new manifest.
    """

    planned_packs: int = 0
    planned_bytes: int = 0
    done_packs: int = 0
    emptied_packs: int = 0
    emptied_bytes: int = 0
    written_bytes: int = 0
    payloads: int = 0


class Compaction:
    """Compacts; holds the places of a round's chunks, a pack file, and a payload's manifest in memory.

    Of the manifest these are the places in the round's pack files, or its 53 bytes a chunk.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        workers: Workers,
        *,
        pack_bytes: int,
        suspect: Suspect,
        round_bytes: int = _ROUND_BYTES,
        round_chunks: int = _ROUND_CHUNKS,
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._workers = workers
        self._pack_bytes = pack_bytes
        self._suspect = suspect
        self._round_bytes = round_bytes
        self._round_chunks = round_chunks

    async def is_due(self, every: timedelta) -> bool:
        """Whether the last run, on whatever node, ended longer than ``every`` ago."""
        async with self._catalogue.reading() as transaction:
            return await chores.is_due(transaction, _CHORE, every)

    async def plan(self) -> CompactionPlan:
        """What ``run`` would empty now. Raises ``Unavailable``."""
        return await plan(self._catalogue, self._blobs, self._workers, self._suspect)

    async def run(
        self, tell: Callable[[CompactionProgress], None] = lambda progress: None
    ) -> CompactionProgress:
        """Empty every pack file that is worth it; ``tell`` is called after each round.

        Raises ``Unavailable``; what was done until then stays done.
        """
        planned = await self.plan()
        progress = CompactionProgress(planned_packs=len(planned.candidates), planned_bytes=planned.size_bytes)
        for portion in planned.rounds(live_bytes=self._round_bytes, live_chunks=self._round_chunks):
            await self._round(portion, progress)
            progress.done_packs += len(portion)
            tell(progress)
        async with self._catalogue.transaction() as transaction:
            await chores.mark_done(transaction, _CHORE)
        return progress

    async def _round(self, portion: Sequence[Candidate], progress: CompactionProgress) -> None:
        old_keys = frozenset(candidate.key for candidate in portion)
        new_packs = NewPacks(self._catalogue, self._blobs, self._workers, pack_bytes=self._pack_bytes)
        live = await self._live_chunks(old_keys)
        places = await copy_chunks(self._blobs, self._workers, live.values(), new_packs, self._suspect)
        await new_packs.finish()
        origins = {(new.pack_key, new.offset): live[old] for old, new in places.items()}
        rewriter = PayloadRewriter(
            self._catalogue, self._blobs, self._workers, Moved(old_keys, places, origins, new_packs)
        )
        try:
            async with aclosing(self._payloads(old_keys)) as rows:
                async for row in rows:
                    progress.payloads += await rewriter.rewrite(row)
        except PackFileGone as error:
            # The round took longer than the collector waits for a pack file that is being written.
            _log.warning("compaction.overtaken", error=str(error))
        async with self._catalogue.reading() as transaction:
            emptied = old_keys - await compacting.used_packs(transaction, old_keys)
        written_bytes = sum(pack.size_bytes for pack in new_packs.put_packs)
        progress.emptied_packs += len(emptied)
        progress.emptied_bytes += sum(one.size_bytes for one in portion if one.key in emptied)
        progress.written_bytes += written_bytes
        _log.info("compaction.round", packs=len(portion), emptied=len(emptied), written_bytes=written_bytes)

    async def _payloads(self, old_keys: frozenset[str]) -> AsyncGenerator[PayloadRow, None]:
        """The sound payloads that use one of the pack files."""
        after = ""
        while True:
            async with self._catalogue.reading() as transaction:
                rows = await compacting.payloads_in(
                    transaction, old_keys, after=after, limit=_PAYLOADS_A_PAGE
                )
            for row in rows:
                yield row
            if len(rows) < _PAYLOADS_A_PAGE:
                return
            after = rows[-1].sha256

    async def _live_chunks(self, old_keys: frozenset[str]) -> dict[Place, PlacedChunk]:
        """Every chunk in the pack files that a payload uses; none where two are said to lie at one place."""
        live: dict[Place, PlacedChunk] = {}
        disputed: set[Place] = set()
        async with aclosing(self._payloads(old_keys)) as rows:
            async for row in rows:
                for chunk in await self._chunks_of(row, old_keys):
                    place = (chunk.pack_key, chunk.offset)
                    if live.setdefault(place, chunk) != chunk:
                        disputed.add(place)
        for place in disputed:
            del live[place]
        for key in sorted({key for key, _ in disputed}):
            # Whose chunk is not there is told by the bytes.
            _log.error("compaction.disputed", pack=key)
            await self._suspect(key)
        return live

    async def _chunks_of(self, row: PayloadRow, old_keys: frozenset[str]) -> set[PlacedChunk]:
        """What a payload uses of the pack files; nothing where its manifest is not what the row names."""
        manifest = StoredManifest.of(row, self._blobs, self._workers)
        found: set[PlacedChunk] = set()
        try:
            async with aclosing(manifest.chunks()) as pages:
                async for chunks in pages:
                    found.update(chunk for chunk in chunks if chunk.pack_key in old_keys)
        except (BlobNotFound, CorruptBlob):
            await self._suspect(row.manifest_key)
            return set()
        return found

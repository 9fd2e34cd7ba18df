"""Placing an upload's chunks: what is known is referred to, what is new goes into pack files.

Owns the pack file being filled, the segment that goes with it, and the chunks that are not durable yet.
Invariants: a chunk is stored once an upload, also while its pack file is in flight; a segment refers only
to pack files of earlier segments, its own, or pinned ones; ``place`` is called for one batch at a time.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from longshore_chunks import ChunkDigest, Codec, PackWriter, PlacedChunk, encode_run

from .chunk_count import ChunkCount
from .committing import Segment, SegmentCommitter
from .entries import Piece
from .errors import ChunkInvalid, ChunkMissing
from .pinned_index import PinnedIndex
from .settings import MIB
from .tasks import together
from .threads import Workers

# Without anything new, a segment ends here, so that the durable offset moves.
_REFERENCES_MAX_CHUNKS, _REFERENCES_MAX_BYTES = 4096, 64 * MIB
# With something new it may grow further, for the sake of larger pack files.
_SEGMENT_MAX_CHUNKS, _SEGMENT_MAX_BYTES = 16_384, 256 * MIB


class Placement(NamedTuple):
    """Where a chunk lies, and its stored bytes while they are not durable there."""

    chunk: PlacedChunk
    stored: bytes | None


class Assembler:
    """Turns one upload's pieces, in order, into segments.

    Without ``tells_reuse`` all bytes that were sent count as stored, raw, whether or not they were there.
    """

    def __init__(
        self,
        workers: Workers,
        index: PinnedIndex,
        committer: SegmentCommitter,
        count: ChunkCount,
        *,
        pack_bytes: int,
        encoders: int,
        tells_reuse: bool = True,
    ) -> None:
        self._workers = workers
        self._index = index
        self._committer = committer
        self._count = count
        self._pack_bytes = pack_bytes
        self._encoders = encoders
        self._tells_reuse = tells_reuse
        self._segment = Segment()
        self._unstored: dict[ChunkDigest, Placement] = {}

    async def place(self, pieces: Sequence[Piece]) -> list[Placement]:
        """Place the next pieces of the payload and tell where each lies.

        Raises ``ChunkMissing`` for references to what is nowhere, ``ChunkInvalid`` for a reference with a
        wrong size, ``ChunkLimitExceeded``; nothing of the batch is taken then.
        """
        self._count.add(len(pieces))
        # Held on to, for what becomes durable meanwhile leaves `_unstored`.
        at_hand = {
            piece.digest: self._unstored[piece.digest] for piece in pieces if piece.digest in self._unstored
        }
        found = await self._index.find({piece.digest for piece in pieces} - at_hand.keys())
        at_hand.update((digest, Placement(chunk, None)) for digest, chunk in found.items())
        new = _check_references(pieces, at_hand)
        stored_forms = await self._stored_forms(new)
        placements: list[Placement] = []
        for piece in pieces:
            placement = at_hand.get(piece.digest)
            if placement is None:
                placement = self._add(piece, *stored_forms[piece.digest])
                at_hand[piece.digest] = placement
                self._count_bytes(piece, len(stored_forms[piece.digest][1]))
            else:
                self._count_bytes(piece, 0)
            placements.append(placement)
            self._segment.chunks.append(placement.chunk)
            self._segment.raw_bytes += piece.raw_length
            self._segment.received_bytes += piece.received_bytes
            if self._segment_is_full():
                await self.flush()
        return placements

    async def flush(self) -> None:
        """Hand over what was placed, full or not, to become durable."""
        segment, self._segment = self._segment, Segment()
        if not segment.chunks:
            return

        def forget() -> None:
            for chunk in segment.new_chunks:
                del self._unstored[chunk.digest]

        await self._committer.submit(segment, when_durable=forget)

    def _add(self, piece: Piece, codec: Codec, stored: bytes) -> Placement:
        segment = self._segment
        if segment.pack is None:
            name = uuid.uuid4().hex
            segment.pack_key = f"packs/{name[:2]}/{name}"
            segment.pack = PackWriter(self._pack_bytes)
        entry = segment.pack.add(piece.digest, codec, stored, piece.raw_length)
        placement = Placement(entry.placed(segment.pack_key), stored)
        segment.new_chunks.append(placement.chunk)
        self._unstored[piece.digest] = placement
        return placement

    def _count_bytes(self, piece: Piece, newly_stored: int) -> None:
        segment = self._segment
        if self._tells_reuse or piece.raw is None:
            segment.stored_bytes += newly_stored
            segment.reused_bytes += 0 if newly_stored else piece.raw_length
        else:
            # As it came: neither its count nor how well it was compressed tells that it was there.
            segment.stored_bytes += piece.raw_length

    def _segment_is_full(self) -> bool:
        chunks, raw_bytes = len(self._segment.chunks), self._segment.raw_bytes
        if self._segment.pack is None:
            return chunks >= _REFERENCES_MAX_CHUNKS or raw_bytes >= _REFERENCES_MAX_BYTES
        return self._segment.pack.full or chunks >= _SEGMENT_MAX_CHUNKS or raw_bytes >= _SEGMENT_MAX_BYTES

    async def _stored_forms(self, pieces: Iterable[Piece]) -> dict[ChunkDigest, tuple[Codec, bytes]]:
        forms = {piece.digest: piece.stored for piece in pieces if piece.stored is not None}
        raws = [
            (piece.digest, piece.raw) for piece in pieces if piece.stored is None and piece.raw is not None
        ]
        share = -(-len(raws) // self._encoders) or 1
        parts = [raws[at : at + share] for at in range(0, len(raws), share)]
        for encoded in await together(self._workers.run(_encode_all, part) for part in parts):
            forms.update(encoded)
        return forms


def _check_references(pieces: Sequence[Piece], at_hand: dict[ChunkDigest, Placement]) -> list[Piece]:
    """The pieces that are to be stored, each digest once; raises for references that lead nowhere."""
    new: dict[ChunkDigest, Piece] = {}
    lengths = {digest: placement.chunk.raw_length for digest, placement in at_hand.items()}
    missing: dict[ChunkDigest, None] = {}
    for piece in pieces:
        length = lengths.get(piece.digest)
        if length is not None:
            if length != piece.raw_length:
                raise ChunkInvalid(piece.digest, f"it has {length} bytes, {piece.raw_length} were declared")
        elif piece.raw is not None:
            new[piece.digest] = piece
            lengths[piece.digest] = piece.raw_length
        else:
            missing[piece.digest] = None
    if missing:
        raise ChunkMissing(list(missing))
    return list(new.values())


def _encode_all(raws: Sequence[tuple[ChunkDigest, bytes]]) -> dict[ChunkDigest, tuple[Codec, bytes]]:
    return dict(zip((digest for digest, _ in raws), encode_run(raw for _, raw in raws), strict=True))

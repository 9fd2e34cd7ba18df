"""Counting how much of each pack file payloads use, each chunk once however many manifests name it.

The chunks seen are kept as bits in a table of fixed size, so that millions cost no memory. Two chunks may
share a bit, and the second is then not counted: with 5 million chunks in the default table 1 in 100 is lost,
which makes a pack file look a little emptier than it is. Only the choice of what to move depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from longshore_chunks import PlacedChunk

PACK_ENTRY_BYTES: Final = 49
"""What a chunk costs in its pack file's index."""

_TABLE_BITS: Final = 28
_SPREAD: Final = 0x9E3779B97F4A7C15


@dataclass(slots=True)
class LiveShare:
    """What is used of one pack file; ``number`` is the order in which the pack files were met."""

    number: int
    live_bytes: int = 0
    live_chunks: int = 0


class LiveBytes:
    """The shares of all pack files, filled a manifest at a time."""

    def __init__(self, table_bits: int = _TABLE_BITS) -> None:
        self._mask = (1 << table_bits) - 1
        self._seen = bytearray(1 << (table_bits - 3))
        self._shares: dict[str, LiveShare] = {}

    def share_of(self, pack_key: str) -> LiveShare | None:
        """What is used of a pack file; None when no manifest names it."""
        return self._shares.get(pack_key)

    def add(self, chunks: Iterable[PlacedChunk]) -> None:
        """Count those of a manifest's chunks that no manifest before had."""
        seen, mask, shares = self._seen, self._mask, self._shares
        for chunk in chunks:
            share = shares.get(chunk.pack_key)
            if share is None:
                share = shares[chunk.pack_key] = LiveShare(len(shares))
            # The digest is random already; the same chunk in two pack files counts in each.
            bit = (int.from_bytes(chunk.digest[:8], "little") + share.number * _SPREAD) & mask
            if seen[bit >> 3] >> (bit & 7) & 1:
                continue
            seen[bit >> 3] |= 1 << (bit & 7)
            share.live_bytes += chunk.stored_length + PACK_ENTRY_BYTES
            share.live_chunks += 1

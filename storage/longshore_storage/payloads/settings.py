"""How much memory and parallelism storing and reading payloads may take; the one place of the formula."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Self

from longshore_chunks import PACK_TARGET_BYTES, CuttingParameters

MIB = 1024 * 1024

# Tried in this order: how many batches of which size, where memory allows it. Larger batches take fewer
# statements and requests, more of them hide what each one waits for.
_BATCHES = ((4, 4 * MIB), (2, 4 * MIB), (1, 4 * MIB), (2, 2 * MIB), (1, 2 * MIB), (1, MIB))
# More pack files on their way at a time make no store faster.
_ENOUGH_PACKS = 4


@dataclass(frozen=True, slots=True)
class PayloadSettings:
    """Limits of one node, and the bound on memory that follows from them.

    ``uploads_at_once`` take bytes, ``uploads_waiting`` more wait; ``packs_in_flight`` counts the pack
    files of all uploads of the node together, of which ``packs_per_upload`` may be one upload's.
    ``batch_bytes`` is how many raw bytes are hashed, cut, looked up, fetched or decoded at a time;
    ``batches_in_flight`` how many of these one upload works on together; the same for one reader with
    ``read_`` in front. ``max_chunks`` is of one payload. ``heartbeat_s`` is the longest time for which a
    working upload leaves its row untouched.
    """

    cutting: CuttingParameters = field(default_factory=CuttingParameters)
    pack_bytes: int = PACK_TARGET_BYTES
    uploads_at_once: int = 8
    uploads_waiting: int = 64
    packs_in_flight: int = 12
    packs_per_upload: int = 3
    batch_bytes: int = 4 * MIB
    batches_in_flight: int = 4
    read_batch_bytes: int = 8 * MIB
    read_batches_in_flight: int = 2
    reads_in_flight: int = 16
    max_chunks: int = 4 * MIB
    threads: int = field(default_factory=lambda: min(os.cpu_count() or 1, 8) + 1)
    heartbeat_s: float = 5.0

    @property
    def stream_bytes(self) -> int:
        """What reading one payload holds at most: batches as fetched, raw, and in pieces."""
        return 3 * (self.read_batches_in_flight + 1) * self.read_batch_bytes

    @property
    def upload_bytes(self) -> int:
        """What one upload holds at most beside its pack files in flight.

        That is the pack file it fills, and batches as received or fetched, raw, and compressed. Of the one
        that is being filled there is only what was received: the rest is for two batches that who follows
        the upload has not seen yet. A sparing reader of the stored payload holds less.
        """
        return self.pack_bytes + 3 * (self.batches_in_flight + 1) * self.batch_bytes

    @property
    def memory_bytes(self) -> int:
        """What all uploads of a node hold at most together, messages and manifests aside."""
        return self.uploads_at_once * self.upload_bytes + self.packs_in_flight * self.pack_bytes

    @classmethod
    def within(cls, memory_bytes: int, *, uploads_at_once: int = 8) -> Self:
        """Settings whose ``memory_bytes`` are not above the given ones, as fast as these allow.

        Fewer uploads than ``uploads_at_once`` take bytes where there is no room for more. Raises
        ``ValueError`` below ``least_memory_bytes``.
        """
        least = cls._least()
        if memory_bytes < least.memory_bytes:
            raise ValueError(f"{memory_bytes} bytes are less than one upload needs, {least.memory_bytes}")
        at_once = min(uploads_at_once, (memory_bytes - least.pack_bytes) // least.upload_bytes)
        most_packs = at_once * least.packs_per_upload
        for batches_in_flight, batch_bytes in _BATCHES:
            found = replace(
                least,
                uploads_at_once=at_once,
                batches_in_flight=batches_in_flight,
                batch_bytes=batch_bytes,
                packs_in_flight=0,
            )
            packs = (memory_bytes - found.memory_bytes) // found.pack_bytes
            if packs >= min(most_packs, _ENOUGH_PACKS):
                break
        return replace(found, packs_in_flight=min(packs, most_packs))

    @classmethod
    def least_memory_bytes(cls) -> int:
        """With less not even one upload can be taken."""
        return cls._least().memory_bytes

    @classmethod
    def _least(cls) -> Self:
        batches_in_flight, batch_bytes = _BATCHES[-1]
        return cls(
            uploads_at_once=1,
            packs_in_flight=1,
            batches_in_flight=batches_in_flight,
            batch_bytes=batch_bytes,
        )

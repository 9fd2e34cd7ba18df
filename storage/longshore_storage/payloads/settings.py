"""How much memory and parallelism storing and reading payloads may take."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from longshore_chunks import PACK_TARGET_BYTES, CuttingParameters

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class PayloadSettings:
    """Limits of one node. ``PayloadStore`` tells the bound on memory that follows from them.

    ``uploads_at_once`` and ``packs_in_flight`` count all uploads of the node together; what is above them
    waits. ``packs_per_upload`` of the latter may be one upload's. ``batch_bytes`` is how many raw bytes
    are hashed, cut, looked up, fetched or decoded at a time; ``batches_in_flight`` how many of these one
    upload or one reader works on together. ``heartbeat_s`` is the longest time for which a working upload
    leaves its row untouched.
    """

    cutting: CuttingParameters = field(default_factory=CuttingParameters)
    pack_bytes: int = PACK_TARGET_BYTES
    uploads_at_once: int = 8
    packs_in_flight: int = 12
    packs_per_upload: int = 3
    batch_bytes: int = 4 * MIB
    batches_in_flight: int = 4
    reads_in_flight: int = 16
    threads: int = field(default_factory=lambda: min(os.cpu_count() or 1, 8) + 1)
    heartbeat_s: float = 5.0

"""What a piece of work costs: its time, and the core-seconds of every process that has a part in it."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .processes import cpu_s
from .sizes import GIB


@dataclass(frozen=True)
class Cost:
    """Seconds, and core-seconds by process."""

    seconds: float
    cores_s: Mapping[str, float]


async def cost_of(work: Callable[[], Awaitable[object]], processes: Mapping[str, int]) -> Cost:
    """Do the work; ``processes`` are the others' ids, this one's cost is the ``client``'s."""
    everybody = {"client": os.getpid(), **processes}
    before = {name: cpu_s(pid) for name, pid in everybody.items()}
    begun = time.perf_counter()
    await work()
    seconds = time.perf_counter() - begun
    return Cost(seconds, {name: cpu_s(pid) - before[name] for name, pid in everybody.items()})


def summary(costs: Sequence[Cost], size_bytes: int) -> dict[str, Any]:
    """Every time, and the median core-seconds per GiB, for the details of a row."""
    names = costs[0].cores_s
    return {
        "seconds": [round(each.seconds, 3) for each in costs],
        "cores_s_gib": {
            name: round(statistics.median(each.cores_s[name] for each in costs) * GIB / size_bytes, 3)
            for name in names
        },
    }


def ratios(costs: Sequence[Cost], against: Sequence[Cost]) -> list[float]:
    """How many times the throughput of ``against`` each of ``costs`` had."""
    return [theirs.seconds / ours.seconds for ours, theirs in zip(costs, against, strict=True)]

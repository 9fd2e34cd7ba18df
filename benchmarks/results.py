"""What a run has measured, as it is kept: one JSON file, written again whenever a row ends.

Owns the file's form. Every row carries when and on what it was measured, so that rows of different runs may
stand in one file; ``run`` tells which of them belong to the run that is not finished yet.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FULL = Path(__file__).with_name("results") / "full.json"


@dataclass(frozen=True)
class Figure:
    """One number that was measured several times, in its target's unit."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def highest(self) -> float:
        return max(self.values)


@dataclass(frozen=True)
class Measured:
    """What a row gives: its figures by target, and the details behind them, which JSON can hold."""

    figures: Mapping[str, Sequence[float]]
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RowResult:
    """A row as it is kept. ``took_s`` includes preparing; ``load`` is the machine's before it began."""

    figures: dict[str, list[float]]
    details: dict[str, Any]
    run: str
    measured_at: str
    took_s: float
    load: float
    machine: dict[str, Any]

    def figure(self, target: str) -> Figure:
        return Figure(tuple(self.figures[target]))


@dataclass
class Results:
    """Everything in one file. ``unfinished_run`` is empty when the last whole run came to its end."""

    sizes: str
    unfinished_run: str = ""
    rows: dict[str, RowResult] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the file whole, or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")
        beside.replace(path)


def load(path: Path, sizes: str) -> Results:
    """What the file holds; nothing measured yet when there is none."""
    if not path.exists():
        return Results(sizes)
    kept = json.loads(path.read_text())
    rows = {name: RowResult(**row) for name, row in kept["rows"].items()}
    return Results(kept["sizes"], kept["unfinished_run"], rows)


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory_bytes / (1 << 30)),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()

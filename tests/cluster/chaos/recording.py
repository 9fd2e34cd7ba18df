"""Where everybody who takes part in a run writes down what they did and saw."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tests.cluster.history.encoding import encode
from tests.cluster.history.records import Acknowledged, Decided, FaultSeen, Record, Refused

OK: Final = "ok"
REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"


class Recorder:
    """``history`` so far, in the order in which it was told; ``logs`` of the nodes, by name, at the end."""

    def __init__(self, history: Iterable[Record] = ()) -> None:
        self.history = list(history)
        self.logs: dict[str, str] = {}
        self._began_at = time.monotonic()
        self._began_time_s = time.time()

    @property
    def now_s(self) -> float:
        return time.monotonic() - self._began_at

    def add(self, kind: type[Record], **fields: Any) -> None:
        self.history.append(kind(at=round(self.now_s, 3), **fields))

    def at(self, time_s: float) -> float:
        """A moment of this machine's clock (Unix time) as ``now_s`` was then."""
        return round(time_s - self._began_time_s, 3)

    def outcomes(self) -> dict[str, Counter[str]]:
        """How many tries of each call had which outcome: ``ok``, ``refused``, ``unknown``."""
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for record in self.history:
            if isinstance(record, Acknowledged | Decided):
                counts[record.call][OK] += 1
            elif isinstance(record, Refused):
                counts[record.call][UNKNOWN if record.unknown else REFUSED] += 1
        return dict(sorted(counts.items()))

    def calls_told(self) -> str:
        """``outcomes`` in words."""
        return ", ".join(
            f"{call}: {' '.join(f'{count} {outcome}' for outcome, count in sorted(counts.items()))}"
            for call, counts in self.outcomes().items()
        )

    def faults(self) -> Counter[str]:
        """How often each kind of fault has begun."""
        return Counter(
            record.fault
            for record in self.history
            if isinstance(record, FaultSeen) and record.phase == "begins"
        )

    def write(self, folder: Path) -> Path:
        """Keep everything in a folder; the file with the history."""
        for name, log in self.logs.items():
            (folder / f"{name}.log").write_text(log)
        path = folder / "history.jsonl"
        path.write_text("".join(f"{encode(record)}\n" for record in self.history))
        return path

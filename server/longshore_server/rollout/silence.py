"""How long nodes have been silent, by the clock of whoever watches them.

Neither the database's clock nor a machine's decides here: one that is set forward would fail every node that
works, and one that is set back would let a dead node hold up its rollout. Only whether a report is another
one than at the last look counts, and time in which nobody looked, because this process was stopped or its
machine asleep, does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from time import monotonic
from typing import Final

from longshore_storage.catalogue.activations import Place, place_of
from longshore_storage.catalogue.lifecycle import ACTIVATION_TERMINAL
from longshore_storage.catalogue.rows import Activation

# So many looks at least find a node silent before it is given up.
_LOOKS: Final = 4


class SilenceWatch:
    """What one driver has seen of its nodes. A driver that takes over begins anew."""

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._silent: dict[Place, tuple[datetime, float]] = {}
        self._looked_at = monotonic()

    def too_long(self, activations: Iterable[Activation]) -> list[Activation]:
        """Look once more: who has not ended, and reported nothing for the deadline."""
        now = monotonic()
        awake_s = min(now - self._looked_at, self.deadline_s / _LOOKS)
        self._looked_at = now
        before, self._silent = self._silent, {}
        silent = []
        for one in activations:
            if one.status in ACTIVATION_TERMINAL:
                continue
            report_time, silent_s = before.get(place_of(one), (None, 0.0))
            silent_s = silent_s + awake_s if report_time == one.report_time else 0.0
            self._silent[place_of(one)] = (one.report_time, silent_s)
            if silent_s >= self.deadline_s:
                silent.append(one)
        return silent

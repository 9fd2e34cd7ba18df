"""Histories in files: a line of JSON for each record."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Final

from .records import (
    Acknowledged,
    Asked,
    CoveredNode,
    Decided,
    DeploymentEnd,
    EventSeen,
    FaultSeen,
    IntentSeen,
    LeftBehind,
    NodeEnd,
    ObjectHurt,
    PayloadRead,
    PlaceSeen,
    Reclaimed,
    Record,
    Refused,
    ReleaseEnd,
    Restored,
    RolloutEnd,
    TreeSeen,
    TroubleSeen,
    TurnEnd,
)

_KINDS: Final[dict[str, type[Record]]] = {
    kind.__name__: kind
    for kind in (
        *(Asked, Acknowledged, Refused, Decided, EventSeen),
        *(TreeSeen, IntentSeen, PlaceSeen, FaultSeen, TroubleSeen),
        *(ObjectHurt, PayloadRead, Reclaimed, Restored),
        *(DeploymentEnd, ReleaseEnd, RolloutEnd, CoveredNode, TurnEnd, NodeEnd, LeftBehind),
    )
}


def encode(record: Record) -> str:
    """One line of JSON."""
    return json.dumps({"record": type(record).__name__, **dataclasses.asdict(record)})


def decode(lines: Iterable[str]) -> Sequence[Record]:
    """The other way round. Raises ``KeyError`` and ``ValueError`` for what is no history."""
    found = []
    for line in lines:
        told = json.loads(line)
        kind = _KINDS[told.pop("record")]
        for name, value in told.items():
            told[name] = tuple(value) if isinstance(value, list) else value
        found.append(kind(**told))
    return found

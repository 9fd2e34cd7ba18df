"""What a look at one part found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is; ``BAD`` is what keeps something from working."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: the part, what was found, and for all but the good what to do."""

    part: str
    state: State
    what: str
    advice: str = ""

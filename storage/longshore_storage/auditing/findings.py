"""What verifying finds, and what it has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with an entry or a batch; FORKED is a head that the database does not have."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REWRITTEN = "rewritten"
    FORKED = "forked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: with an entry, or, where ``entry_id`` is None, with a batch.

    It is ``expected`` where a restore that whoever verifies knows of explains it.
    """

    fault: Fault
    batch: int
    entry_id: int | None
    message: str
    expected: bool = False


@dataclass(slots=True)
class Verified:
    """What was looked at; counts along. ``findings`` are those that nothing explains."""

    batches: int = 0
    entries: int = 0
    removed_batches: int = 0
    unanchored_batches: int = 0
    unsealed_entries: int = 0
    findings: int = 0
    expected: int = 0

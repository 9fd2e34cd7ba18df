"""What verifying gives back: what nodes found when they compared what is live with its release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class VerificationStatus(StrEnum):
    """Where a node stands with a verification."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    INTACT = "intact"
    DIFFERS = "differs"
    REPAIRED = "repaired"
    FAILED = "failed"

    @property
    def is_good(self) -> bool:
        """Whether what is live is its release, byte for byte."""
        return self in (VerificationStatus.INTACT, VerificationStatus.REPAIRED)


class DifferenceKind(StrEnum):
    """What is different about an entry of a tree."""

    UNKNOWN = "unknown"
    CHANGED = "changed"
    MISSING = "missing"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class TreeDifference:
    """One entry of a tree that is not as its release says."""

    path: str
    kind: DifferenceKind


@dataclass(frozen=True, slots=True)
class NodeVerification:
    """What one node found: ``differences`` are the first of ``total_differences``, by path.

    ``version`` is empty where nothing is live; ``end_time`` is None while it has not ended.
    """

    node_name: str
    status: VerificationStatus
    version: str
    compared_entries: int
    differences: tuple[TreeDifference, ...]
    total_differences: int
    message: str
    end_time: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether the node has told."""
        return self.status is not VerificationStatus.PENDING


@dataclass(frozen=True, slots=True)
class Verification:
    """A verification as it stands; ``nodes`` were written down when it was asked, at most 1,000, by name."""

    verification_id: str
    project: str
    environment: str
    repair: bool
    asked_by: str
    create_time: datetime | None
    nodes: tuple[NodeVerification, ...]

    @property
    def has_ended(self) -> bool:
        """Whether every node has told what it found."""
        return all(node.has_ended for node in self.nodes)

"""Why a call is refused or a deployment fails: one exception with a reason from a closed list.

Use cases raise ``Refusal``; ``rpc.statuses`` turns it into a gRPC status by one table, and a deployment
that ends by one keeps it in its row, so that the same call gets the same error again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Self


class Reason(StrEnum):
    """The contract's ``ErrorReason``, by name; a test holds the two equal."""

    INVALID_REQUEST = "INVALID_REQUEST"
    INVALID_PAGE_TOKEN = "INVALID_PAGE_TOKEN"  # noqa: S105
    SIZE_MISMATCH = "SIZE_MISMATCH"
    SHA256_MISMATCH = "SHA256_MISMATCH"
    PAYLOAD_EMPTY = "PAYLOAD_EMPTY"
    CHUNK_MISMATCH = "CHUNK_MISMATCH"
    CHUNK_FRAME_INVALID = "CHUNK_FRAME_INVALID"
    CHUNK_MISSING = "CHUNK_MISSING"
    OFFSET_MISMATCH = "OFFSET_MISMATCH"
    UPLOAD_PROTOCOL = "UPLOAD_PROTOCOL"
    VALIDATION_FAILED = "VALIDATION_FAILED"
    ARCHIVE_INVALID = "ARCHIVE_INVALID"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    VERSION_EXISTS = "VERSION_EXISTS"
    DEPLOYMENT_ID_REUSED = "DEPLOYMENT_ID_REUSED"
    UPLOAD_IN_PROGRESS = "UPLOAD_IN_PROGRESS"
    UPLOAD_TAKEN_OVER = "UPLOAD_TAKEN_OVER"
    CONFLICT = "CONFLICT"
    DEPLOYMENT_NOT_FOUND = "DEPLOYMENT_NOT_FOUND"
    PROJECT_NOT_FOUND = "PROJECT_NOT_FOUND"
    ENVIRONMENT_NOT_FOUND = "ENVIRONMENT_NOT_FOUND"
    RELEASE_NOT_FOUND = "RELEASE_NOT_FOUND"
    NO_PREVIOUS_RELEASE = "NO_PREVIOUS_RELEASE"
    PAYLOAD_RECLAIMED = "PAYLOAD_RECLAIMED"
    PROGRESS_COMPACTED = "PROGRESS_COMPACTED"
    BEYOND_END = "BEYOND_END"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    STORAGE_FULL = "STORAGE_FULL"
    UPLOAD_IDLE = "UPLOAD_IDLE"
    DEPENDENCY_UNAVAILABLE = "DEPENDENCY_UNAVAILABLE"
    DRAINING = "DRAINING"
    STORED_DATA_CORRUPT = "STORED_DATA_CORRUPT"
    INTERNAL = "INTERNAL"
    ROLE_MISSING = "ROLE_MISSING"
    MISCONFIGURED = "MISCONFIGURED"
    ROLLOUT_FAILED = "ROLLOUT_FAILED"
    UPLOAD_ABANDONED = "UPLOAD_ABANDONED"
    PAYLOAD_IN_USE = "PAYLOAD_IN_USE"
    TOO_MANY_UPLOADS = "TOO_MANY_UPLOADS"
    UPLOAD_TOO_SLOW = "UPLOAD_TOO_SLOW"
    STAGING_EXCEEDED = "STAGING_EXCEEDED"
    CANCELLED = "CANCELLED"
    STATUS_CONFLICT = "STATUS_CONFLICT"
    LIVE_CHANGED = "LIVE_CHANGED"
    QUEUE_BUSY = "QUEUE_BUSY"
    GATE_MISMATCH = "GATE_MISMATCH"
    FROZEN = "FROZEN"
    ETAG_MISMATCH = "ETAG_MISMATCH"
    TOO_MANY_FOLLOWERS = "TOO_MANY_FOLLOWERS"
    NODE_NOT_FOUND = "NODE_NOT_FOUND"
    NODE_RUNNING = "NODE_RUNNING"
    DEPENDENCY_UNSATISFIED = "DEPENDENCY_UNSATISFIED"
    DEPENDANT_LIVE = "DEPENDANT_LIVE"
    WORKFLOW_NOT_FOUND = "WORKFLOW_NOT_FOUND"
    VERIFICATION_NOT_FOUND = "VERIFICATION_NOT_FOUND"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    SECOND_PERSON_REQUIRED = "SECOND_PERSON_REQUIRED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"


# Reasons for which the same upload can never succeed: the deployment ends and keeps the error. Everything
# else leaves it to be tried again.
FINAL_REASONS = frozenset(
    {
        Reason.SIZE_MISMATCH,
        Reason.SHA256_MISMATCH,
        Reason.PAYLOAD_EMPTY,
        Reason.VALIDATION_FAILED,
        Reason.ARCHIVE_INVALID,
        Reason.VERSION_CONFLICT,
        Reason.VERSION_EXISTS,
        Reason.LIMIT_EXCEEDED,
        Reason.STAGING_EXCEEDED,
        Reason.LIVE_CHANGED,
        Reason.QUEUE_BUSY,
        Reason.DEPENDENCY_UNSATISFIED,
        Reason.DEPENDANT_LIVE,
    }
)

# More would not fit into the trailers that every client accepts.
MOST_FINDINGS_TOLD = 20


@dataclass(frozen=True, slots=True)
class FindingTold:
    """A finding as errors and events tell it; ``severity`` is INFO, WARNING or ERROR."""

    code: str
    severity: str
    message: str
    path: str = ""
    line: int | None = None


@dataclass(slots=True)
class Refusal(Exception):
    """Why something is refused: for programs a reason, for people what happened and what to do.

    ``violations`` maps a field of the request to what is wrong with it; ``retry_after_s`` is set where
    trying again helps; ``findings`` holds at most 20 of ``total_findings``; ``resumable`` says that the
    upload may go on although its reason is usually final.
    """

    reason: Reason
    message: str
    violations: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None
    findings: Sequence[FindingTold] = ()
    total_findings: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    resumable: bool = False

    def __str__(self) -> str:
        return self.message

    @property
    def final(self) -> bool:
        """Whether the same upload can never succeed."""
        return self.reason in FINAL_REASONS and not self.resumable

    def to_row(self) -> dict[str, Any]:
        """As kept in a deployment's row."""
        return {
            "reason": self.reason.value,
            "message": self.message,
            "violations": dict(self.violations),
            "findings": [asdict(finding) for finding in self.findings],
            "total_findings": self.total_findings,
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The other way round; for a reason that only a later version knows, one to ask another node for."""
        known = {each.name for each in fields(FindingTold)}
        told = [{name: finding[name] for name in finding.keys() & known} for finding in row["findings"]]
        return cls(
            Reason(row["reason"]) if row["reason"] in set(Reason) else Reason.MISCONFIGURED,
            row["message"],
            violations=row["violations"],
            findings=[FindingTold(**finding) for finding in told],
            total_findings=row["total_findings"],
            metadata=row["metadata"],
        )


def invalid(field_name: str, what: str) -> Refusal:
    """A field of the request that is missing or malformed."""
    return Refusal(Reason.INVALID_REQUEST, f"{field_name}: {what}", violations={field_name: what})


def deployment_not_found(deployment_id: str) -> Refusal:
    """There is none of this id, or none that the caller may know of."""
    return Refusal(Reason.DEPLOYMENT_NOT_FOUND, f"there is no deployment with the id {deployment_id!r}")

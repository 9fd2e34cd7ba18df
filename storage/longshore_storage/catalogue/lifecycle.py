"""The states of a deployment and of an activation, and which may follow which.

DESIGN: upload ``PENDING → RECEIVING → VALIDATING → STAGED | QUEUED``, without bytes ``PENDING → STAGED |
QUEUED``; ``STAGED → QUEUED → ROLLING_OUT ⇄ PAUSED``, ``ROLLING_OUT → SUCCEEDED | PARTIAL``, both ``→
SUPERSEDED`` or ``→ REVERTING → FAILED | CANCELLED | SUPERSEDED``. Before the rollout, and where nodes are
kept as they are, a failure or a cancellation ends a deployment at once. Terminal is terminal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """Names in rows. One that only a later version knows is itself, and equal to none of the members."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown


class DeploymentStatus(OpenEnum):
    """Where a deployment stands."""

    PENDING = "PENDING"
    RECEIVING = "RECEIVING"
    VALIDATING = "VALIDATING"
    STAGED = "STAGED"
    QUEUED = "QUEUED"
    ROLLING_OUT = "ROLLING_OUT"
    PAUSED = "PAUSED"
    REVERTING = "REVERTING"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    SUPERSEDED = "SUPERSEDED"


class ActivationStatus(OpenEnum):
    """Where a node stands with an assignment."""

    PENDING = "PENDING"
    FETCHING = "FETCHING"
    SWITCHING = "SWITCHING"
    LIVE = "LIVE"
    FAILED = "FAILED"
    SUPERSEDED = "SUPERSEDED"
    REMOVED = "REMOVED"


class DeploymentKind(OpenEnum):
    """Which call made a deployment."""

    UPLOAD = "UPLOAD"
    RELEASE = "RELEASE"
    ROLLBACK = "ROLLBACK"
    UNDEPLOY = "UNDEPLOY"
    # An upload that is only examined: it is no deployment, and its row goes with its end.
    VALIDATION = "VALIDATION"


class FailurePolicy(OpenEnum):
    """What becomes of the touched nodes when a rollout fails."""

    TAKE_BACK = "TAKE_BACK"
    KEEP = "KEEP"


class QueuePolicy(OpenEnum):
    """What becomes of a deployment beside unfinished ones of its place."""

    WAIT = "WAIT"
    SUPERSEDE = "SUPERSEDE"
    FAIL = "FAIL"


_D = DeploymentStatus

FOLLOWING: dict[DeploymentStatus, frozenset[DeploymentStatus]] = {
    _D.PENDING: frozenset({_D.RECEIVING, _D.STAGED, _D.QUEUED, _D.FAILED, _D.CANCELLED}),
    _D.RECEIVING: frozenset({_D.VALIDATING, _D.FAILED, _D.CANCELLED}),
    _D.VALIDATING: frozenset({_D.STAGED, _D.QUEUED, _D.FAILED, _D.CANCELLED}),
    _D.STAGED: frozenset({_D.QUEUED, _D.FAILED, _D.CANCELLED}),
    _D.QUEUED: frozenset({_D.ROLLING_OUT, _D.SUPERSEDED, _D.FAILED, _D.CANCELLED}),
    _D.ROLLING_OUT: frozenset(
        {_D.PAUSED, _D.SUCCEEDED, _D.PARTIAL, _D.SUPERSEDED, _D.REVERTING, _D.FAILED, _D.CANCELLED}
    ),
    _D.PAUSED: frozenset({_D.ROLLING_OUT, _D.SUPERSEDED, _D.REVERTING, _D.CANCELLED}),
    _D.REVERTING: frozenset({_D.FAILED, _D.CANCELLED, _D.SUPERSEDED}),
    _D.SUCCEEDED: frozenset(),
    _D.PARTIAL: frozenset(),
    _D.FAILED: frozenset(),
    _D.CANCELLED: frozenset(),
    _D.SUPERSEDED: frozenset(),
}

TERMINAL = frozenset(status for status, following in FOLLOWING.items() if not following)
# It was what is live, for a while at least.
WENT_LIVE = frozenset({_D.SUCCEEDED, _D.PARTIAL})
# A rollout that is under way; at most one a project and environment.
ROLLING = frozenset({_D.ROLLING_OUT, _D.PAUSED, _D.REVERTING})
# Still on its way to the nodes: what a rollback meets as unfinished.
UNFINISHED = ROLLING | {_D.QUEUED}
# A person is waited for. A gate of a canary is no status: see ``Deployment.waits_for_person``.
WAITING = frozenset({_D.STAGED, _D.PAUSED})
# Before it is recorded.
UPLOADING = frozenset({_D.PENDING, _D.RECEIVING, _D.VALIDATING})

ACTIVATION_TERMINAL = frozenset(
    {ActivationStatus.LIVE, ActivationStatus.FAILED, ActivationStatus.SUPERSEDED, ActivationStatus.REMOVED}
)

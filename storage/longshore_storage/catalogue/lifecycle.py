"""The states of a deployment and of an activation, and which may follow which.

DESIGN: upload ``PENDING → RECEIVING → VALIDATING → STAGED | QUEUED``, without bytes ``PENDING → STAGED |
QUEUED``; ``STAGED → QUEUED → ROLLING_OUT → SUCCEEDED | SUPERSEDED`` or ``→ REVERTING → FAILED | CANCELLED |
SUPERSEDED``. Before the rollout a failure, a cancellation or a superseding ends a deployment at once.
Terminal is terminal.
"""

from __future__ import annotations

from enum import StrEnum


class DeploymentStatus(StrEnum):
    """Where a deployment stands."""

    PENDING = "PENDING"
    RECEIVING = "RECEIVING"
    VALIDATING = "VALIDATING"
    STAGED = "STAGED"
    QUEUED = "QUEUED"
    ROLLING_OUT = "ROLLING_OUT"
    REVERTING = "REVERTING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    SUPERSEDED = "SUPERSEDED"


class ActivationStatus(StrEnum):
    """Where a node stands with an assignment."""

    PENDING = "PENDING"
    FETCHING = "FETCHING"
    SWITCHING = "SWITCHING"
    LIVE = "LIVE"
    FAILED = "FAILED"
    SUPERSEDED = "SUPERSEDED"
    REMOVED = "REMOVED"


class DeploymentKind(StrEnum):
    """Which call made a deployment."""

    UPLOAD = "UPLOAD"
    RELEASE = "RELEASE"
    ROLLBACK = "ROLLBACK"
    UNDEPLOY = "UNDEPLOY"
    # An upload that is only examined: it is no deployment, and its row goes with its end.
    VALIDATION = "VALIDATION"


class QueuePolicy(StrEnum):
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
    _D.ROLLING_OUT: frozenset({_D.SUCCEEDED, _D.SUPERSEDED, _D.REVERTING, _D.FAILED}),
    _D.REVERTING: frozenset({_D.FAILED, _D.CANCELLED, _D.SUPERSEDED}),
    _D.SUCCEEDED: frozenset(),
    _D.FAILED: frozenset(),
    _D.CANCELLED: frozenset(),
    _D.SUPERSEDED: frozenset(),
}

TERMINAL = frozenset(status for status, following in FOLLOWING.items() if not following)
# A rollout that is under way; at most one a project and environment.
ROLLING = frozenset({_D.ROLLING_OUT, _D.REVERTING})
# Still on its way to the nodes: what a rollback meets as unfinished.
UNFINISHED = ROLLING | {_D.QUEUED}
# A person is waited for.
WAITING = frozenset({_D.STAGED})
# Before it is recorded.
UPLOADING = frozenset({_D.PENDING, _D.RECEIVING, _D.VALIDATING})

ACTIVATION_TERMINAL = frozenset(
    {ActivationStatus.LIVE, ActivationStatus.FAILED, ActivationStatus.SUPERSEDED, ActivationStatus.REMOVED}
)

"""What this library raises, as one tree. A transport error never escapes it.

LongshoreError
├── InvalidRequest             a field of the request is missing or malformed
│   ├── PayloadMismatch        the bytes do not have the size, sha256 or digests that were declared
│   ├── PayloadRefused         the payload's content is refused; ``findings`` say why
│   └── VersionConflict        the version asked for and the manifest's disagree
├── NotFound                   what was named does not exist, or may not be seen
│   ├── DeploymentNotFound
│   ├── ProjectNotFound
│   ├── EnvironmentNotFound
│   ├── ReleaseNotFound
│   ├── NodeNotFound
│   ├── WorkflowNotFound
│   └── VerificationNotFound
├── AlreadyExists              what was to be made exists with other content
│   ├── VersionExists
│   └── DeploymentIdReused
├── PreconditionFailed         the state of things forbids it; trying again alone is vain
│   ├── ChunkMissing           a chunk that was referred to is not stored (any more)
│   ├── NoPreviousRelease
│   ├── PayloadReclaimed
│   ├── PayloadInUse           the payload is live, on its way, or can be rolled back to
│   ├── Cancelled              somebody cancelled the deployment
│   ├── StatusConflict         the deployment has ended, or is too far for what was asked
│   ├── LiveChanged            something else is live than was expected
│   ├── QueueBusy              another deployment is unfinished there
│   ├── GateMismatch           the deployment waits at another gate, or at none
│   ├── Frozen                 nothing may go live there just now
│   ├── NodeRunning            the node cannot be forgotten while it runs
│   ├── DependencyUnsatisfied  what the release needs is not live there; ``findings`` name it
│   │   └── DependenciesClash  no order, or no versions, of what packs need do for all of them
│   ├── DependantLive          what is live there needs it; ``findings`` name it
│   ├── RoleMissing            this node does not do what was asked: ask another one
│   └── Misconfigured          a setting of the server is wrong
├── Conflict                   the call lost a race: read again, then retry
│   ├── UploadInProgress       another session sends this upload just now
│   ├── UploadTakenOver        a newer attempt of this upload took over
│   └── SettingsChanged        what was to be changed was changed meanwhile
├── OutOfRange                 a number lies beyond what there is
│   ├── OffsetMismatch
│   ├── ProgressCompacted
│   └── BeyondEnd
├── LimitExceeded              a limit or quota is reached
│   ├── StorageFull
│   └── QuotaExceeded          the caller or the project has used up what it may have
├── Unauthenticated            the server does not know who calls
├── PermissionDenied           the caller may not do this
│   └── SecondPersonRequired   somebody else than whoever deployed has to promote
├── Unavailable                the server cannot be reached, or not do it now: try again
│   ├── DependencyUnavailable  a service behind the server is away
│   ├── ConnectionEnded        the server ends encrypted connections as soon as they are made
│   ├── Draining               the server is shutting down: go on at another one
│   └── ServerBusy             the server has no place for the upload or the follower now
├── TimedOut                   no answer in time; whether it took effect is found out by reading
│   └── UploadIdle             the upload sent nothing for too long
├── StoredDataCorrupt          stored bytes are damaged
├── ServerFault                a fault of the server's own; its log tells more under the request id
├── DeploymentFailed           the deployment ended without success; ``deployment`` tells all
└── LocalError                 raised before or beside any call
    ├── PayloadUnreadable      the file or directory cannot be read as a payload
    ├── PayloadChanged         it changed while it was being sent
    ├── CredentialsUnusable    a certificate, a key or a token cannot be used
    │   └── HandshakeFailed    server and client do not agree about encryption or certificates
    ├── ProjectUnknown         no project was given and no manifest names one
    ├── DownloadDamaged        the bytes received do not have the release's sha256
    ├── DestinationUnusable    the download cannot be written there
    ├── IndexRefused           an index is none, contradicts itself, or does not take what is put into it
    └── IndexChanged           somebody else changed an index while it was being changed

Errors from a server carry its ``reason`` (a value of ``ErrorReason`` without its prefix), the request id,
and what the status details told. They are chosen by reason first, then by status code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Deployment, Finding


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that the server refused, and why."""

    field: str
    description: str


class LongshoreError(Exception):
    """Base of everything that this package raises on purpose.

    ``reason`` is empty where no server spoke. ``retry_after_s`` is the server's advice, None without any.
    ``total_findings`` counts what ``findings`` may cut short.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        status: str = "",
        request_id: str = "",
        retry_after_s: float | None = None,
        findings: Sequence[Finding] = (),
        total_findings: int = 0,
        field_violations: Sequence[FieldViolation] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.findings = tuple(findings)
        self.total_findings = total_findings or len(self.findings)
        self.field_violations = tuple(field_violations)


class InvalidRequest(LongshoreError):
    """A field of the request is missing or malformed; ``field_violations`` name each one."""


class PayloadMismatch(InvalidRequest):
    """The payload's bytes do not have the size, sha256 or chunk digests that were declared."""


class PayloadRefused(InvalidRequest):
    """The payload's content is refused; ``findings`` say why, one by one."""


class VersionConflict(InvalidRequest):
    """The version asked for and the one in the manifest disagree."""


class NotFound(LongshoreError):
    """What was named does not exist, or the caller may not see it."""


class DeploymentNotFound(NotFound):
    """No deployment has this id."""


class ProjectNotFound(NotFound):
    """No project has this name."""


class EnvironmentNotFound(NotFound):
    """No environment has this name; a node brings it into being by registering in it."""


class ReleaseNotFound(NotFound):
    """The project has no release of this version."""


class NodeNotFound(NotFound):
    """No node is registered under this name."""


class WorkflowNotFound(NotFound):
    """No workflow has this name in that release, or in what is live."""


class VerificationNotFound(NotFound):
    """No verification has this id: they are kept for a day."""


class AlreadyExists(LongshoreError):
    """What was to be made exists already, with other content."""


class VersionExists(AlreadyExists):
    """The version exists with other content; releases never change."""


class DeploymentIdReused(AlreadyExists):
    """The deployment id was used for something else."""


class PreconditionFailed(LongshoreError):
    """The state of things forbids what was asked; trying again alone is vain."""


class ChunkMissing(PreconditionFailed):
    """A chunk that the upload referred to is not stored (any more)."""


class NoPreviousRelease(PreconditionFailed):
    """There is no earlier release to go back to."""


class PayloadReclaimed(PreconditionFailed):
    """The release's payload was reclaimed; its content must be deployed again."""


class PayloadInUse(PreconditionFailed):
    """The release's payload is live, on its way, or can be rolled back to; the message says where."""


class Cancelled(PreconditionFailed):
    """Somebody cancelled the deployment; deploy again with a new id."""


class StatusConflict(PreconditionFailed):
    """The deployment has ended, or is too far for what was asked."""


class LiveChanged(PreconditionFailed):
    """Something else is live than was expected."""


class QueueBusy(PreconditionFailed):
    """Another deployment is unfinished there, and the queue policy is to fail then."""


class GateMismatch(PreconditionFailed):
    """The deployment waits at another gate than was named, or at none."""


class Frozen(PreconditionFailed):
    """Nothing may go live of the project there just now; the message says why."""


class NodeRunning(PreconditionFailed):
    """The node runs, so it cannot be forgotten."""


class DependencyUnsatisfied(PreconditionFailed):
    """What the release needs is not live in the environment: deploy it first, or skip dependencies."""


class DependenciesClash(DependencyUnsatisfied):
    """Packs need each other in a circle, or in versions that do not go together."""


class DependantLive(PreconditionFailed):
    """Releases that are live, or on their way, need what would be taken away or changed."""


class RoleMissing(PreconditionFailed):
    """This node does not do what was asked: ask another one."""


class Misconfigured(PreconditionFailed):
    """A setting of the server or of a node is wrong; the message names it."""


class Conflict(LongshoreError):
    """The call lost a race: read again, then retry."""


class UploadInProgress(Conflict):
    """Another session sends this upload just now."""


class UploadTakenOver(Conflict):
    """A newer attempt of the same upload took over; this one must stop."""


class SettingsChanged(Conflict):
    """What was to be changed was changed meanwhile: read it again, and decide again."""


class OutOfRange(LongshoreError):
    """A number in the request lies beyond what there is."""


class OffsetMismatch(OutOfRange):
    """A message of an upload did not begin where the last one ended."""


class ProgressCompacted(OutOfRange):
    """The events asked for were compacted; follow again from 0."""


class BeyondEnd(OutOfRange):
    """The sequence or offset asked for lies beyond the end."""


class LimitExceeded(LongshoreError):
    """A limit or quota is reached; the message names it."""


class StorageFull(LimitExceeded):
    """The blob store or the staging disk has no room left."""


class QuotaExceeded(LimitExceeded):
    """The caller or the project has used up a quota; the message names it, and how much is used."""


class Unauthenticated(LongshoreError):
    """The server does not know who calls: there is no token, or one that is not valid (any more)."""


class PermissionDenied(LongshoreError):
    """The caller may not do this; the message names the permission that is missing."""


class SecondPersonRequired(PermissionDenied):
    """Whoever deployed must not promote there: somebody else has to."""


class Unavailable(LongshoreError):
    """The server cannot be reached, or cannot do it now; trying again may help."""


class ConnectionEnded(Unavailable):
    """The server ends encrypted connections as soon as they are made, without a word.

    So do those that want a certificate of their clients, and whatever has nobody behind it just now.
    """


class DependencyUnavailable(Unavailable):
    """The database, the blob store or the coordination service behind the server is away."""


class Draining(Unavailable):
    """The server is shutting down: go on at another one, with the same id."""


class ServerBusy(Unavailable):
    """The server has no place for the upload now: try again, or at another one, with the same id."""


class TimedOut(LongshoreError):
    """No answer came in time; whether the call took effect is found out by reading."""


class UploadIdle(TimedOut):
    """The upload sent nothing for longer than the server waits; resume with the same id."""


class StoredDataCorrupt(LongshoreError):
    """Stored bytes are damaged; the message names the object."""


class ServerFault(LongshoreError):
    """A fault of the server's own; its log tells more under the request id."""


class DeploymentFailed(LongshoreError):
    """A deployment that was waited for ended without success."""

    def __init__(self, message: str, deployment: Deployment) -> None:
        error = deployment.error
        super().__init__(
            message,
            reason=error.reason if error else "",
            request_id=deployment.request_id,
            findings=error.findings if error else (),
            total_findings=error.total_findings if error else 0,
        )
        self.deployment = deployment


class LocalError(LongshoreError):
    """Something on this machine, before or beside any call."""


class PayloadUnreadable(LocalError):
    """The file or directory cannot be read as a payload."""


class PayloadChanged(LocalError):
    """The file or directory changed while it was being sent."""


class CredentialsUnusable(LocalError):
    """A certificate, a key or a token cannot be used: it cannot be read, or must not be sent."""


class HandshakeFailed(CredentialsUnusable):
    """Server and client do not agree: about being encrypted, or about one of their certificates.

    The message says which; no call was made.
    """


class ProjectUnknown(LocalError):
    """No project was given and no manifest names one."""


class DownloadDamaged(LocalError):
    """The bytes received do not have the release's sha256."""


class DestinationUnusable(LocalError):
    """The download cannot be written there."""


class IndexRefused(LocalError):
    """An index is none, contradicts itself, or does not take what is put into it; ``findings`` say why."""


class IndexChanged(LocalError):
    """Somebody else changed an index's file while it was being changed; theirs was left as it is."""

"""From a gRPC status to an error of ``errors``: the reason first, then the status code.

Owns the two tables and the reading of ``grpc-status-details-bin`` (``google.rpc.Status``). Total: every
reason and every code has an error, and a reason that a newer server sends falls back to its code.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from . import errors
from .models import Finding, Severity

if TYPE_CHECKING:
    from .server import Server

_DOMAIN: Final = "longshore"
_UNCONNECTED: Final = "failed to connect"
_DISTRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"
_DETAILS_KEY: Final = "grpc-status-details-bin"

BY_REASON: Final[dict[str, type[errors.LongshoreError]]] = {
    "INVALID_REQUEST": errors.InvalidRequest,
    "INVALID_PAGE_TOKEN": errors.InvalidRequest,
    "SIZE_MISMATCH": errors.PayloadMismatch,
    "SHA256_MISMATCH": errors.PayloadMismatch,
    "PAYLOAD_EMPTY": errors.PayloadRefused,
    "CHUNK_MISMATCH": errors.PayloadMismatch,
    "CHUNK_FRAME_INVALID": errors.PayloadMismatch,
    "CHUNK_MISSING": errors.ChunkMissing,
    "OFFSET_MISMATCH": errors.OffsetMismatch,
    "UPLOAD_PROTOCOL": errors.InvalidRequest,
    "VALIDATION_FAILED": errors.PayloadRefused,
    "ARCHIVE_INVALID": errors.PayloadRefused,
    "VERSION_CONFLICT": errors.VersionConflict,
    "VERSION_EXISTS": errors.VersionExists,
    "DEPLOYMENT_ID_REUSED": errors.DeploymentIdReused,
    "UPLOAD_IN_PROGRESS": errors.UploadInProgress,
    "UPLOAD_TAKEN_OVER": errors.UploadTakenOver,
    "CONFLICT": errors.Conflict,
    "DEPLOYMENT_NOT_FOUND": errors.DeploymentNotFound,
    "PROJECT_NOT_FOUND": errors.ProjectNotFound,
    "ENVIRONMENT_NOT_FOUND": errors.EnvironmentNotFound,
    "RELEASE_NOT_FOUND": errors.ReleaseNotFound,
    "NO_PREVIOUS_RELEASE": errors.NoPreviousRelease,
    "PAYLOAD_RECLAIMED": errors.PayloadReclaimed,
    "PROGRESS_COMPACTED": errors.ProgressCompacted,
    "BEYOND_END": errors.BeyondEnd,
    "LIMIT_EXCEEDED": errors.LimitExceeded,
    "STORAGE_FULL": errors.StorageFull,
    "UPLOAD_IDLE": errors.UploadIdle,
    "DEPENDENCY_UNAVAILABLE": errors.DependencyUnavailable,
    "DRAINING": errors.Draining,
    "STORED_DATA_CORRUPT": errors.StoredDataCorrupt,
    "INTERNAL": errors.ServerFault,
    "ROLE_MISSING": errors.RoleMissing,
    "MISCONFIGURED": errors.Misconfigured,
    # Outcomes of deployments: a server may give them again as the answer to the call that made one.
    "ROLLOUT_FAILED": errors.PreconditionFailed,
    "UPLOAD_ABANDONED": errors.PreconditionFailed,
    "PAYLOAD_IN_USE": errors.PayloadInUse,
    "TOO_MANY_UPLOADS": errors.ServerBusy,
    "UPLOAD_TOO_SLOW": errors.ServerBusy,
    "STAGING_EXCEEDED": errors.LimitExceeded,
    "CANCELLED": errors.Cancelled,
    "STATUS_CONFLICT": errors.StatusConflict,
    "LIVE_CHANGED": errors.LiveChanged,
    "QUEUE_BUSY": errors.QueueBusy,
    "GATE_MISMATCH": errors.GateMismatch,
    "FROZEN": errors.Frozen,
    "ETAG_MISMATCH": errors.SettingsChanged,
    "TOO_MANY_FOLLOWERS": errors.ServerBusy,
    "NODE_NOT_FOUND": errors.NodeNotFound,
    "NODE_RUNNING": errors.NodeRunning,
    "DEPENDENCY_UNSATISFIED": errors.DependencyUnsatisfied,
    "DEPENDANT_LIVE": errors.DependantLive,
    "WORKFLOW_NOT_FOUND": errors.WorkflowNotFound,
    "VERIFICATION_NOT_FOUND": errors.VerificationNotFound,
    "UNAUTHENTICATED": errors.Unauthenticated,
    "PERMISSION_DENIED": errors.PermissionDenied,
    "SECOND_PERSON_REQUIRED": errors.SecondPersonRequired,
    "QUOTA_EXCEEDED": errors.QuotaExceeded,
}

BY_CODE: Final[dict[grpc.StatusCode, type[errors.LongshoreError]]] = {
    grpc.StatusCode.OK: errors.ServerFault,
    grpc.StatusCode.CANCELLED: errors.Unavailable,
    grpc.StatusCode.UNKNOWN: errors.ServerFault,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.TimedOut,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
    grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.LimitExceeded,
    grpc.StatusCode.FAILED_PRECONDITION: errors.PreconditionFailed,
    grpc.StatusCode.ABORTED: errors.Conflict,
    grpc.StatusCode.OUT_OF_RANGE: errors.OutOfRange,
    grpc.StatusCode.UNIMPLEMENTED: errors.ServerFault,
    grpc.StatusCode.INTERNAL: errors.ServerFault,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DATA_LOSS: errors.StoredDataCorrupt,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
}


@asynccontextmanager
async def translated(server: Server, request_id: str = "") -> AsyncIterator[None]:
    """Run a block that talks to ``server`` and turn its transport errors into ours.

    Where it could not be connected to, what it is that both do not agree about is looked for.
    """
    try:
        yield
    except aio.AioRpcError as error:
        ours = error_of(error, server.address, request_id)
        details = error.details() or ""
        if not ours.reason and details.startswith(_UNCONNECTED):
            ours = await server.mistake(distrusted=_DISTRUSTED in details) or ours
        raise ours from error


def error_of(error: aio.AioRpcError, server: str, request_id: str = "") -> errors.LongshoreError:
    """The error of ours that a call to ``server`` under ``request_id`` ended with."""
    code = error.code()
    details = _StatusDetails(_raw_details(error))
    kind = BY_REASON.get(details.reason) or BY_CODE[code]
    message = error.details() or f"the server answered {code.name} without a word"
    if not details.reason:
        message = _transport_message(code, message, server)
    return kind(
        message,
        reason=details.reason,
        status=code.name,
        request_id=details.request_id or request_id,
        retry_after_s=details.retry_after_s,
        findings=details.findings(),
        total_findings=details.total_findings,
        field_violations=details.field_violations,
    )


def _transport_message(code: grpc.StatusCode, message: str, server: str) -> str:
    """Say which server it was about where the transport, not the server, speaks."""
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            cause = _cause(message) if message.startswith(_UNCONNECTED) else message
            return f"cannot reach the server at {server}: {cause}"
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"the server at {server} did not answer in time"
        case grpc.StatusCode.UNIMPLEMENTED:
            return f"what answers at {server} does not know this call: an older Longshore, or none?"
        case _:
            return message


def _cause(message: str) -> str:
    """The end of what gRPC tells of every address that it tried; of a handshake it ends with "OK"."""
    return message.removesuffix(": OK").rpartition(": ")[2]


def _raw_details(error: aio.AioRpcError) -> bytes:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return value
    return b""


class _StatusDetails:
    """What a ``google.rpc.Status`` told beside code and message; nothing for other statuses."""

    def __init__(self, raw: bytes) -> None:
        self.reason = ""
        self.request_id = ""
        self.retry_after_s: float | None = None
        self.field_violations: list[errors.FieldViolation] = []
        self.total_findings = 0
        status = status_pb2.Status()
        try:
            status.ParseFromString(raw)
        except DecodeError:
            return
        for detail in status.details:
            self._read(detail)

    def _read(self, detail: any_pb2.Any) -> None:
        info = error_details_pb2.ErrorInfo()
        bad_request = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            if info.domain == _DOMAIN:
                self.reason = info.reason
            self.request_id = info.metadata.get("request_id", "")
            total = info.metadata.get("total_findings", "")
            self.total_findings = int(total) if total.isdecimal() else 0
        elif detail.Unpack(retry):
            self.retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
        elif detail.Unpack(bad_request):
            self.field_violations += [
                errors.FieldViolation(violation.field, violation.description)
                for violation in bad_request.field_violations
            ]

    def findings(self) -> list[Finding]:
        """The violations as findings, where the error is about the payload's content."""
        if not self.total_findings:
            return []
        return [_finding(violation) for violation in self.field_violations]


def _finding(violation: errors.FieldViolation) -> Finding:
    """A violation of the form ``PATH: CODE: message``; how bad it is only the deployment tells."""
    code, _, message = violation.description.partition(": ")
    path = "" if violation.field == code else violation.field
    return Finding(code=code, severity=Severity.UNKNOWN, message=message, path=path, line=None)

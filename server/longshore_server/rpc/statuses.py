"""From a refusal to a gRPC status: the one table, and the details that every error carries."""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from longshore_server.refusal import Reason, Refusal

_S = grpc.StatusCode

STATUS_OF: dict[Reason, grpc.StatusCode] = {
    Reason.INVALID_REQUEST: _S.INVALID_ARGUMENT,
    Reason.INVALID_PAGE_TOKEN: _S.INVALID_ARGUMENT,
    Reason.SIZE_MISMATCH: _S.INVALID_ARGUMENT,
    Reason.SHA256_MISMATCH: _S.INVALID_ARGUMENT,
    Reason.PAYLOAD_EMPTY: _S.INVALID_ARGUMENT,
    Reason.CHUNK_MISMATCH: _S.INVALID_ARGUMENT,
    Reason.CHUNK_FRAME_INVALID: _S.INVALID_ARGUMENT,
    Reason.CHUNK_MISSING: _S.FAILED_PRECONDITION,
    Reason.OFFSET_MISMATCH: _S.OUT_OF_RANGE,
    Reason.UPLOAD_PROTOCOL: _S.INVALID_ARGUMENT,
    Reason.VALIDATION_FAILED: _S.INVALID_ARGUMENT,
    Reason.ARCHIVE_INVALID: _S.INVALID_ARGUMENT,
    Reason.VERSION_CONFLICT: _S.INVALID_ARGUMENT,
    Reason.VERSION_EXISTS: _S.ALREADY_EXISTS,
    Reason.DEPLOYMENT_ID_REUSED: _S.ALREADY_EXISTS,
    Reason.UPLOAD_IN_PROGRESS: _S.ABORTED,
    Reason.UPLOAD_TAKEN_OVER: _S.ABORTED,
    Reason.CONFLICT: _S.ABORTED,
    Reason.DEPLOYMENT_NOT_FOUND: _S.NOT_FOUND,
    Reason.PROJECT_NOT_FOUND: _S.NOT_FOUND,
    Reason.ENVIRONMENT_NOT_FOUND: _S.NOT_FOUND,
    Reason.RELEASE_NOT_FOUND: _S.NOT_FOUND,
    Reason.NO_PREVIOUS_RELEASE: _S.FAILED_PRECONDITION,
    Reason.PAYLOAD_RECLAIMED: _S.FAILED_PRECONDITION,
    Reason.PROGRESS_COMPACTED: _S.OUT_OF_RANGE,
    Reason.BEYOND_END: _S.OUT_OF_RANGE,
    Reason.LIMIT_EXCEEDED: _S.RESOURCE_EXHAUSTED,
    Reason.STORAGE_FULL: _S.RESOURCE_EXHAUSTED,
    Reason.UPLOAD_IDLE: _S.DEADLINE_EXCEEDED,
    Reason.DEPENDENCY_UNAVAILABLE: _S.UNAVAILABLE,
    Reason.DRAINING: _S.UNAVAILABLE,
    Reason.STORED_DATA_CORRUPT: _S.DATA_LOSS,
    Reason.INTERNAL: _S.INTERNAL,
    Reason.ROLE_MISSING: _S.FAILED_PRECONDITION,
    Reason.MISCONFIGURED: _S.FAILED_PRECONDITION,
    Reason.ROLLOUT_FAILED: _S.FAILED_PRECONDITION,
    Reason.UPLOAD_ABANDONED: _S.FAILED_PRECONDITION,
    Reason.PAYLOAD_IN_USE: _S.FAILED_PRECONDITION,
    Reason.TOO_MANY_UPLOADS: _S.RESOURCE_EXHAUSTED,
    Reason.UPLOAD_TOO_SLOW: _S.UNAVAILABLE,
    Reason.STAGING_EXCEEDED: _S.RESOURCE_EXHAUSTED,
    Reason.CANCELLED: _S.FAILED_PRECONDITION,
    Reason.STATUS_CONFLICT: _S.FAILED_PRECONDITION,
    Reason.LIVE_CHANGED: _S.FAILED_PRECONDITION,
    Reason.QUEUE_BUSY: _S.FAILED_PRECONDITION,
    Reason.GATE_MISMATCH: _S.FAILED_PRECONDITION,
    Reason.FROZEN: _S.FAILED_PRECONDITION,
    Reason.ETAG_MISMATCH: _S.ABORTED,
    Reason.TOO_MANY_FOLLOWERS: _S.RESOURCE_EXHAUSTED,
    Reason.NODE_NOT_FOUND: _S.NOT_FOUND,
    Reason.NODE_RUNNING: _S.FAILED_PRECONDITION,
    Reason.DEPENDENCY_UNSATISFIED: _S.FAILED_PRECONDITION,
    Reason.DEPENDANT_LIVE: _S.FAILED_PRECONDITION,
    Reason.WORKFLOW_NOT_FOUND: _S.NOT_FOUND,
    Reason.VERIFICATION_NOT_FOUND: _S.NOT_FOUND,
    Reason.UNAUTHENTICATED: _S.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: _S.PERMISSION_DENIED,
    Reason.SECOND_PERSON_REQUIRED: _S.PERMISSION_DENIED,
    Reason.QUOTA_EXCEEDED: _S.RESOURCE_EXHAUSTED,
}

ERROR_DOMAIN = "longshore"
_DETAILS_KEY = "grpc-status-details-bin"
# Trailers from about 8 kB on are refused on the way; the rest of the room is gRPC's own.
_MOST_DETAILS_BYTES = 4096
MOST_MESSAGE_CHARACTERS = 1024


def status_of(refusal: Refusal, request_id: str) -> status_pb2.Status:
    """Build the ``google.rpc.Status`` of a refusal, at most 4 KiB."""
    message = refusal.message[:MOST_MESSAGE_CHARACTERS]
    status = status_pb2.Status(code=STATUS_OF[refusal.reason].value[0], message=message)
    metadata = {"request_id": request_id, **refusal.metadata}
    if refusal.total_findings:
        metadata["total_findings"] = str(refusal.total_findings)
    _add(
        status,
        error_details_pb2.ErrorInfo(reason=refusal.reason.value, domain=ERROR_DOMAIN, metadata=metadata),
    )
    if refusal.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(refusal.retry_after_s * 1000))
        _add(status, error_details_pb2.RetryInfo(retry_delay=delay))
    _add_violations(status, refusal)
    return status


def trailing_metadata(status: status_pb2.Status) -> tuple[tuple[str, bytes], ...]:
    """The trailers that carry a status's details."""
    return ((_DETAILS_KEY, status.SerializeToString()),)


def code_of(status: status_pb2.Status) -> grpc.StatusCode:
    """The gRPC code of a status."""
    return getattr(grpc.StatusCode, code_pb2.Code.Name(status.code))  # type: ignore[no-any-return]


def _add(status: status_pb2.Status, detail: error_details_pb2.ErrorInfo) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)


def _add_violations(status: status_pb2.Status, refusal: Refusal) -> None:
    # Findings come as violations too, so that a client that knows only google.rpc shows them.
    told = [(field, what) for field, what in refusal.violations.items()]
    told += [
        (finding.path or finding.code, f"{finding.code}: {finding.message}") for finding in refusal.findings
    ]
    request = error_details_pb2.BadRequest()
    room = _MOST_DETAILS_BYTES - status.ByteSize() - 128
    for field, what in told:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field[:200], description=what[:400])
        room -= violation.ByteSize() + 4
        if room < 0:
            break
        request.field_violations.append(violation)
    if request.field_violations:
        _add(status, request)

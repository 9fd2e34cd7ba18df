"""From what the layers below raise to a refusal: the one table, looked up along the class's ancestors."""

from __future__ import annotations

import errno
from collections.abc import Callable

from longshore_bundles import BundleError, ContentRefused
from longshore_storage import errors as storage
from longshore_storage.catalogue.journal import StatusMoved
from longshore_storage.payloads import errors as payloads

from .findings import told
from .refusal import MOST_FINDINGS_TOLD, Reason, Refusal

_RETRY_AFTER_S = 2.0
_PLACES_RETRY_AFTER_S = 5.0


def _as(reason: Reason, *, retry_after_s: float | None = None) -> Callable[[Exception], Refusal]:
    return lambda error: Refusal(reason, str(error), retry_after_s=retry_after_s)


def _content_refused(error: Exception) -> Refusal:
    assert isinstance(error, ContentRefused)
    return Refusal(
        Reason.ARCHIVE_INVALID,
        str(error),
        findings=[told(finding) for finding in error.findings[:MOST_FINDINGS_TOLD]],
        total_findings=error.total_findings,
    )


def _offset_mismatch(error: Exception) -> Refusal:
    assert isinstance(error, payloads.OffsetMismatch)
    return Refusal(Reason.OFFSET_MISMATCH, str(error), metadata={"expected_offset": str(error.expected)})


def _too_many_uploads(error: Exception) -> Refusal:
    return Refusal(
        Reason.TOO_MANY_UPLOADS,
        f"{error} (`uploads.at_once`, `uploads.waiting`): try again in {_PLACES_RETRY_AFTER_S:g} s, or at "
        "another node",
        retry_after_s=_PLACES_RETRY_AFTER_S,
    )


def _chunk_limit_exceeded(error: Exception) -> Refusal:
    return Refusal(
        Reason.LIMIT_EXCEEDED,
        f"{error}, the limit of this server (`uploads.max_chunks`): cut with the server's parameters",
    )


TABLE: dict[type[Exception], Callable[[Exception], Refusal]] = {
    storage.Unavailable: _as(Reason.DEPENDENCY_UNAVAILABLE, retry_after_s=_RETRY_AFTER_S),
    storage.CommitUnknown: _as(Reason.DEPENDENCY_UNAVAILABLE, retry_after_s=_RETRY_AFTER_S),
    storage.LockLost: _as(Reason.CONFLICT, retry_after_s=_RETRY_AFTER_S),
    storage.Misconfigured: _as(Reason.MISCONFIGURED),
    storage.BlobStoreFull: _as(Reason.STORAGE_FULL),
    storage.CorruptBlob: _as(Reason.STORED_DATA_CORRUPT),
    payloads.OffsetMismatch: _offset_mismatch,
    payloads.SizeMismatch: _as(Reason.SIZE_MISMATCH),
    payloads.Sha256Mismatch: _as(Reason.SHA256_MISMATCH),
    payloads.PayloadEmpty: _as(Reason.PAYLOAD_EMPTY),
    payloads.ChunkInvalid: _as(Reason.CHUNK_MISMATCH),
    payloads.ChunkFrameInvalid: _as(Reason.CHUNK_FRAME_INVALID),
    payloads.ChunkMissing: _as(Reason.CHUNK_MISSING),
    payloads.UploadWayMixed: _as(Reason.UPLOAD_PROTOCOL),
    payloads.TooManyChunks: _as(Reason.UPLOAD_PROTOCOL),
    payloads.ChunkLimitExceeded: _chunk_limit_exceeded,
    payloads.TooManyUploads: _too_many_uploads,
    payloads.PackFileGone: _as(Reason.CHUNK_MISSING),
    payloads.PackFileDamaged: _as(Reason.CHUNK_MISSING),
    payloads.UploadTakenOver: _as(Reason.UPLOAD_TAKEN_OVER),
    payloads.PayloadNotStored: _as(Reason.PAYLOAD_RECLAIMED),
    ContentRefused: _content_refused,
    BundleError: _as(Reason.ARCHIVE_INVALID),
    StatusMoved: _as(Reason.CONFLICT, retry_after_s=_RETRY_AFTER_S),
}


def refusal_of(error: BaseException) -> Refusal | None:
    """The refusal that an error means, or None for a fault of our own."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refusal(
            Reason.STORAGE_FULL,
            "this node's disk has no room left for the work: make room there, or use another",
        )
    for ancestor in type(error).__mro__:
        make = TABLE.get(ancestor)
        if make is not None:
            assert isinstance(error, Exception)
            return make(error)
    return None

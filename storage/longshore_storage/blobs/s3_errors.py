"""What the ``minio`` SDK and ``urllib3`` raise, translated into Longshore's errors, with what to do.

Owns the table of S3's error codes. Invariants: no vendor error passes, no message holds a secret, and only
a ``PassingFault`` is worth another try soon.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, SSLError

from longshore_storage.errors import (
    BlobNotFound,
    BlobStoreFull,
    BlobStoreUnavailable,
    CorruptBlob,
    Misconfigured,
    StorageError,
)

_MISCONFIGURED: Final = {
    "NoSuchBucket": "make the bucket, or correct its name in blobs.url",
    "InvalidBucketName": "correct the bucket's name in blobs.url",
    "AccessDenied": "let the key list, read, write and delete in the bucket",
    "AllAccessDisabled": "let the key list, read, write and delete in the bucket",
    "SignatureDoesNotMatch": "the secret key is wrong: correct it (in a URL, percent-encode it)",
    "InvalidAccessKeyId": "the access key is unknown to the store: correct it",
    "InvalidToken": "the credentials are no longer valid: replace them",
    "ExpiredToken": "the credentials are no longer valid: replace them",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it by NTP",
    "MethodNotAllowed": "blobs.url does not name an S3 store",
    "NotImplemented": "the store lacks an operation that Longshore needs",
}
_FULL: Final = frozenset(
    {"XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage"}
)
_OTHER_REGION: Final = frozenset(
    {"AuthorizationHeaderMalformed", "PermanentRedirect", "Redirect", "TemporaryRedirect", "BadRequest"}
)
OTHER_CHECKSUM: Final = frozenset({"XAmzContentChecksumMismatch", "BadDigest"})
# MinIO's words for having too few of its servers; it would like one to believe that it is busy.
_QUORUM_LOST: Final = {"SlowDownWrite": "write", "SlowDownRead": "read"}
# S3 tells these with status 400: the body came too slowly, or not all of it.
_PASSING: Final = frozenset({"RequestTimeout", "IncompleteBody"})
_REGION: Final = re.compile(r"<Region>([a-z0-9-]{1,40})</Region>")


class PassingFault(BlobStoreUnavailable):
    """The store could not be reached, is busy, or failed by itself: another try soon may succeed."""


class QuorumLost(PassingFault):
    """Too few of the store's servers or drives are there; that is none's fault who says so."""


class OtherRegion(Misconfigured):
    """The bucket is in another region than the one that requests are signed for."""

    def __init__(self, message: str, region: str) -> None:
        super().__init__(message)
        self.region = region


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes, as errors name it."""

    endpoint: str
    bucket: str
    region: str


@contextmanager
def translated(place: Place, key: str = "") -> Iterator[None]:
    """Translate what the block raises; ``key`` is the object's, if the request is about one."""
    where = f"bucket {place.bucket!r} at {place.endpoint}"
    try:
        yield
    except S3Error as error:
        raise _of_s3_error(error, place, where, key) from error
    except ServerError as error:
        raise _of_status(error.status_code, where) from error
    except InvalidResponseError as error:
        # The SDK tells the status of an answer that is not XML nowhere else.
        raise _of_status(error._code, where) from error
    except (MinioException, ParseError, ValueError) as error:
        # The SDK raises the last two for XML that is none, or that is not S3's.
        raise Misconfigured(
            f"{where}: the answer is not that of an S3 store: check the host and port of blobs.url"
        ) from error
    except SSLError as error:
        raise _of_tls(str(error), where) from error
    except HTTPError as error:
        raise PassingFault(f"{where} cannot be reached or broke off: {type(error).__name__}") from error


def _of_s3_error(error: S3Error, place: Place, where: str, key: str) -> StorageError:
    code, status = error.code or "", error.response.status
    if code == "NoSuchKey":
        return BlobNotFound(key)
    if code in _FULL or status == 507:
        return BlobStoreFull(f"{where} is full ({code}): make room, or raise its quota")
    if code in OTHER_CHECKSUM:
        return CorruptBlob(key, "the body does not have the CRC32C that was announced")
    if code in _QUORUM_LOST:
        return QuorumLost(
            f"{where} cannot {_QUORUM_LOST[code]} ({code}): too few of its servers or drives are there, "
            "or they are overloaded: bring them back"
        )
    region = _region_told_by(error)
    if code in _OTHER_REGION and region not in ("", place.region):
        return OtherRegion(
            f"{where} is in region {region!r}, not {place.region!r}: add ?region={region} to blobs.url",
            region,
        )
    if code in _MISCONFIGURED:
        return Misconfigured(f"{where} answered {code}: {_MISCONFIGURED[code]}")
    detail = f"{where} answered {code or status}: {error.message}"
    passing = code in _PASSING or _is_passing(status)
    return PassingFault(detail) if passing else BlobStoreUnavailable(detail)


def _of_status(status: int, where: str) -> StorageError:
    if status == 507:
        return BlobStoreFull(f"{where} is full: make room, or raise its quota")
    if _is_passing(status):
        return PassingFault(f"{where} answered HTTP {status}")
    return Misconfigured(f"{where} answered HTTP {status}, which no S3 store does: check blobs.url")


def _of_tls(detail: str, where: str) -> StorageError:
    if "CERTIFICATE_VERIFY_FAILED" in detail:
        return Misconfigured(
            f"{where}: its certificate is not trusted: name its authority's file in SSL_CERT_FILE"
        )
    if "WRONG_VERSION_NUMBER" in detail or "RECORD_LAYER_FAILURE" in detail:
        return Misconfigured(f"{where} speaks no TLS: blobs.url must begin with s3+http://")
    return PassingFault(f"{where}: TLS failed: {detail}")


def _is_passing(status: int) -> bool:
    return status in (408, 429) or status >= 500


def _region_told_by(error: S3Error) -> str:
    told = error.response.headers.get("x-amz-bucket-region")
    if told:
        return told
    found = _REGION.search((error.response.data or b"").decode("utf-8", "replace"))
    return found[1] if found else ""

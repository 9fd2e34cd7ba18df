"""One object in one signed PUT, its body sent in the parts in which it lies in memory.

Owns the request that the SDK does not make: its own put reads the body once more than needed, to hash it
with SHA-256. Here the body is unsigned and the store checks it against its CRC32C instead
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import google_crc32c
import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.error import S3Error, ServerError
from minio.signer import sign_v4_s3
from minio.time import to_amz_date

_UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_SENT_AT_ONCE_BYTES: Final = 256 * 1024


def object_url(client: Minio, bucket: str, name: str) -> str:
    """Where an object lies, in the style (host or path) that the SDK chooses for its store.

    A presigned URL is the SDK's only public way to it; its query is taken off.
    """
    return urlunsplit(urlsplit(client.get_presigned_url("PUT", bucket, name))._replace(query=""))


def put_object(
    pool: urllib3.PoolManager,
    url: str,
    parts: Sequence[bytes | memoryview],
    *,
    crc32c: int,
    credentials: Credentials,
    region: str,
) -> None:
    """Send the concatenation of ``parts``.

    Raises what the SDK raises for refusals, and ``ValueError`` for an answer that is none of S3's.
    """
    location = urlsplit(url)
    now = datetime.now(UTC)
    headers = sign_v4_s3(
        method="PUT",
        url=location,
        region=region,
        headers={
            "Host": location.netloc,
            "Content-Length": str(sum(len(part) for part in parts)),
            "Content-Type": "application/octet-stream",
            "x-amz-checksum-crc32c": base64.b64encode(crc32c.to_bytes(4, "big")).decode("ascii"),
            "x-amz-content-sha256": _UNSIGNED,
            "x-amz-date": to_amz_date(now),
        },
        credentials=credentials,
        content_sha256=_UNSIGNED,
        date=now,
    )
    response = pool.urlopen("PUT", url, body=_pieces(parts), headers=headers, redirect=False)
    if response.status == 200:
        # Whatever else answers 200 to a PUT has stored nothing.
        if "etag" not in response.headers:
            raise ValueError("the answer to a PUT has no ETag")
        return
    if response.data and "xml" in response.headers.get("content-type", ""):
        raise S3Error.fromxml(response)
    raise ServerError(f"server failed with HTTP status code {response.status}", response.status)


def crc32c_of(parts: Sequence[bytes | memoryview]) -> int:
    """The CRC32C of the concatenation of ``parts``."""
    return functools.reduce(lambda found, part: google_crc32c.extend(found, bytes(part)), parts, 0)


def _pieces(parts: Sequence[bytes | memoryview]) -> Iterator[memoryview]:
    # A time-out counts per send: small sends let a slow but living connection go on.
    for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), _SENT_AT_ONCE_BYTES):
            yield view[start : start + _SENT_AT_ONCE_BYTES]

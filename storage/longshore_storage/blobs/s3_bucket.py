"""One bucket as one server of its store gives it: each method is one request, which blocks until it ends.

Owns the SDK's client and the region that requests are signed for. Invariants: a body is sent as it is, in
one PUT, neither joined nor hashed here, and checked by the store against its CRC32C; a range that comes
shorter, longer or whole is never taken for the range; however much a store sends, no more of an object is
held than was asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.datatypes import Object
from minio.error import S3Error

from longshore_storage.errors import BlobStoreUnavailable, CorruptBlob
from longshore_storage.ports import BlobStat

from .s3_errors import OTHER_CHECKSUM, OtherRegion, PassingFault, Place, translated
from .s3_put import crc32c_of, object_url, put_object

T = TypeVar("T")

PAGE: Final = 1000
# What is read without a length is small, and a pack file has hardly more than 16 MiB.
_WHOLE_MAX_BYTES: Final = 64 * 1024 * 1024
_DEFAULT_REGION: Final = "us-east-1"


class RangeBeyondEnd(Exception):
    """The store has no byte of the range that was asked for."""


class S3Bucket:
    """The objects under ``prefix``, which is empty or ends with a slash.

    Without a ``region`` requests are signed for us-east-1 until the store names another one, which is then
    taken.
    """

    def __init__(
        self,
        endpoint: str,
        name: str,
        *,
        credentials: Credentials,
        secure: bool,
        prefix: str,
        region: str,
        pool: urllib3.PoolManager,
    ) -> None:
        self.endpoint = endpoint
        self._name = name
        self._credentials = credentials
        self._secure = secure
        self._prefix = prefix
        self._region_is_given = bool(region)
        self._pool = pool
        self._sign_for(region or _DEFAULT_REGION)

    def ask(self, request: Callable[[S3Bucket], T], key: str = "") -> T:
        """What ``request`` gives back, for ``key`` if it is about one. Raises what ``translated`` does."""
        try:
            return self._ask(request, key)
        except OtherRegion as error:
            if self._region_is_given:
                raise
            self._sign_for(error.region)
            return self._ask(request, key)

    def put(self, key: str, parts: Sequence[bytes | memoryview], crc32c: int) -> None:
        """Send one object."""
        url = object_url(self._client, self._name, self._prefix + key)
        credentials, region = self._credentials, self._region
        try:
            put_object(self._pool, url, parts, crc32c=crc32c, credentials=credentials, region=region)
        except S3Error as error:
            if error.code in OTHER_CHECKSUM and crc32c_of(parts) == crc32c:
                raise PassingFault(
                    f"what arrived in bucket {self._name!r} at {self.endpoint} is not what was sent: "
                    "the network or a proxy changes it"
                ) from error
            raise

    def get(self, key: str, offset: int, length: int | None) -> bytes:
        """Read a range that is not empty; without a length at most 64 MiB. Raises ``RangeBeyondEnd``."""
        most_bytes = _WHOLE_MAX_BYTES if length is None else length
        try:
            response = self._client.get_object(self._name, self._prefix + key, offset, length or 0)
        except S3Error as error:
            if error.code == "InvalidRange":
                raise RangeBeyondEnd from error
            raise
        try:
            ranged = bool(offset or length)
            if response.status != (206 if ranged else 200):
                response.close()
                raise BlobStoreUnavailable(
                    f"{self.endpoint} answered HTTP {response.status} to a read: does a proxy change it?"
                )
            # As it came: what is stored has no encoding, and what a decoder makes of it has no end.
            body = response.read(most_bytes + 1, decode_content=False)
            if len(body) > most_bytes:
                response.close()
                raise CorruptBlob(key, f"from {offset} on more than {most_bytes} bytes come of it")
            if response.length_remaining:
                # That it broke off is raised by the next reading.
                response.read(1, decode_content=False)
        finally:
            response.release_conn()
        if length is not None and len(body) != length:
            raise CorruptBlob(
                key, f"it ends at {offset + len(body)}, {offset} to {offset + length} were asked for"
            )
        return body

    def stat(self, key: str) -> BlobStat:
        """Describe one object."""
        return _to_blob_stat(key, self._client.stat_object(self._name, self._prefix + key))

    def remove(self, key: str) -> None:
        """Remove one object."""
        self._client.remove_object(self._name, self._prefix + key)

    def page(self, prefix: str, after: str) -> tuple[BlobStat, ...]:
        """The first ``PAGE`` objects behind the key ``after``."""
        found = self._client.list_objects(
            self._name,
            prefix=self._prefix + prefix,
            recursive=True,
            start_after=self._prefix + after if after else None,
        )
        return tuple(
            _to_blob_stat(str(item.object_name)[len(self._prefix) :], item)
            for item in itertools.islice(found, PAGE)
        )

    def list_one(self) -> None:
        """See whether the bucket can be listed."""
        next(self._client.list_objects(self._name, prefix=self._prefix), None)

    def _ask(self, request: Callable[[S3Bucket], T], key: str) -> T:
        with translated(Place(self.endpoint, self._name, self._region), key):
            return request(self)

    def _sign_for(self, region: str) -> None:
        self._region = region
        self._client = Minio(
            self.endpoint,
            access_key=self._credentials.access_key,
            secret_key=self._credentials.secret_key,
            secure=self._secure,
            region=region,
            http_client=self._pool,
        )


def _to_blob_stat(key: str, found: Object) -> BlobStat:
    if found.size is None or found.last_modified is None:
        raise BlobStoreUnavailable(f"the store tells neither size nor time of {key!r}")
    return BlobStat(key, found.size, found.last_modified)

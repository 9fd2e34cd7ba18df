"""``S3BlobStore``: blobs as objects in a bucket of MinIO, AWS or any other S3.

Owns its threads, its connections and how often a request is tried. Invariants: every request has a
time-out and an end; no more requests are under way than there are threads; a body is sent as it is, in one
PUT, neither joined nor hashed here, and checked by the store against its CRC32C; no secret is shown. Refuses
to make buckets: who runs the store decides on them.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import structlog
import tenacity
import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.datatypes import Object
from minio.error import S3Error

from longshore_storage.errors import BlobNotFound, BlobStoreUnavailable, CorruptBlob
from longshore_storage.ports import BlobStat

from .keys import check_key, check_prefix
from .s3_errors import OTHER_CHECKSUM, OtherRegion, PassingFault, Place, translated
from .s3_put import crc32c_of, object_url, put_object

T = TypeVar("T")

DEFAULT_REGION: Final = "us-east-1"

_PAGE: Final = 1000
_log = structlog.get_logger(__name__)


class S3BlobStore:
    """A ``BlobStore`` over one bucket; see the port for what its methods promise.

    Passing faults (no connection, time-outs, 408, 429, 5xx, bodies changed on their way in) are tried again
    with growing, random pauses for ``retry_for_s`` seconds, at least once however long the first try took;
    0 is never. Without a ``region`` requests are signed for us-east-1 until the store names
    another one, which is then taken.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        *,
        access_key: str,
        secret_key: str,
        secure: bool = True,
        prefix: str = "",
        region: str = "",
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 30.0,
        retry_for_s: float = 20.0,
        threads: int = 8,
    ) -> None:
        self._endpoint = endpoint
        self._bucket = bucket
        self._secure = secure
        self._prefix = f"{check_key(prefix)}/" if prefix else ""
        self._credentials = Credentials(access_key, secret_key)
        self._region_is_given = bool(region)
        self._retry_for_s = retry_for_s
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="s3-blobs")
        self._pool = urllib3.PoolManager(
            maxsize=threads,
            timeout=urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s),
            retries=False,
        )
        self._client = self._client_for(region or DEFAULT_REGION)

    def __repr__(self) -> str:
        return f"S3BlobStore({self._endpoint!r}, {self._bucket!r}, prefix={self._prefix!r})"

    async def put(self, key: str, parts: Sequence[bytes | memoryview], *, crc32c: int) -> None:
        """Store an object; see the port. Raises ``CorruptBlob`` when ``parts`` do not have ``crc32c``."""
        check_key(key)
        await self._run("put", lambda: self._put(self._prefix + key, parts, crc32c), key)

    async def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Read an object or a range of it; see the port."""
        check_key(key)
        if offset < 0 or (length is not None and length < 0):
            raise ValueError(f"offset {offset} and length {length} must not be negative")
        if length == 0:
            return await self._get_nothing(key, offset)
        try:
            return await self._run("get", lambda: self._get(key, offset, length), key)
        except _RangeBeyondEnd:
            if length is None:
                return await self._get_nothing(key, offset)
            raise CorruptBlob(key, f"it has no bytes {offset} to {offset + length}") from None

    async def stat(self, key: str) -> BlobStat:
        """Describe an object; see the port."""
        check_key(key)
        try:
            return await self._run("stat", lambda: self._stat(key), key)
        except BlobNotFound:
            # The answer to HEAD has no body that could tell a missing object from a missing bucket.
            await self._run("check", self._list_one)
            raise

    async def delete(self, key: str) -> None:
        """Remove an object; see the port."""
        check_key(key)
        await self._run("delete", lambda: self._client.remove_object(self._bucket, self._prefix + key), key)

    async def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        """The objects under a prefix in key order; see the port."""
        check_prefix(prefix)
        after = ""
        while page := await self._run("list", functools.partial(self._page, prefix, after)):
            for blob in page:
                yield blob
            if len(page) < _PAGE:
                return
            after = page[-1].key

    async def check(self) -> None:
        """Return when the bucket can be listed; see the port. Tries once."""
        await self._attempt(self._list_one, "")

    async def close(self) -> None:
        """Wait for the requests under way, then end the threads and connections."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
        self._pool.clear()

    async def _run(self, operation: str, work: Callable[[], T], key: str = "") -> T:
        def log_retry(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            _log.warning(
                "blob_store_retry",
                operation=operation,
                key=key,
                attempt=state.attempt_number,
                error=str(error),
            )

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(PassingFault),
            # One that hangs takes longer than all tries should, and the next connection may be a good one.
            stop=tenacity.stop_all(
                tenacity.stop_after_attempt(2 if self._retry_for_s else 1),
                tenacity.stop_before_delay(self._retry_for_s),
            ),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=3.0),
            before_sleep=log_retry,
            reraise=True,
        )
        return await retrying(self._attempt, work, key)

    async def _attempt(self, work: Callable[[], T], key: str) -> T:
        def once() -> T:
            with translated(Place(self._endpoint, self._bucket, self._region), key):
                return work()

        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, once)
        except OtherRegion as error:
            if self._region_is_given:
                raise
            self._client = self._client_for(error.region)
            return await loop.run_in_executor(self._executor, once)

    def _client_for(self, region: str) -> Minio:
        self._region = region
        return Minio(
            self._endpoint,
            access_key=self._credentials.access_key,
            secret_key=self._credentials.secret_key,
            secure=self._secure,
            region=region,
            http_client=self._pool,
        )

    def _put(self, name: str, parts: Sequence[bytes | memoryview], crc32c: int) -> None:
        url = object_url(self._client, self._bucket, name)
        credentials, region = self._credentials, self._region
        try:
            put_object(self._pool, url, parts, crc32c=crc32c, credentials=credentials, region=region)
        except S3Error as error:
            if error.code in OTHER_CHECKSUM and crc32c_of(parts) == crc32c:
                raise PassingFault(
                    f"what arrived in bucket {self._bucket!r} at {self._endpoint} is not what was sent: "
                    "the network or a proxy changes it"
                ) from error
            raise

    def _get(self, key: str, offset: int, length: int | None) -> bytes:
        try:
            response = self._client.get_object(self._bucket, self._prefix + key, offset, length or 0)
        except S3Error as error:
            if error.code == "InvalidRange":
                raise _RangeBeyondEnd from error
            raise
        try:
            ranged = bool(offset or length)
            if response.status != (206 if ranged else 200):
                response.close()
                raise BlobStoreUnavailable(
                    f"{self._endpoint} answered HTTP {response.status} to a read: does a proxy change it?"
                )
            body = response.read()
        finally:
            response.release_conn()
        if length is not None and len(body) != length:
            raise CorruptBlob(
                key, f"it ends at {offset + len(body)}, {offset} to {offset + length} were asked for"
            )
        return body

    async def _get_nothing(self, key: str, offset: int) -> bytes:
        """An empty range: no request can ask for it, but it must exist all the same."""
        found = await self.stat(key)
        if offset > found.size_bytes:
            raise CorruptBlob(key, f"it has {found.size_bytes} bytes, some from {offset} on were asked for")
        return b""

    def _stat(self, key: str) -> BlobStat:
        return _to_blob_stat(key, self._client.stat_object(self._bucket, self._prefix + key))

    def _page(self, prefix: str, after: str) -> tuple[BlobStat, ...]:
        found = self._client.list_objects(
            self._bucket,
            prefix=self._prefix + prefix,
            recursive=True,
            start_after=self._prefix + after if after else None,
        )
        return tuple(
            _to_blob_stat(str(item.object_name)[len(self._prefix) :], item)
            for item in itertools.islice(found, _PAGE)
        )

    def _list_one(self) -> None:
        next(self._client.list_objects(self._bucket, prefix=self._prefix), None)


class _RangeBeyondEnd(Exception):
    """The store has no byte of the range that was asked for."""


def _to_blob_stat(key: str, found: Object) -> BlobStat:
    if found.size is None or found.last_modified is None:
        raise BlobStoreUnavailable(f"the store tells neither size nor time of {key!r}")
    return BlobStat(key, found.size, found.last_modified)

"""``S3BlobStore``: blobs as objects in a bucket of MinIO, AWS or any other S3.

Owns its threads, its connections, which of the store's servers is asked and how often a request is tried.
Invariants: every request has a time-out and an end; no more requests are under way than there are threads;
no secret is shown. Refuses to make buckets: who runs the store decides on them.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
import tenacity
import urllib3
from minio.credentials.credentials import Credentials

from longshore_storage.errors import BlobNotFound, CorruptBlob, StorageError
from longshore_storage.ports import BlobStat

from .absence import Absence
from .keys import check_key, check_prefix
from .s3_bucket import PAGE, RangeBeyondEnd, S3Bucket
from .s3_errors import PassingFault, QuorumLost

T = TypeVar("T")

_log = structlog.get_logger(__name__)
_backoff = tenacity.wait_random_exponential(multiplier=0.1, max=3.0)


class S3BlobStore:
    """A ``BlobStore`` over one bucket; see the port for what its methods promise.

    ``endpoints`` are the servers of one store, any of which gives the same answer: they take turns, and one
    that failed is left out for a while. Passing faults (no connection, time-outs, 408, 429, 5xx, bodies
    changed on their way in) are tried again, first with every other server, then with growing, random
    pauses for ``retry_for_s`` seconds, at least once however long the first try took; 0 is no more than
    once with every server. That an object is missing is believed only while every server answers: MinIO says
    so, too, of what lies on drives that are away. A replica is believed at once, since another store is asked
    then.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
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
        is_replica: bool = False,
        threads: int = 8,
    ) -> None:
        self._shown = f"{','.join(endpoints)!r}, {bucket!r}"
        self._prefix = f"{check_key(prefix)}/" if prefix else ""
        self._retry_for_s = retry_for_s
        self._is_replica = is_replica
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="s3-blobs")
        self._pool = urllib3.PoolManager(
            num_pools=len(endpoints),
            maxsize=threads,
            timeout=urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s),
            retries=False,
        )
        credentials = Credentials(access_key, secret_key)
        self._turns = deque(
            _Server(
                S3Bucket(
                    endpoint,
                    bucket,
                    credentials=credentials,
                    secure=secure,
                    prefix=self._prefix,
                    region=region,
                    pool=self._pool,
                )
            )
            for endpoint in endpoints
        )

    def __repr__(self) -> str:
        return f"S3BlobStore({self._shown}, prefix={self._prefix!r})"

    async def put(self, key: str, parts: Sequence[bytes | memoryview], *, crc32c: int) -> None:
        """Store an object; see the port. Raises ``CorruptBlob`` when ``parts`` do not have ``crc32c``."""
        check_key(key)
        await self._run("put", lambda bucket: bucket.put(key, parts, crc32c), key)

    async def get(
        self, key: str, offset: int = 0, length: int | None = None, *, first_hand: bool = False
    ) -> bytes:
        """Read an object or a range of it, without a length at most 64 MiB; see the port."""
        check_key(key)
        if offset < 0 or (length is not None and length < 0):
            raise ValueError(f"offset {offset} and length {length} must not be negative")
        if length == 0:
            return await self._get_nothing(key, offset)
        try:
            return await self._run("get", lambda bucket: bucket.get(key, offset, length), key)
        except RangeBeyondEnd:
            if length is None:
                return await self._get_nothing(key, offset)
            raise CorruptBlob(key, f"it has no bytes {offset} to {offset + length}") from None

    async def stat(self, key: str) -> BlobStat:
        """Describe an object; see the port."""
        check_key(key)
        try:
            return await self._run("stat", lambda bucket: bucket.stat(key), key)
        except BlobNotFound:
            # The answer to HEAD has no body that could tell a missing object from a missing bucket.
            await self._run("check", S3Bucket.list_one)
            raise

    async def delete(self, key: str) -> None:
        """Remove an object; see the port."""
        check_key(key)
        await self._run("delete", lambda bucket: bucket.remove(key), key)

    async def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        """The objects under a prefix in key order; see the port."""
        check_prefix(prefix)
        after = ""
        while page := await self._run("list", functools.partial(S3Bucket.page, prefix=prefix, after=after)):
            for blob in page:
                yield blob
            if len(page) < PAGE:
                return
            after = page[-1].key

    async def check(self) -> None:
        """Return when the bucket can be listed; see the port. Asks every server once at most."""
        await self._run("check", S3Bucket.list_one, retry_for_s=0)

    async def close(self) -> None:
        """Wait for the requests under way, then end the threads and connections."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
        self._pool.clear()

    async def _run(
        self,
        operation: str,
        request: Callable[[S3Bucket], T],
        key: str = "",
        *,
        retry_for_s: float | None = None,
    ) -> T:
        def log_retry(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, _DeniedBySome):
                return
            _log.warning(
                "blob_store_retry",
                operation=operation,
                key=key,
                attempt=state.attempt_number,
                error=str(error),
            )

        def pause_s(state: tenacity.RetryCallState) -> float:
            return 0.0 if state.attempt_number < len(self._turns) else _backoff(state)

        failed = False
        denying: set[_Server] = set()

        async def attempt() -> T:
            nonlocal failed
            server = self._next(denying)
            try:
                return await self._attempt(server, request, key)
            except PassingFault:
                failed = True
                raise
            except BlobNotFound as error:
                if self._is_replica:
                    raise
                if failed or any(each.absence.noted for each in self._turns):
                    failed = False
                    denying.clear()
                    raise PassingFault(
                        f"{key!r} is not found in {self._shown}, but not all of its servers answered: once "
                        "they are back it is certain whether it is gone"
                    ) from error
                denying.add(server)
                if len(denying) < len(self._turns):
                    raise _DeniedBySome(f"{key!r} is not found by one server of {self._shown}") from error
                raise

        retry_for_s = self._retry_for_s if retry_for_s is None else retry_for_s
        # One that hangs takes longer than all tries should, and the next connection may be a good one.
        fewest = max(len(self._turns), 2 if retry_for_s else 1)
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(PassingFault),
            stop=tenacity.stop_all(
                tenacity.stop_after_attempt(fewest), tenacity.stop_before_delay(retry_for_s)
            ),
            wait=pause_s,
            before_sleep=log_retry,
            reraise=True,
        )
        return await retrying(attempt)

    async def _attempt(self, server: _Server, request: Callable[[S3Bucket], T], key: str) -> T:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._executor, server.bucket.ask, request, key)
        except QuorumLost:
            raise
        except PassingFault:
            server.absence.begin()
            raise
        except (StorageError, RangeBeyondEnd):
            # An answer, though not what was hoped for.
            server.absence.end()
            raise
        server.absence.end()
        return found

    def _next(self, denying: Collection[_Server]) -> _Server:
        """Whose turn it is of those neither left out nor ``denying``; of all, where there is none."""
        to_ask = (each for each in self._turns if not each.absence.lasts() and each not in denying)
        server = next(to_ask, self._turns[0])
        self._turns.remove(server)
        self._turns.append(server)
        return server

    async def _get_nothing(self, key: str, offset: int) -> bytes:
        """An empty range: no request can ask for it, but it must exist all the same."""
        found = await self.stat(key)
        if offset > found.size_bytes:
            raise CorruptBlob(key, f"it has {found.size_bytes} bytes, some from {offset} on were asked for")
        return b""


class _DeniedBySome(PassingFault):
    """Not found, by servers that may not see the drives of the others: these are asked, too."""


class _Server:
    """One server of the store, and whether it is left out for now."""

    def __init__(self, bucket: S3Bucket) -> None:
        self.bucket = bucket
        self.absence = Absence()

"""What is made of a store's answers: each is told by a stub, since MinIO does not give it on demand."""

from __future__ import annotations

import socket
import time

import pytest

from longshore_storage.blobs import s3_bucket
from longshore_storage.errors import (
    BlobNotFound,
    BlobStoreFull,
    BlobStoreUnavailable,
    CorruptBlob,
    Misconfigured,
    StorageError,
)
from tests.storage.blobs.s3_stores import BODY, CRC, OK, USES, s3, told
from tests.storage.blobs.stub_store import Answer, s3_error


@pytest.mark.parametrize(
    "fault",
    [
        s3_error(500, "InternalError"),
        s3_error(503, "SlowDown"),
        s3_error(503, "XMinioServerNotInitialized"),
        s3_error(429, "TooManyRequests"),
        s3_error(400, "RequestTimeout"),
        s3_error(400, "IncompleteBody"),
        Answer(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}),
        Answer(504),
        Answer(0, drop=True),
    ],
    ids=lambda fault: f"{fault.status} {fault.body[:40]!r}",
)
async def test_passing_faults_are_tried_again_with_the_whole_body(fault: Answer) -> None:
    async with told(fault, fault, OK) as (stub, store):
        await store.put("packs/one", [BODY, BODY], crc32c=CRC)
        assert stub.requests == ["PUT /bucket/packs/one"] * 3
        assert stub.bodies[2] == BODY * 2
    async with told(fault, Answer(200, b"body")) as (stub, store):
        assert await store.get("packs/one") == b"body"
        assert len(stub.requests) == 2
    async with told(fault, Answer(204)) as (stub, store):
        await store.delete("packs/one")
        assert len(stub.requests) == 2
    async with told(fault, retry_for_s=0) as (stub, store):
        with pytest.raises(BlobStoreUnavailable):
            await store.stat("packs/one")
        assert len(stub.requests) == 1


async def test_trying_again_ends() -> None:
    async with told(s3_error(503, "SlowDown"), retry_for_s=0.5) as (stub, store):
        start = time.monotonic()
        with pytest.raises(BlobStoreUnavailable, match="SlowDown"):
            await store.get("packs/one")
        assert time.monotonic() - start < 2
        assert len(stub.requests) >= 2


async def test_check_tries_once() -> None:
    async with told(s3_error(503, "SlowDown")) as (stub, store):
        with pytest.raises(BlobStoreUnavailable):
            await store.check()
        assert len(stub.requests) == 1


@pytest.mark.parametrize(
    ("answer", "expected", "message"),
    [
        (s3_error(507, "XMinioStorageFull"), BlobStoreFull, "is full"),
        (s3_error(400, "XMinioAdminBucketQuotaExceeded"), BlobStoreFull, "is full"),
        (s3_error(403, "QuotaExceeded"), BlobStoreFull, "raise its quota"),
        (Answer(507), BlobStoreFull, "is full"),
        (s3_error(403, "AccessDenied"), Misconfigured, "let the key list, read, write and delete"),
        (s3_error(403, "RequestTimeTooSkewed"), Misconfigured, "clock is wrong"),
        (s3_error(400, "ExpiredToken"), Misconfigured, "replace them"),
        (s3_error(501, "NotImplemented"), Misconfigured, "lacks an operation"),
        (Answer(403), Misconfigured, "HTTP 403|AccessDenied"),
        (Answer(404, b"<html>", {"Content-Type": "text/html"}), Misconfigured, "HTTP 404, which no S3"),
        (s3_error(412, "PreconditionFailed"), BlobStoreUnavailable, "PreconditionFailed: told so"),
    ],
    ids=lambda value: str(value.status) + value.body.decode()[13:35] if isinstance(value, Answer) else "",
)
async def test_other_refusals_are_told_at_once(
    answer: Answer, expected: type[StorageError], message: str
) -> None:
    async with told(answer) as (stub, store):
        with pytest.raises(expected, match=message):
            await store.put("packs/one", [BODY], crc32c=CRC)
        assert len(stub.requests) == 1


async def test_what_is_not_an_s3_store_is_told() -> None:
    async with told(Answer(200, b"<html>hello</html>", {"Content-Type": "text/html"})) as (_, store):
        for use in (USES["check"], USES["put"]):
            with pytest.raises(Misconfigured, match="is not that of an S3 store"):
                await use(store)


async def test_a_body_that_ends_early_is_read_again() -> None:
    short = Answer(200, b"hal", {"Content-Length": "4"})
    async with told(short, Answer(200, b"half")) as (stub, store):
        assert await store.get("packs/one") == b"half"
        assert len(stub.requests) == 2


async def test_a_range_that_comes_shorter_or_whole_is_never_taken_for_the_range() -> None:
    async with told(Answer(206, b"123")) as (_, store):
        with pytest.raises(CorruptBlob, match="ends at 8, 5 to 9 were asked for"):
            await store.get("packs/one", 5, 4)
    async with told(Answer(200, b"0123456789")) as (_, store):
        with pytest.raises(BlobStoreUnavailable, match="HTTP 200 to a read"):
            await store.get("packs/one", 5, 4)


async def test_no_more_is_taken_than_was_asked_for() -> None:
    """However much a store has to send: what comes behind the range is not waited for."""
    endless = Answer(206, b"12345", {"Content-Length": str(1 << 40)})
    async with told(endless) as (stub, store):
        with pytest.raises(CorruptBlob, match="from 5 on more than 4 bytes come"):
            await store.get("packs/one", 5, 4)
        assert len(stub.requests) == 1


async def test_what_is_read_whole_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_bucket, "_WHOLE_MAX_BYTES", 1000)
    async with told(Answer(200, bytes(1000)), Answer(200, bytes(1001)), OK) as (_, store):
        assert await store.get("audit/one") == bytes(1000)
        with pytest.raises(CorruptBlob, match="more than 1000 bytes"):
            await store.get("audit/one")
        # The connection with what is left of it is not used again.
        await store.put("packs/one", [BODY], crc32c=CRC)


async def test_an_object_is_only_missing_when_its_bucket_is_there() -> None:
    async with told(Answer(404), s3_error(404, "NoSuchBucket")) as (_, store):
        with pytest.raises(Misconfigured, match="NoSuchBucket"):
            await store.stat("packs/one")
    async with told(s3_error(404, "NoSuchKey")) as (_, store):
        with pytest.raises(BlobNotFound):
            await store.get("packs/one")


async def test_a_refused_checksum_is_told_as_a_corrupt_body_only_where_it_is_one() -> None:
    refused = s3_error(400, "XAmzContentChecksumMismatch")
    async with told(refused) as (stub, store):
        with pytest.raises(CorruptBlob, match="CRC32C"):
            await store.put("packs/one", [BODY], crc32c=CRC + 1)
        assert len(stub.requests) == 1
    # What was sent is right, so it was changed on its way.
    async with told(refused, OK) as (stub, store):
        await store.put("packs/one", [BODY], crc32c=CRC)
        assert len(stub.requests) == 2
    async with told(refused, retry_for_s=0) as (stub, store):
        with pytest.raises(BlobStoreUnavailable, match="is not what was sent"):
            await store.put("packs/one", [BODY], crc32c=CRC)


async def test_a_request_that_outlasts_all_retrying_is_tried_once_more() -> None:
    """A connection that died in silence: the next one may be a good one."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        async with s3(f"{host}:{port}", read_timeout_s=0.3, retry_for_s=0.1) as store:
            with pytest.raises(BlobStoreUnavailable, match="ReadTimeoutError"):
                await store.get("packs/one")
        silent.setblocking(False)
        for _ in range(2):
            silent.accept()[0].close()

"""Ways to an ``S3BlobStore`` for tests, and one use of each of its methods."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import google_crc32c

from longshore_storage.blobs import S3BlobStore
from longshore_storage.ports import BlobStore
from tests.services.minio_service import MinioService
from tests.services.toxiproxy import Proxy
from tests.storage.blobs.stub_store import Answer, StubStore, stub_store

BODY = random.Random(3).randbytes(1 << 20)
CRC = google_crc32c.value(BODY)
OK = Answer(200, headers={"ETag": "x"})

Use = Callable[[BlobStore], Awaitable[object]]
USES: dict[str, Use] = {
    "put": lambda store: store.put("packs/one", [BODY] * 16, crc32c=google_crc32c.value(BODY * 16)),
    "get": lambda store: store.get("packs/one"),
    "get a range": lambda store: store.get("packs/one", 1, 2),
    "stat": lambda store: store.stat("packs/one"),
    "delete": lambda store: store.delete("packs/one"),
    "list": lambda store: anext(store.list("packs/"), None),
    "check": lambda store: store.check(),
}


@asynccontextmanager
async def s3(
    endpoint: str,
    bucket: str = "bucket",
    *,
    access_key: str = "AK",
    secret_key: str = "hunter2hunter2",
    read_timeout_s: float = 5,
    retry_for_s: float = 5,
) -> AsyncIterator[S3BlobStore]:
    store = S3BlobStore(
        [endpoint],
        bucket,
        access_key=access_key,
        secret_key=secret_key,
        secure=False,
        connect_timeout_s=2,
        read_timeout_s=read_timeout_s,
        retry_for_s=retry_for_s,
    )
    try:
        yield store
    finally:
        await store.close()


def through(
    proxy: Proxy, service: MinioService, bucket: str, *, read_timeout_s: float, retry_for_s: float
) -> AbstractAsyncContextManager[S3BlobStore]:
    return s3(
        proxy.address,
        bucket,
        access_key=service.access_key,
        secret_key=service.secret_key,
        read_timeout_s=read_timeout_s,
        retry_for_s=retry_for_s,
    )


@asynccontextmanager
async def told(*answers: Answer, retry_for_s: float = 5) -> AsyncIterator[tuple[StubStore, S3BlobStore]]:
    with stub_store(*answers) as stub:
        async with s3(stub.endpoint, retry_for_s=retry_for_s) as store:
            yield stub, store

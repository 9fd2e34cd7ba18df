"""What only a store at the other end of a network does: against MinIO, whole and broken."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import ssl
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import urllib3
from minio import Minio

from longshore_storage.blobs import open_blob_store
from longshore_storage.errors import BlobStoreUnavailable, Misconfigured
from tests.services.certificates import LOCAL_NAMES, Authority
from tests.services.child import Command
from tests.services.minio_service import MinioService
from tests.services.toxiproxy import ToxiproxyService
from tests.storage.blobs.s3_stores import BODY, CRC, USES, s3, through
from tests.storage.blobs.stub_store import Answer, stub_store


@pytest.mark.parametrize("use", USES)
async def test_a_wrong_bucket_is_told(minio_service: MinioService, use: str) -> None:
    async with open_blob_store(minio_service.url("no-such-bucket")) as store:
        with pytest.raises(Misconfigured, match=r"'no-such-bucket'.*NoSuchBucket: make the bucket"):
            await USES[use](store)


@pytest.mark.parametrize("use", USES)
async def test_a_wrong_secret_is_told_but_not_shown(
    minio_service: MinioService, bucket: str, use: str
) -> None:
    async with open_blob_store(minio_service.url(bucket), secret_key="hunter2hunter2") as store:
        with pytest.raises(Misconfigured, match=r"answered (SignatureDoesNotMatch|AccessDenied): ") as caught:
            await USES[use](store)
    shown = "".join(traceback.format_exception(caught.value)) + repr(store)
    assert "hunter2" not in shown
    assert minio_service.secret_key not in shown


async def test_a_wrong_access_key_is_told(minio_service: MinioService, bucket: str) -> None:
    async with open_blob_store(minio_service.url(bucket), access_key="nobody") as store:
        for use in (USES["check"], USES["put"]):
            with pytest.raises(Misconfigured, match="InvalidAccessKeyId: the access key is unknown"):
                await use(store)


class MinioElsewhere(MinioService):
    """MinIO that insists on a region of its own."""

    def command(self) -> Command:
        command = super().command()
        return dataclasses.replace(command, env={**command.env, "MINIO_REGION": "eu-central-1"})

    def client(self) -> Minio:
        # As the others' client: one that tries again waits for minutes where the server does not answer yet.
        pool = urllib3.PoolManager(timeout=urllib3.Timeout(5), retries=False)
        keys = (self.access_key, self.secret_key)
        return Minio(self.endpoint, *keys, secure=False, region="eu-central-1", http_client=pool)


@pytest.fixture(scope="module")
def minio_elsewhere(
    minio_service: MinioService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MinioElsewhere]:
    program = Path(minio_service.command().argv[0])
    with MinioElsewhere(program, tmp_path_factory.mktemp("elsewhere")) as service:
        yield service


@pytest.mark.parametrize("first", USES)
async def test_the_buckets_region_is_found_out(minio_elsewhere: MinioElsewhere, first: str) -> None:
    with minio_elsewhere.fresh_bucket() as bucket:
        async with open_blob_store(minio_elsewhere.url(bucket) + "?region=eu-central-1") as store:
            await USES["put"](store)
        async with open_blob_store(minio_elsewhere.url(bucket)) as store:
            await USES[first](store)
            await USES["put"](store)
            assert await store.get("packs/one", 1, 2) == BODY[1:3]


async def test_a_wrong_region_in_the_url_is_told(minio_elsewhere: MinioElsewhere) -> None:
    with minio_elsewhere.fresh_bucket() as bucket:
        async with open_blob_store(minio_elsewhere.url(bucket) + "?region=us-west-1") as store:
            for use in USES.values():
                with pytest.raises(Misconfigured, match=r"add \?region=eu-central-1 to blobs\.url"):
                    await use(store)


@pytest.mark.parametrize("use", USES)
async def test_an_endpoint_where_nothing_listens_is_unavailable_in_bounded_time(use: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with s3(f"127.0.0.1:{bound.getsockname()[1]}", retry_for_s=0.3) as store:
            start = time.monotonic()
            with pytest.raises(BlobStoreUnavailable, match="cannot be reached"):
                await USES[use](store)
            assert time.monotonic() - start < 2


async def test_a_silent_store_is_unavailable_in_bounded_time(
    minio_service: MinioService, bucket: str, toxiproxy_service: ToxiproxyService
) -> None:
    with toxiproxy_service.proxy(minio_service.endpoint) as proxy:
        async with through(proxy, minio_service, bucket, read_timeout_s=0.3, retry_for_s=0.4) as store:
            await store.put("packs/one", [BODY], crc32c=CRC)
            proxy.silence()
            for use in ("get", "stat", "check", "list"):
                start = time.monotonic()
                with pytest.raises(BlobStoreUnavailable, match="ReadTimeoutError"):
                    await USES[use](store)
                assert time.monotonic() - start < 3
            proxy.mend()
            assert await store.get("packs/one") == BODY


@pytest.mark.parametrize("use", ["put", "get"])
async def test_a_request_that_breaks_in_the_middle_is_tried_again_until_it_succeeds(
    minio_service: MinioService, bucket: str, toxiproxy_service: ToxiproxyService, use: str
) -> None:
    with toxiproxy_service.proxy(minio_service.endpoint) as proxy:
        async with through(proxy, minio_service, bucket, read_timeout_s=5, retry_for_s=20) as store:
            if use == "get":
                await USES["put"](store)
            proxy.break_after(size_bytes=500_000, stream="upstream" if use == "put" else "downstream")
            with structlog.testing.capture_logs() as logs:
                task = asyncio.ensure_future(USES[use](store))
                while not any(line["event"] == "blob_store_retry" for line in logs):
                    assert not task.done()
                    await asyncio.sleep(0.01)
                proxy.mend()
                await task
            assert await store.get("packs/one") == BODY * 16


async def test_a_lost_store_is_found_again(minio_service: MinioService, bucket: str) -> None:
    async with open_blob_store(minio_service.url(bucket), retry_for_s=0) as store:
        await store.put("packs/one", [BODY], crc32c=CRC)
        minio_service.kill()
        with pytest.raises(BlobStoreUnavailable):
            await store.get("packs/one")
        with pytest.raises(BlobStoreUnavailable):
            await store.check()
        minio_service.ensure_running()
        assert await store.get("packs/one") == BODY


async def test_plain_http_and_tls_are_told_apart(minio_service: MinioService, bucket: str) -> None:
    url = minio_service.url(bucket).replace("s3+http:", "s3+https:")
    async with open_blob_store(url) as store:
        with pytest.raises(Misconfigured, match=r"no TLS.*s3\+http"):
            await store.check()


async def test_a_certificate_of_an_unknown_authority_is_told_and_of_a_known_one_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("store", hosts=LOCAL_NAMES)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert_file, pair.key_file)
    with stub_store(Answer(200, b"body"), tls=context) as stub:
        url = f"s3+https://AK:SK@{stub.endpoint}/bucket"
        async with open_blob_store(url, retry_for_s=0) as store:
            with pytest.raises(Misconfigured, match=r"certificate is not trusted.*SSL_CERT_FILE"):
                await store.get("packs/one")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
        async with open_blob_store(url) as store:
            assert await store.get("packs/one") == b"body"


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_no_more_requests_are_under_way_than_there_are_threads(
    minio_service: MinioService, bucket: str
) -> None:
    before = open_descriptors()
    async with open_blob_store(minio_service.url(bucket)) as store:
        await asyncio.gather(*(store.put(f"packs/{n}", [BODY], crc32c=CRC) for n in range(40)))
        assert open_descriptors() - before <= 12
    assert open_descriptors() - before <= 1

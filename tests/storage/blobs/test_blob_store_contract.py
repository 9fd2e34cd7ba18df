"""What every ``BlobStore`` promises, on each of them."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import google_crc32c
import pytest

from longshore_storage.blobs import open_blob_store
from longshore_storage.errors import BlobNotFound, CorruptBlob
from longshore_storage.ports import BlobStore
from tests.services.minio_cluster import MinioCluster
from tests.services.minio_service import MinioService

NOISE = random.Random(7).randbytes(1 << 20)


@pytest.fixture(params=["files", "s3", "s3-prefix", "s3-replicas", "s3-cluster"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where it is, without a prefix."""
    if kind == "files":
        yield f"file://{tmp_path}/blobs"
    elif kind == "s3-cluster":
        cluster: MinioCluster = request.getfixturevalue("minio_cluster")
        with cluster.fresh_bucket() as bucket:
            yield cluster.url(bucket)
    else:
        yield request.getfixturevalue("s3_url")


@pytest.fixture
def opening(
    kind: str, url: str, request: pytest.FixtureRequest
) -> Iterator[Callable[[], AbstractAsyncContextManager[BlobStore]]]:
    """Opens it, once more each time."""
    if kind == "s3-replicas":
        # Of three replicas, the nearest is away, the next has nothing, and the last one everything.
        minio: MinioService = request.getfixturevalue("minio_service")
        with minio.fresh_bucket() as empty:
            away = "s3+http://127.0.0.1:1/bucket"
            yield lambda: open_blob_store(url, read_urls=[away, minio.url(empty), url])
    else:
        yield lambda: open_blob_store(url + ("/deep/prefix" if kind == "s3-prefix" else ""))


@pytest.fixture
async def store(
    opening: Callable[[], AbstractAsyncContextManager[BlobStore]],
) -> AsyncIterator[BlobStore]:
    async with opening() as opened:
        yield opened


async def put(store: BlobStore, key: str, *parts: bytes | memoryview) -> None:
    await store.put(key, parts, crc32c=google_crc32c.value(b"".join(parts)))


async def keys(store: BlobStore, prefix: str) -> list[str]:
    return [blob.key async for blob in store.list(prefix)]


async def test_what_was_put_is_read_back_whole_and_in_ranges(store: BlobStore) -> None:
    await put(store, "packs/aa/one", b"0123", memoryview(b"456789"))
    assert await store.get("packs/aa/one") == b"0123456789"
    assert await store.get("packs/aa/one", 3) == b"3456789"
    assert await store.get("packs/aa/one", 3, 4) == b"3456"
    assert await store.get("packs/aa/one", 0, 10) == b"0123456789"
    assert await store.get("packs/aa/one", 9, 1) == b"9"
    assert await store.get("packs/aa/one", 10) == b""
    assert await store.get("packs/aa/one", 4, 0) == b""
    assert await store.get("packs/aa/one", 10, 0) == b""


@pytest.mark.parametrize(("offset", "length"), [(0, 11), (9, 2), (10, 1), (11, None), (11, 0), (2**40, 5)])
async def test_a_range_beyond_the_end_is_a_corrupt_object(
    store: BlobStore, offset: int, length: int | None
) -> None:
    await put(store, "packs/short", b"0123456789")
    with pytest.raises(CorruptBlob, match="packs/short"):
        await store.get("packs/short", offset, length)


@pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1)])
async def test_a_negative_range_is_a_mistake(store: BlobStore, offset: int, length: int | None) -> None:
    with pytest.raises(ValueError, match="negative"):
        await store.get("packs/x", offset, length)


async def test_an_empty_object_is_an_object(store: BlobStore) -> None:
    await put(store, "manifests/empty")
    assert await store.get("manifests/empty") == b""
    assert await store.get("manifests/empty", 0, 0) == b""
    assert (await store.stat("manifests/empty")).size_bytes == 0
    assert await keys(store, "") == ["manifests/empty"]
    with pytest.raises(CorruptBlob):
        await store.get("manifests/empty", 0, 1)


async def test_what_is_not_there_is_not_found(store: BlobStore) -> None:
    await put(store, "packs/aa/one", b"x")
    for missing in ("packs/none", "none", "packs/aa", "packs/aa/one/more"):
        for read in (
            store.get(missing),
            store.get(missing, 1, 2),
            store.get(missing, 0, 0),
            store.stat(missing),
        ):
            with pytest.raises(BlobNotFound, match=missing) as caught:
                await read
            assert caught.value.key == missing


async def test_stat_tells_size_and_time(store: BlobStore) -> None:
    await put(store, "packs/one", b"abc", b"de")
    blob = await store.stat("packs/one")
    assert (blob.key, blob.size_bytes) == ("packs/one", 5)
    assert abs(blob.modified_time - datetime.now(UTC)) < timedelta(minutes=1)
    [listed] = [found async for found in store.list("packs/")]
    assert (listed.key, listed.size_bytes) == ("packs/one", 5)
    assert abs(listed.modified_time - blob.modified_time) < timedelta(seconds=2)


async def test_deleting_is_idempotent(store: BlobStore) -> None:
    await put(store, "packs/one", b"x")
    await store.delete("packs/one")
    await store.delete("packs/one")
    await store.delete("never/there")
    with pytest.raises(BlobNotFound):
        await store.get("packs/one")
    assert await keys(store, "") == []
    await put(store, "packs/two", b"y")
    assert await store.get("packs/two") == b"y"


async def test_putting_the_same_body_again_is_harmless(store: BlobStore) -> None:
    await put(store, "packs/one", b"same")
    await put(store, "packs/one", b"sa", b"me")
    assert await store.get("packs/one") == b"same"
    assert await keys(store, "") == ["packs/one"]


async def test_a_body_that_does_not_have_its_crc32c_is_refused_and_leaves_nothing(store: BlobStore) -> None:
    wrong = google_crc32c.value(b"another body")
    with pytest.raises(CorruptBlob, match=r"packs/wrong.*CRC32C"):
        await store.put("packs/wrong", [NOISE], crc32c=wrong)
    with pytest.raises(BlobNotFound):
        await store.stat("packs/wrong")
    assert await keys(store, "") == []


async def test_a_body_of_16_mib_in_many_parts_and_in_one(store: BlobStore) -> None:
    body = NOISE * 16
    parts = [memoryview(body)[at : at + 77_777] for at in range(0, len(body), 77_777)]
    await put(store, "packs/many", *parts)
    await put(store, "packs/one", body)
    assert await store.get("packs/many") == body
    assert await store.get("packs/one") == body
    assert await store.get("packs/many", 5_000_001, 3) == body[5_000_001:5_000_004]


async def test_many_at_once_do_not_disturb_each_other(store: BlobStore) -> None:
    bodies = {f"packs/{n % 4}/{n:03}": NOISE[n * 1000 : n * 1000 + 50_000 + n] for n in range(60)}
    await asyncio.gather(*(put(store, key, body) for key, body in bodies.items()))
    read = await asyncio.gather(*(store.get(key) for key in bodies))
    assert dict(zip(bodies, read, strict=True)) == bodies
    assert await keys(store, "packs/2/") == [key for key in sorted(bodies) if key.startswith("packs/2/")]


async def test_the_same_key_put_many_times_at_once_is_one_whole_object(store: BlobStore) -> None:
    await asyncio.gather(*(put(store, "packs/one", NOISE) for _ in range(8)))
    assert await store.get("packs/one") == NOISE


async def test_listing_is_in_key_order_whatever_folders_there_are(store: BlobStore) -> None:
    names = ["a-b", "a.b", "a/b", "a/b-c", "a0", "ab", "b/a/c", "b/a.c", "b/a-c", "a_b", "b/a0"]
    for name in names:
        await put(store, name, b"x")
    assert await keys(store, "") == sorted(names)
    for prefix in ("a", "a/", "a/b", "b/a", "b/a/", "b/a-", "c", "a/b/c"):
        assert await keys(store, prefix) == sorted(n for n in names if n.startswith(prefix)), prefix


# The others list as these do, and 1,503 objects are much to put.
@pytest.mark.parametrize("kind", ["files", "s3", "s3-prefix"], indirect=True)
async def test_listing_goes_over_pages(store: BlobStore) -> None:
    names = [f"packs/{n % 7}/{n:05}" for n in range(1503)]
    gate = asyncio.Semaphore(32)

    async def one(name: str) -> None:
        async with gate:
            await put(store, name, b"x")

    await asyncio.gather(*map(one, names))
    assert await keys(store, "packs/") == sorted(names)
    assert await keys(store, "packs/3/") == sorted(name for name in names if name.startswith("packs/3/"))


async def test_a_listing_may_be_left_early(store: BlobStore) -> None:
    for n in range(3):
        await put(store, f"packs/{n}", b"x")
    async for blob in store.list(""):
        assert blob.key == "packs/0"
        break
    assert await store.get("packs/2") == b"x"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/abs",
        "a/",
        "a//b",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        ".tmp/x",
        "a/.b",
        "A",
        "a b",
        "ä",
        "a\0b",
        "a\\b",
        "a\n",
        "a" * 256,
    ],
)
async def test_what_is_no_key_is_refused(store: BlobStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await put(store, key, b"x")
    for use in (store.get(key), store.stat(key), store.delete(key)):
        with pytest.raises(ValueError, match="not a key"):
            await use


@pytest.mark.parametrize("prefix", ["/", "../", "a/../", ".", "a//", "A", "a*"])
async def test_what_begins_no_key_is_refused(store: BlobStore, prefix: str) -> None:
    with pytest.raises(ValueError, match="not the begin of a key"):
        await keys(store, prefix)


async def test_check_of_a_usable_store_returns_and_leaves_nothing(store: BlobStore) -> None:
    await store.check()
    assert await keys(store, "") == []


async def test_what_was_put_is_there_for_another_client(
    store: BlobStore, opening: Callable[[], AbstractAsyncContextManager[BlobStore]], kind: str, url: str
) -> None:
    await put(store, "packs/one", b"shared")
    async with opening() as other:
        assert await other.get("packs/one") == b"shared"
    async with open_blob_store(url) as other:
        expected = "deep/prefix/packs/one" if kind == "s3-prefix" else "packs/one"
        assert await keys(other, "") == [expected]


async def test_a_cancelled_caller_leaves_the_store_usable(store: BlobStore) -> None:
    body = os.urandom(1 << 20)
    task = asyncio.ensure_future(put(store, "packs/cancelled", *[body] * 8))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await put(store, "packs/next", b"x")
    assert await store.get("packs/next") == b"x"


async def test_closing_twice_is_harmless(store: BlobStore) -> None:
    await put(store, "packs/one", b"x")
    await store.close()
    await store.close()

"""Reading from replicas, nearest first: whatever they do, what is read is what the store has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from longshore_storage.blobs import absence, open_blob_store
from longshore_storage.errors import BlobNotFound, BlobStoreUnavailable, CorruptBlob
from longshore_storage.ports import BlobStore
from tests.storage.blobs.s3_stores import USES
from tests.storage.blobs.stub_store import Answer, StubStore, s3_error, stub_store

NEAR, FAR, MAIN = (Answer(200, name.encode()) for name in ("near", "far", "main"))
AWAY = Answer(0, drop=True)
MISSING = s3_error(404, "NoSuchKey")


@asynccontextmanager
async def replicated(main: StubStore, *replicas: StubStore) -> AsyncIterator[BlobStore]:
    url, *read_urls = [f"s3+http://AK:SK@{stub.endpoint}/bucket" for stub in (main, *replicas)]
    async with open_blob_store(url, read_urls=read_urls, retry_for_s=0) as store:
        yield store


def counts(*stubs: StubStore) -> list[int]:
    return [len(stub.requests) for stub in stubs]


async def test_the_nearest_is_read_and_the_others_are_left_in_peace() -> None:
    with stub_store(MAIN) as main, stub_store(NEAR) as near, stub_store(FAR) as far:
        async with replicated(main, near, far) as store:
            assert [await store.get("packs/one") for _ in range(3)] == [b"near"] * 3
            assert counts(near, far, main) == [3, 0, 0]


@pytest.mark.parametrize("use", [use for use in USES if not use.startswith("get")])
async def test_all_but_reading_is_for_the_store_alone(use: str) -> None:
    refused = s3_error(403, "AccessDenied")
    with stub_store(refused) as main, stub_store(NEAR) as near:
        async with replicated(main, near) as store:
            with pytest.raises(Exception, match=main.endpoint):
                await USES[use](store)
            assert counts(near) == [0]


async def test_what_is_read_first_hand_is_the_stores() -> None:
    with stub_store(MAIN) as main, stub_store(NEAR) as near:
        async with replicated(main, near) as store:
            assert await store.get("packs/one", first_hand=True) == b"main"
            assert counts(near) == [0]


@pytest.mark.parametrize(
    "fault",
    [
        AWAY,
        Answer(502),
        s3_error(503, "SlowDown"),
        s3_error(403, "AccessDenied"),
        s3_error(404, "NoSuchBucket"),
    ],
    ids=lambda fault: f"{fault.status} {fault.body[13:30]!r}",
)
async def test_one_that_fails_is_left_out_until_it_is_back(
    fault: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stub_store(MAIN) as main, stub_store(fault, NEAR) as near, stub_store(FAR) as far:
        async with replicated(main, near, far) as store:
            assert [await store.get("packs/one") for _ in range(3)] == [b"far"] * 3
            assert counts(near, main) == [1, 0]
            monkeypatch.setattr(absence, "_AWAY_S", 0)
        async with replicated(main, near, far) as store:
            near._answers[:0] = [fault]
            assert [await store.get("packs/one") for _ in range(3)] == [b"far", b"near", b"near"]


async def test_one_that_lags_behind_proves_nothing() -> None:
    with stub_store(MAIN) as main, stub_store(MISSING, NEAR) as near:
        async with replicated(main, near) as store:
            assert [await store.get("packs/one") for _ in range(2)] == [b"main", b"near"]
    with stub_store(MISSING) as main, stub_store(MISSING) as near:
        async with replicated(main, near) as store:
            with pytest.raises(BlobNotFound):
                await store.get("packs/one")
            assert counts(near, main) == [1, 1]


async def test_one_that_has_less_of_an_object_proves_nothing() -> None:
    with stub_store(Answer(206, b"main")) as main, stub_store(Answer(206, b"ne")) as near:
        async with replicated(main, near) as store:
            assert await store.get("packs/one", 1, 4) == b"main"
            with pytest.raises(CorruptBlob):
                await store.get("packs/one", 1, 5)


async def test_a_store_that_is_away_is_not_missed_while_a_replica_has_the_object() -> None:
    with stub_store(AWAY) as main, stub_store(NEAR, MISSING) as near:
        async with replicated(main, near) as store:
            assert await store.get("packs/one") == b"near"
            with pytest.raises(BlobStoreUnavailable):
                await store.get("packs/two")

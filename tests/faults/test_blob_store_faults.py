"""A single call on a blob store that does wrong: the right end of it, tried again where that helps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import google_crc32c
import pytest

from longshore_storage.errors import StorageError
from longshore_storage.ports import BlobStore
from tests.services.minio_service import MinioService
from tests.services.store_proxy import StoreProxy, store_proxy
from tests.storage.blobs.s3_stores import s3

from .store_fault_table import CASES, Case, Good, Outcome

BODY = random.Random(5).randbytes(400_000)
CRC = google_crc32c.value(BODY)
PATIENT_S, IMPATIENT_S = 20, 0.3

CALLS: dict[str, Callable[[BlobStore, str], Awaitable[object]]] = {
    "put": lambda store, key: store.put(key, [BODY], crc32c=CRC),
    "get": lambda store, key: store.get(key, 1000, 300_000),
    "stat": lambda store, key: store.stat(key),
    "list": lambda store, key: anext(store.list(key), None),
    "delete": lambda store, key: store.delete(key),
}


def opened(
    proxy: StoreProxy, service: MinioService, bucket: str, retry_for_s: float
) -> AbstractAsyncContextManager[BlobStore]:
    return s3(
        proxy.address,
        bucket,
        access_key=service.access_key,
        secret_key=service.secret_key,
        read_timeout_s=1,
        retry_for_s=retry_for_s,
    )


async def made(store: BlobStore, operation: str, key: str) -> Good | type[StorageError]:
    """How one call ends, told from its result alone."""
    try:
        result = await CALLS[operation](store, key)
    except StorageError as error:
        return type(error)
    return Good.DECEIVED if operation == "get" and result != BODY[1000:301_000] else Good.AT_ONCE


def expected(outcome: Outcome, operation: str) -> Good | type[StorageError]:
    """As ``made`` can see it: not how often it was tried, nor what the store has."""
    if outcome is Good.AGAIN or (outcome is Good.DECEIVED and operation != "get"):
        return Good.AT_ONCE
    return outcome


def is_of(found: Good | type[StorageError], outcome: Good | type[StorageError]) -> bool:
    if isinstance(found, Good) or isinstance(outcome, Good):
        return found is outcome
    return issubclass(found, outcome)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_one_call(minio_service: MinioService, bucket: str, case: Case) -> None:
    async with (
        store_proxy(minio_service.endpoint) as proxy,
        opened(proxy, minio_service, bucket, PATIENT_S) as patient,
        opened(proxy, minio_service, bucket, IMPATIENT_S) as impatient,
    ):

        async def check(operation: str) -> None:
            key = f"packs/{operation}"
            # A listing names no key in its path.
            told_key = "" if operation == "list" else key
            if operation != "put":
                await patient.put(key, [BODY], crc32c=CRC)
            once = proxy.break_(case.fault, operation, told_key, times=1)
            assert is_of(await made(patient, operation, key), expected(case.once, operation))
            assert once.hits == 1
            again = 2 if case.once is Good.AGAIN else 1
            assert proxy.requests.count((operation, told_key)) >= again
            if operation == "delete":
                await patient.put(key, [BODY], crc32c=CRC)
            always = proxy.break_(case.fault, operation, told_key)
            assert is_of(await made(impatient, operation, key), expected(case.always, operation))
            assert always.hits >= again

        async with asyncio.timeout(30):
            await asyncio.gather(*map(check, case.operations))
        await proxy.mend()
        for operation in case.operations:
            assert await made(patient, operation, f"packs/{operation}") is Good.AT_ONCE
        if "put" in case.operations:
            assert await patient.get("packs/put") == BODY

"""Payloads that share chunks or nothing, and objects that no row names."""

from __future__ import annotations

import uuid

import google_crc32c

from tests.storage.payloads.world import KIB, random_bytes

from .store import Store

DATA = random_bytes(100 * KIB)
OTHER = random_bytes(50 * KIB, seed=2)
# Shares its first chunks with DATA.
NEXT = DATA[: 70 * KIB] + random_bytes(30 * KIB, seed=3)
BODY = b"whatever"


def a_key(folder: str, begin: str = "") -> str:
    name = begin + uuid.uuid4().hex[len(begin) :]
    digest = f"-{uuid.uuid4().hex * 2}" if folder == "manifests" else ""
    return f"{folder}/{name[:2]}/{name}{digest}"


async def put(store: Store, key: str) -> None:
    await store.world.blobs._blobs.put(key, [BODY], crc32c=google_crc32c.value(BODY))

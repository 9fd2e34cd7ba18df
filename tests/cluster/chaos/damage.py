"""Damage: objects of the blob store changed or removed behind everybody's back, and given back.

What is hurt is known before it is: whoever reads it meanwhile may tell of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import google_crc32c
from sqlalchemy import select

from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import open_catalogue, tables
from longshore_storage.errors import StorageError
from longshore_storage.ports import BlobStore
from tests.cluster.history.records import ObjectHurt

from .recording import Recorder
from .world import World

HIDDEN: Final = "hidden"
WHAT: Final = ("packs/", "manifests/")
"""What payloads are made of: the folders of their objects."""
_AT_MOST_S: Final = 10.0
_AGAIN_S: Final = 0.5
# Any place of an object is as likely, though a fault's strength says which object it is, too.
_PRIME: Final = 7919


def _gone(body: bytes, strength: float) -> bytes | None:
    return None


def _flipped(body: bytes, strength: float) -> bytes:
    at = int(strength * _PRIME * len(body)) % len(body)
    return body[:at] + bytes([body[at] ^ 0x55]) + body[at + 1 :]


def _cut_off(body: bytes, strength: float) -> bytes:
    return body[: int(strength * _PRIME * len(body)) % len(body)]


_WAYS: Final[Mapping[str, Callable[[bytes, float], bytes | None]]] = {
    "changed": _flipped,
    "cut off": _cut_off,
    "removed": _gone,
    HIDDEN: _gone,
}
HOW: Final = tuple(_WAYS)
"""What may become of an object; one that is ``HIDDEN`` is found again after a while."""


class Damage:
    """Hurts objects that payloads are made of, past every node; ``originals`` is what they were, by key."""

    def __init__(self, world: World, recorder: Recorder) -> None:
        self._world = world
        self._recorder = recorder
        self.originals: dict[str, bytes] = {}

    async def hurt(self, how: str, what: str, strength: float) -> str:
        """Hurt the object that ``strength`` (0 to 1) chooses; its key, or nothing while a store is away."""
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(_AT_MOST_S), open_blob_store(self._world.blobs_url) as blobs:
                unhurt = await self.needed() - self.originals.keys()
                keys = sorted(key for key in unhurt if key.startswith(what))
                if not keys:
                    return ""
                key = keys[int(strength * len(keys))]
                body = await blobs.get(key)
                self.originals[key] = body
                self._recorder.add(ObjectHurt, key=key, how=how)
                await _put(blobs, key, _WAYS[how](body, strength))
                return key
        return ""

    async def give_back(self, key: str) -> None:
        """Put an object back as it was, as soon as the store takes it, unless nothing names it any more."""
        while True:
            with suppress(StorageError, TimeoutError):
                async with asyncio.timeout(_AT_MOST_S), open_blob_store(self._world.blobs_url) as blobs:
                    if key in await self.needed():
                        await _put(blobs, key, self.originals[key])
                    return
            await asyncio.sleep(_AGAIN_S)

    async def needed(self) -> set[str]:
        """The keys of all objects that payloads are made of."""
        catalogue = open_catalogue(self._world.database_url)
        try:
            async with catalogue.reading() as transaction:
                manifests = await transaction.all(select(tables.payload.c.manifest_key.label("key")))
                packs = await transaction.all(select(tables.payload_pack.c.pack_key.label("key")))
        finally:
            await catalogue.close()
        return {row.key for row in (*manifests, *packs)}


async def _put(blobs: BlobStore, key: str, body: bytes | None) -> None:
    await blobs.delete(key)
    if body:
        await blobs.put(key, [body], crc32c=google_crc32c.value(body))

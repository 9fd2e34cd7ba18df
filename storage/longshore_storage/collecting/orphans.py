"""Orphans: objects in the blob store that no row names, found by listing it.

Hardly any come about: a row precedes every object. They are left by a put that ended after its row had been
collected, and by a database that was restored from a backup. Another catalogue's objects are no orphans:
see ``ownership``. The store is listed in slices of keys; how far
it got is remembered, so that a run goes on where the last one ended, or broke off.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from longshore_storage.catalogue import Catalogue, chores, garbage
from longshore_storage.ports import BlobStat, BlobStore

from .removal import remove_objects

CHORE: Final = "orphans"

# Keys are random hexadecimal digits behind these, so that slices are about equal.
SLICES: Final = tuple(
    f"{folder}/{digit}" for folder in ("manifests", "packs") for digit in "0123456789abcdef"
)
# What else stands there was not made by Longshore.
_OURS: Final = re.compile(r"(?:manifests|packs)/([0-9a-f]{2})/\1[0-9a-f]{30}")
_BATCH: Final = 1000


async def remove_orphans(
    catalogue: Catalogue, blobs: BlobStore, older_than: timedelta, *, slices: int
) -> AsyncGenerator[Sequence[BlobStat], None]:
    """Remove orphans from the next ``slices`` slices of the store, batch by batch."""
    async with catalogue.reading() as transaction:
        place = (await chores.get_chore(transaction, CHORE)).place
    begin = SLICES.index(place) if place in SLICES else 0
    for number in range(begin, begin + slices):
        prefix, following = SLICES[number % len(SLICES)], SLICES[(number + 1) % len(SLICES)]
        async for orphans in find_orphans(catalogue, blobs, prefix, older_than):
            await remove_objects(blobs, [orphan.key for orphan in orphans])
            yield orphans
        async with catalogue.transaction() as transaction:
            await chores.set_place(transaction, CHORE, following)


async def find_orphans(
    catalogue: Catalogue, blobs: BlobStore, prefix: str, older_than: timedelta
) -> AsyncGenerator[Sequence[BlobStat], None]:
    """The orphans of one slice, batch by batch."""
    async with catalogue.reading() as transaction:
        before = await transaction.now() - older_than
    async with aclosing(_batches(blobs, prefix, before)) as batches:
        async for batch in batches:
            async with catalogue.reading() as transaction:
                named = await garbage.named_keys(transaction, [blob.key for blob in batch])
            if orphans := [blob for blob in batch if blob.key not in named]:
                yield orphans


async def _batches(blobs: BlobStore, prefix: str, before: datetime) -> AsyncGenerator[list[BlobStat], None]:
    batch: list[BlobStat] = []
    async for blob in blobs.list(prefix):
        if blob.modified_time <= before and _OURS.fullmatch(blob.key):
            batch.append(blob)
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch

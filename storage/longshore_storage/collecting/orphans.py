"""Orphans: objects in the blob store that no row names, found by listing it.

Hardly any come about: a row precedes every object. They are left by a put that ended after its row had been
collected, and by a database that was restored from a backup, where a rebuild may still name them. So they
are only noted at first, and condemned when they are orphans still after the same time again. Another
catalogue's objects are no orphans: see ``ownership``. The store is listed in slices of keys; how far it got
is remembered, so that a run goes on where the last one ended, or broke off.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from longshore_storage.catalogue import Catalogue, chores, garbage
from longshore_storage.catalogue.garbage import Dropped, StoredObject
from longshore_storage.ports import BlobStore

CHORE: Final = "orphans"

# Keys are random hexadecimal digits behind these, so that slices are about equal.
SLICES: Final = tuple(
    f"{folder}/{digit}" for folder in ("manifests", "packs") for digit in "0123456789abcdef"
)
# What else stands there was not made by Longshore.
_OURS: Final = re.compile(
    r"packs/([0-9a-f]{2})/\1[0-9a-f]{30}|manifests/([0-9a-f]{2})/\2[0-9a-f]{30}-[0-9a-f]{64}"
)
_BATCH: Final = 1000


async def note_orphans(
    catalogue: Catalogue, blobs: BlobStore, older_than: timedelta, *, slices: int
) -> AsyncGenerator[Sequence[StoredObject], None]:
    """Note the orphans of the next ``slices`` slices of the store, batch by batch."""
    async with catalogue.reading() as transaction:
        place = (await chores.get_chore(transaction, CHORE)).place
    begin = SLICES.index(place) if place in SLICES else 0
    for number in range(begin, begin + slices):
        prefix, following = SLICES[number % len(SLICES)], SLICES[(number + 1) % len(SLICES)]
        async with aclosing(new_orphans(catalogue, blobs, prefix, older_than)) as found:
            async for orphans in found:
                async with catalogue.transaction() as transaction:
                    await garbage.note_orphans(transaction, orphans)
                yield orphans
        async with catalogue.transaction() as transaction:
            await chores.set_place(transaction, CHORE, following)


async def new_orphans(
    catalogue: Catalogue, blobs: BlobStore, prefix: str, older_than: timedelta
) -> AsyncGenerator[Sequence[StoredObject], None]:
    """The orphans of one slice that were not noted yet, batch by batch."""
    async with catalogue.reading() as transaction:
        before = await transaction.now() - older_than
    async with aclosing(_batches(blobs, prefix, before)) as batches:
        async for batch in batches:
            async with catalogue.reading() as transaction:
                named = await garbage.named_keys(transaction, [found.key for found in batch])
                unnamed = [found for found in batch if found.key not in named]
                orphans = await garbage.new_orphans(transaction, unnamed)
            if orphans:
                yield orphans


async def condemn_orphans(catalogue: Catalogue, noted_for: timedelta) -> AsyncGenerator[Dropped, None]:
    """Condemn what was noted that long ago and is an orphan still, page by page."""
    after = ""
    while True:
        async with catalogue.reading() as transaction:
            before = await transaction.now() - noted_for
            page = await garbage.old_orphans(transaction, before=before, after=after, limit=_BATCH)
        if page:
            async with catalogue.transaction() as transaction:
                dropped = await garbage.drop_orphans(transaction, [found.key for found in page])
            yield dropped
        if len(page) < _BATCH:
            return
        after = page[-1].key


async def _batches(
    blobs: BlobStore, prefix: str, before: datetime
) -> AsyncGenerator[list[StoredObject], None]:
    batch: list[StoredObject] = []
    async for blob in blobs.list(prefix):
        if blob.modified_time <= before and _OURS.fullmatch(blob.key):
            batch.append(StoredObject(blob.key, blob.size_bytes))
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch

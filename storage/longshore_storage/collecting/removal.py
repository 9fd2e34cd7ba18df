"""Removing condemned objects from the blob store once their grace has passed; then their rows go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from longshore_storage.catalogue import Catalogue, garbage
from longshore_storage.catalogue.garbage import StoredObject
from longshore_storage.payloads.tasks import together
from longshore_storage.ports import BlobStore

_PAGE = 500
_AT_ONCE = 8


async def remove_condemned(
    catalogue: Catalogue, blobs: BlobStore, grace: timedelta
) -> AsyncIterator[Sequence[StoredObject]]:
    """Remove what was condemned longer than ``grace`` ago, page by page.

    A crash between the object's end and its row's only lets the next run remove it once more.
    """
    after = ""
    while True:
        async with catalogue.reading() as transaction:
            before = await transaction.now() - grace
            page = await garbage.condemned_objects(transaction, before=before, after=after, limit=_PAGE)
        if page:
            keys = [condemned.key for condemned in page]
            for at in range(0, len(keys), _AT_ONCE):
                await together(blobs.delete(key) for key in keys[at : at + _AT_ONCE])
            async with catalogue.transaction() as transaction:
                await garbage.forget_condemned(transaction, keys)
            yield page
        if len(page) < _PAGE:
            return
        after = page[-1].key

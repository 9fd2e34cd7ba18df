"""Reading an upload's stored part back: the chunks of its segments, in order, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from longshore_chunks import PlacedChunk, decode_segment
from longshore_storage.catalogue import Catalogue, uploads

from .threads import Workers

_SEGMENTS_AT_ONCE = 4


async def stored_chunks(
    catalogue: Catalogue, workers: Workers, deployment_id: str
) -> AsyncGenerator[list[PlacedChunk], None]:
    """Every chunk of the stored part, in the payload's order."""
    number = 0
    while True:
        async with catalogue.reading() as transaction:
            page = await uploads.segments_from(transaction, deployment_id, number, limit=_SEGMENTS_AT_ONCE)
        for blob in page:
            yield await workers.run(decode_segment, blob)
        if len(page) < _SEGMENTS_AT_ONCE:
            return
        number += len(page)

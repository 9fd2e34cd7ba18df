"""An upload's stored part: its segments read back in order, and cut back where they lie in damage."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from longshore_chunks import PlacedChunk, decode_segment
from longshore_storage.catalogue import Catalogue, damage, uploads
from longshore_storage.catalogue.uploads import Upload

from .errors import UploadTakenOver
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


async def without_damage(catalogue: Catalogue, workers: Workers, upload: Upload) -> Upload:
    """The upload with its stored part cut back to before the first chunk in a damaged pack file.

    Raises ``UploadTakenOver`` when it is held under another epoch by now.
    """
    deployment_id = upload.deployment_id
    async with catalogue.reading() as transaction:
        doubtful = await damage.doubtful_pins(transaction, deployment_id)
    if not doubtful:
        return upload
    number = 0
    async with aclosing(stored_chunks(catalogue, workers, deployment_id)) as segments:
        async for chunks in segments:
            if any(chunk.pack_key in doubtful for chunk in chunks):
                break
            number += 1
    async with catalogue.transaction() as transaction:
        if not await uploads.cut_back(transaction, deployment_id, upload.epoch, number):
            raise UploadTakenOver(deployment_id)
        await damage.unpin(transaction, deployment_id, doubtful)
        remaining = await uploads.get_upload(transaction, deployment_id)
    assert remaining is not None, "it is locked"
    return remaining

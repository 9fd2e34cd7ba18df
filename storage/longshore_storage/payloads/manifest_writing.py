"""Putting a manifest: a draft's row precedes the object, and whoever names the object takes that row.

A manifest's key ends with its digest, so that a row which names it says what it is: whoever writes in the
store can put no other one in its place.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from longshore_chunks import ManifestHeader, ManifestWriter, PlacedChunk
from longshore_storage.catalogue import Catalogue, stored_payloads
from longshore_storage.ports import BlobStore

from .threads import Workers


async def put_manifest(
    catalogue: Catalogue,
    blobs: BlobStore,
    workers: Workers,
    header: ManifestHeader,
    chunks: AsyncGenerator[Sequence[PlacedChunk], None],
) -> str:
    """Write the manifest of ``chunks``, which are in the payload's order, and tell its key.

    The transaction that names the key calls ``stored_payloads.take_manifest``.
    """
    writer = ManifestWriter(header)
    async with aclosing(chunks) as pages:
        parts = [await workers.run(writer.add, page) async for page in pages]
    parts.append(writer.finish())
    name = uuid.uuid4().hex
    key = f"manifests/{name[:2]}/{name}-{writer.digest.hex()}"
    async with catalogue.transaction() as transaction:
        await stored_payloads.begin_manifest(transaction, key)
    await blobs.put(key, parts, crc32c=writer.crc32c)
    return key

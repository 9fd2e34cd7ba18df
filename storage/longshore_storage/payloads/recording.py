"""Recording a payload that is durable and hashed: its manifest, then its row with exactly its pack files.

A crash in between leaves a manifest that no row names, which listing the store finds.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from contextlib import aclosing

from longshore_chunks import CuttingParameters, ManifestHeader, ManifestWriter
from longshore_storage.catalogue import Catalogue, stored_payloads, uploads
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.errors import CatalogueUnavailable, CommitUnknown, ConstraintViolated
from longshore_storage.ports import BlobStore

from .errors import PackFileGone, UploadTakenOver
from .segments import stored_chunks
from .threads import Workers


async def record_payload(
    catalogue: Catalogue,
    blobs: BlobStore,
    workers: Workers,
    *,
    deployment_id: str,
    epoch: int,
    sha256: str,
    size_bytes: int,
    chunk_count: int,
    pack_keys: Collection[str],
    cutting: CuttingParameters,
) -> PayloadRow:
    """Make an upload's stored part a payload, or give back the one that is stored already.

    Raises ``PackFileGone`` and ``UploadTakenOver``; both leave the stored part as it is.
    """
    async with catalogue.reading() as transaction:
        row = await stored_payloads.get_payload(transaction, sha256)
    if row is not None:
        return row
    header = ManifestHeader(bytes.fromhex(sha256), size_bytes, cutting, tuple(pack_keys), chunk_count)
    manifest_key = await _put_manifest(catalogue, blobs, workers, deployment_id, header)
    try:
        async with catalogue.transaction() as transaction:
            if not await uploads.heartbeat(transaction, deployment_id, epoch):
                raise UploadTakenOver(deployment_id)
            inserted = await stored_payloads.insert_payload(
                transaction,
                sha256=sha256,
                size_bytes=size_bytes,
                chunk_count=chunk_count,
                manifest_key=manifest_key,
                pack_keys=pack_keys,
            )
            if not inserted:
                await stored_payloads.condemn(transaction, manifest_key)
    except ConstraintViolated as error:
        if error.foreign_key:
            raise PackFileGone(f"a pack file of payload {sha256}") from error
        raise
    except CommitUnknown as error:
        return await _recorded(catalogue, sha256, f"{error}; it did not take effect: resume the upload")
    return await _recorded(catalogue, sha256, f"payload {sha256} was removed meanwhile: resume the upload")


async def _put_manifest(
    catalogue: Catalogue, blobs: BlobStore, workers: Workers, deployment_id: str, header: ManifestHeader
) -> str:
    name = uuid.uuid4().hex
    key = f"manifests/{name[:2]}/{name}"
    writer = ManifestWriter(header)
    async with aclosing(stored_chunks(catalogue, workers, deployment_id)) as segments:
        parts = [await workers.run(writer.add, chunks) async for chunks in segments]
    parts.append(writer.finish())
    await blobs.put(key, parts, crc32c=writer.crc32c)
    return key


async def _recorded(catalogue: Catalogue, sha256: str, otherwise: str) -> PayloadRow:
    async with catalogue.reading() as transaction:
        row = await stored_payloads.get_payload(transaction, sha256)
    if row is None:
        raise CatalogueUnavailable(otherwise)
    return row

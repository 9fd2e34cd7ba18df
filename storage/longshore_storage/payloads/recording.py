"""Recording a payload that is durable and hashed: its manifest, then its row with exactly its pack files.

From then on the upload's row keeps the payload from being collected, until a release names it. A crash in
between leaves a draft's row, by which the manifest is found.
"""

from __future__ import annotations

from collections.abc import Collection

import structlog

from longshore_chunks import CuttingParameters, ManifestHeader
from longshore_storage.catalogue import Catalogue, Transaction, packs, stored_payloads, uploads
from longshore_storage.catalogue.stored_payloads import PayloadRow
from longshore_storage.errors import CatalogueUnavailable, CommitUnknown, ConstraintViolated
from longshore_storage.ports import BlobStore

from .errors import PackFileDamaged, PackFileGone, UploadTakenOver
from .manifest_writing import put_manifest
from .segments import stored_chunks
from .threads import Workers

_log = structlog.get_logger(__name__)


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

    One that was found damaged is sound again by it. Raises ``PackFileGone``, ``PackFileDamaged`` and
    ``UploadTakenOver``; all leave the stored part as it is.
    """
    row = await keep_stored_payload(catalogue, deployment_id, epoch, sha256)
    if row is not None:
        return row
    header = ManifestHeader(bytes.fromhex(sha256), size_bytes, cutting, tuple(pack_keys), chunk_count)
    chunks = stored_chunks(catalogue, workers, deployment_id)
    try:
        manifest_key = await put_manifest(catalogue, blobs, workers, header, chunks)
    except ValueError as error:
        # Whoever has the upload now, or ended it, changed its stored part while it was read.
        if await _holds(catalogue, deployment_id, epoch):
            raise
        raise UploadTakenOver(deployment_id) from error
    try:
        async with catalogue.transaction() as transaction:
            # First, for it locks the upload's row, which everything below hangs on.
            if not await uploads.heartbeat(transaction, deployment_id, epoch):
                raise UploadTakenOver(deployment_id)
            if not await stored_payloads.take_manifest(transaction, manifest_key):
                raise PackFileGone(f"manifest {manifest_key}")
            states = await packs.lock_packs(transaction, pack_keys)
            if "DAMAGED" in states.values():
                raise PackFileDamaged(f"a pack file of payload {sha256}")
            inserted = await stored_payloads.insert_payload(
                transaction,
                sha256=sha256,
                size_bytes=size_bytes,
                chunk_count=chunk_count,
                manifest_key=manifest_key,
                pack_keys=pack_keys,
            )
            if not inserted and not await _repair(
                transaction, sha256, manifest_key, chunk_count=chunk_count, pack_keys=pack_keys
            ):
                await stored_payloads.condemn(transaction, manifest_key)
            await uploads.keep_payload(transaction, deployment_id, epoch, sha256)
            row = await stored_payloads.get_payload(transaction, sha256)
    except ConstraintViolated as error:
        if error.foreign_key:
            raise PackFileGone(f"a pack file of payload {sha256}") from error
        raise
    except CommitUnknown as error:
        row = await keep_stored_payload(catalogue, deployment_id, epoch, sha256)
        if row is None:
            raise CatalogueUnavailable(f"{error}; it did not take effect: resume the upload") from error
    assert row is not None, "the upload keeps it"
    return row


async def _holds(catalogue: Catalogue, deployment_id: str, epoch: int) -> bool:
    async with catalogue.transaction() as transaction:
        return await uploads.heartbeat(transaction, deployment_id, epoch)


async def _repair(
    transaction: Transaction, sha256: str, manifest_key: str, *, chunk_count: int, pack_keys: Collection[str]
) -> bool:
    """Give a payload that was found damaged the upload's manifest; False when it is sound."""
    row = await stored_payloads.get_payload(transaction, sha256)
    if row is None or not row.damage:
        return False
    repaired = await stored_payloads.replace_manifest(
        transaction, row, manifest_key=manifest_key, chunk_count=chunk_count, pack_keys=pack_keys
    )
    if repaired:
        _log.info("payload.repaired", sha256=sha256, by="upload", damage=row.damage)
    return repaired


async def keep_stored_payload(
    catalogue: Catalogue, deployment_id: str, epoch: int, sha256: str
) -> PayloadRow | None:
    """The payload if it is stored, kept for the upload from then on."""
    async with catalogue.reading() as transaction:
        if await stored_payloads.get_payload(transaction, sha256) is None:
            # As most that come: nobody who writes waits for the answer.
            return None
    try:
        async with catalogue.transaction() as transaction:
            row = await stored_payloads.get_payload(transaction, sha256)
            if row is None or row.damage:
                return None
            if not await uploads.keep_payload(transaction, deployment_id, epoch, sha256):
                raise UploadTakenOver(deployment_id)
    except ConstraintViolated as error:
        if error.foreign_key:
            # It was collected between the two statements.
            return None
        raise
    return row

"""Whose blob store it is: each catalogue that collects in a store leaves a mark there with its own id.

To a database that is new, empty, or another installation's, everything in the store would be an orphan. So
orphans are only looked for where no other catalogue has left its mark. Rows are enough for everything else.
"""

from __future__ import annotations

import json
import uuid
from typing import Final

import google_crc32c
from sqlalchemy import select

from longshore_storage.catalogue import Catalogue, Transaction, tables
from longshore_storage.catalogue.projects import insert_if_absent
from longshore_storage.ports import BlobStore

MARKS: Final = "catalogues/"
_NAME: Final = "catalogue"


async def why_not_ours_alone(catalogue: Catalogue, blobs: BlobStore) -> str:
    """Why objects without a row may be another catalogue's; empty when they are nobody's."""
    async with catalogue.reading() as transaction:
        own_id = await catalogue_id(transaction)
    ours = f"{MARKS}{own_id}" if own_id else ""
    found = [blob.key async for blob in blobs.list(MARKS)]
    others = [key.removeprefix(MARKS) for key in found if key != ours]
    if not others:
        return ""
    return (
        f"the blob store is also that of catalogue {', '.join(sorted(others))}, so objects that this one "
        "does not know were left alone: give each its own bucket or prefix; if this database replaces "
        "that one, rebuild it, then run `longshore admin gc --take-over`"
    )


async def leave_mark(catalogue: Catalogue, blobs: BlobStore) -> str:
    """Make known that this catalogue's objects lie in a store; tells the mark's key."""
    async with catalogue.transaction() as transaction:
        await insert_if_absent(transaction, tables.identity, name=_NAME, id=str(uuid.uuid4()))
        own_id = await catalogue_id(transaction)
    key = f"{MARKS}{own_id}"
    if key not in [blob.key async for blob in blobs.list(MARKS)]:
        body = json.dumps({"format": 1, "catalogue": own_id}).encode()
        await blobs.put(key, [body], crc32c=google_crc32c.value(body))
    return key


async def take_over(catalogue: Catalogue, blobs: BlobStore) -> None:
    """Be the only catalogue of a blob store, after the others are gone for good."""
    ours = await leave_mark(catalogue, blobs)
    for key in [blob.key async for blob in blobs.list(MARKS)]:
        if key != ours:
            await blobs.delete(key)


async def catalogue_id(transaction: Transaction) -> str:
    """Which catalogue it is; empty of one that has never left its mark."""
    i = tables.identity
    row = await transaction.one(select(i.c.id).where(i.c.name == _NAME))
    return str(row.id) if row else ""

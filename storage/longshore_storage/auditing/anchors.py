"""Anchors: heads in the blob store, where whoever rewrites the database does not reach.

An anchor's key has the head itself, so that putting it twice is harmless and none is ever overwritten: a
chain that was written anew stands beside the old one, which tells that it was. Its body has the digest of
each entry, for saying later which one is wrong.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import google_crc32c

from longshore_storage.catalogue.rows import AuditSeal
from longshore_storage.errors import BlobNotFound
from longshore_storage.ports import BlobStore

from .proof import head_document, rows_sha256

FOLDER: Final = "audit/"
_NAME: Final = re.compile(r"([0-9]{20})-([0-9a-f]{64})")
_KEY: Final = re.compile(FOLDER + r"([0-9a-f-]{36})/heads/" + _NAME.pattern)


class Anchor(NamedTuple):
    """What an anchor's key tells."""

    number: int
    head: str


class OtherChain(NamedTuple):
    """A chain that is not the database's: how many heads are anchored, the first and the last."""

    chain: str
    heads: int
    first: Anchor
    last: Anchor


async def put_anchor(blobs: BlobStore, chain: str, seal: AuditSeal, digests: Mapping[int, str]) -> None:
    """Store a seal's head for good; ``digests`` are of its entries by id, none where they are not known."""
    lines = [f"{entry_id} {one}\n" for entry_id, one in digests.items()]
    body = head_document(seal, chain) + b"\n" + "".join(lines).encode()
    await blobs.put(_key(chain, Anchor(seal.number, seal.head)), [body], crc32c=google_crc32c.value(body))


async def list_anchors(blobs: BlobStore, chain: str) -> AsyncIterator[Anchor]:
    """The anchors of a chain by number; of one number there are several where it was written anew.

    One that has no name has none.
    """
    if not chain:
        return
    prefix = f"{FOLDER}{chain}/heads/"
    async for blob in blobs.list(prefix):
        if named := _NAME.fullmatch(blob.key.removeprefix(prefix)):
            yield Anchor(int(named[1]), named[2])


async def is_anchored(blobs: BlobStore, chain: str, seal: AuditSeal) -> bool:
    """Whether a seal's head is stored now."""
    try:
        await blobs.stat(_key(chain, Anchor(seal.number, seal.head)))
    except BlobNotFound:
        return False
    return True


async def anchored_digests(blobs: BlobStore, chain: str, seal: AuditSeal) -> Mapping[int, str] | None:
    """The digests of a seal's entries by id as they were sealed; None where none are proved."""
    try:
        body = await blobs.get(_key(chain, Anchor(seal.number, seal.head)))
    except BlobNotFound:
        return None
    document, _, lines = body.partition(b"\n")
    if document != head_document(seal, chain):
        return None
    try:
        pairs = [line.split(" ") for line in lines.decode("ascii").splitlines()]
        digests = {int(entry_id): one for entry_id, one in pairs}
        proved = rows_sha256(digests.values()) == seal.rows_sha256
    except ValueError:
        return None
    return digests if proved else None


async def sealed_at(blobs: BlobStore, chain: str, anchor: Anchor) -> datetime | None:
    """When a head was sealed; None where what it is the digest of is gone."""
    try:
        body = await blobs.get(_key(chain, anchor))
    except BlobNotFound:
        return None
    document, _, _ = body.partition(b"\n")
    if hashlib.sha256(document).hexdigest() != anchor.head:
        return None
    try:
        time = datetime.fromisoformat(json.loads(document)["time"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return time if time.tzinfo else None


async def other_chains(blobs: BlobStore, chain: str) -> Sequence[OtherChain]:
    """The chains of which heads are stored as well, by their names; ``chain`` may be empty."""
    found: dict[str, OtherChain] = {}
    async for blob in blobs.list(FOLDER):
        named = _KEY.fullmatch(blob.key)
        if named and named[1] != chain:
            last = Anchor(int(named[2]), named[3])
            before = found.get(named[1], OtherChain(named[1], 0, last, last))
            found[named[1]] = before._replace(heads=before.heads + 1, last=last)
    return list(found.values())


def _key(chain: str, anchor: Anchor) -> str:
    return f"{FOLDER}{chain}/heads/{anchor.number:020}-{anchor.head}"

"""From URLs and keys to a blob store. Opens no connection: a store that is away is no reason not to start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from longshore_storage.ports import BlobStore

from .files import FileBlobStore
from .replicated import ReplicatedBlobStore
from .s3 import S3BlobStore
from .urls import S3Location, parse_blob_url, parse_read_urls, with_keys

# A replica is there to save time: one that takes longer is not waited for.
_REPLICA_CONNECT_TIMEOUT_S: Final = 2.0
_REPLICA_READ_TIMEOUT_S: Final = 5.0


@asynccontextmanager
async def open_blob_store(
    url: str,
    *,
    read_urls: Sequence[str] = (),
    access_key: str = "",
    secret_key: str = "",
    connect_timeout_s: float = 5.0,
    read_timeout_s: float = 30.0,
    retry_for_s: float = 20.0,
) -> AsyncIterator[BlobStore]:
    """The store that ``url`` names, open for as long as the block runs.

    ``file:///absolute/folder`` is made where it is missing. Of an S3 store nothing is asked yet, so that a
    node starts while it is away: ``check`` asks. Keys given here win over those in the URL; times count for
    S3 only. ``read_urls`` name replicas of an S3 store, nearest first; where one has no keys, they are
    those of ``url``. Raises ``Misconfigured``.
    """
    place = parse_blob_url(url)
    store: BlobStore
    if isinstance(place, S3Location):
        place = with_keys(place, access_key, secret_key)
        store = _open_s3(place, connect_timeout_s, read_timeout_s, retry_for_s)
    else:
        store = await FileBlobStore.open(place)
    try:
        if replicas := parse_read_urls(read_urls, place):
            store = ReplicatedBlobStore(store, [open_replica(replica) for replica in replicas])
        yield store
    finally:
        await store.close()


def open_replica(place: S3Location) -> S3BlobStore:
    """A store that is only read from, and not waited for."""
    return _open_s3(place, _REPLICA_CONNECT_TIMEOUT_S, _REPLICA_READ_TIMEOUT_S, 0, is_replica=True)


def _open_s3(
    place: S3Location,
    connect_timeout_s: float,
    read_timeout_s: float,
    retry_for_s: float,
    *,
    is_replica: bool = False,
) -> S3BlobStore:
    """The store at ``place``, which has its keys."""
    return S3BlobStore(
        place.endpoints,
        place.bucket,
        access_key=place.access_key,
        secret_key=place.secret_key,
        secure=place.secure,
        prefix=place.prefix,
        region=place.region,
        connect_timeout_s=connect_timeout_s,
        read_timeout_s=read_timeout_s,
        retry_for_s=retry_for_s,
        is_replica=is_replica,
    )

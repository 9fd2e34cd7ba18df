"""Blob stores: the adapters behind ``ports.BlobStore``, and the way from a setting to one of them.

Owns what is specific to a kind of store; keys, contents and what is garbage are decided elsewhere. Vendor
types and errors end here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from longshore_storage.errors import Misconfigured
from longshore_storage.ports import BlobStore

from .files import FileBlobStore
from .s3 import S3BlobStore
from .urls import parse_blob_url

__all__ = ["FileBlobStore", "S3BlobStore", "open_blob_store"]


@asynccontextmanager
async def open_blob_store(
    url: str,
    *,
    access_key: str = "",
    secret_key: str = "",
    connect_timeout_s: float = 5.0,
    read_timeout_s: float = 30.0,
    retry_for_s: float = 20.0,
) -> AsyncIterator[BlobStore]:
    """The store that ``url`` names, open for as long as the block runs.

    ``file:///absolute/folder`` is made where it is missing. Of an S3 store nothing is asked yet, so that a
    node starts while it is away: ``check`` asks. Keys given here win over those in the URL; times count for
    S3 only. Raises ``Misconfigured``.
    """
    place = parse_blob_url(url)
    store: FileBlobStore | S3BlobStore
    if isinstance(place, Path):
        store = await FileBlobStore.open(place)
    else:
        access_key, secret_key = access_key or place.access_key, secret_key or place.secret_key
        if not access_key or not secret_key:
            raise Misconfigured(
                f"no access key or no secret key for bucket {place.bucket!r} at {place.endpoint}: "
                "put both into blobs.url, or name them in the settings beside it"
            )
        store = S3BlobStore(
            place.endpoint,
            place.bucket,
            access_key=access_key,
            secret_key=secret_key,
            secure=place.secure,
            prefix=place.prefix,
            region=place.region,
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
            retry_for_s=retry_for_s,
        )
    try:
        yield store
    finally:
        await store.close()

"""Opening what a node, or a command beside it, keeps things in: the stores that the settings name."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import Catalogue, open_catalogue
from longshore_storage.catalogue.opening import LONGEST_IDLE_IN_TRANSACTION_S
from longshore_storage.coordination import open_coordination
from longshore_storage.errors import Misconfigured, StorageError
from longshore_storage.ports import BlobStore, Coordination

from .settings import Settings

_log = structlog.get_logger(__name__)

_CHECK_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Stores:
    """What a node keeps things in, opened."""

    catalogue: Catalogue
    blobs: BlobStore
    coordination: Coordination


async def open_stores(settings: Settings, stack: AsyncExitStack, *, holder: str = "") -> Stores:
    """Open them for as long as ``stack`` is; blobs and coordination may be away. Raises ``Misconfigured``.

    ``holder`` stands in the locks that are held: a node's UUID, by default the command and its machine.
    """
    catalogue = open_catalogue_of(settings, stack)
    if settings.embedded_database:
        await catalogue.migrate()
    await catalogue.check()
    blobs = await open_blobs(settings, stack)
    try:
        # A store that keeps silent is away as well.
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            await blobs.check()
    except Misconfigured:
        raise
    except (StorageError, TimeoutError) as error:
        # It may come later; until then the node serves what needs no blobs.
        _log.warning("blobs.away", error=str(error) or "no answer in time")
    coordination = open_coordination_of(settings, stack, holder=holder)
    try:
        await coordination.check()
    except Misconfigured:
        raise
    except StorageError as error:
        _log.warning("coordination.away", error=str(error))
    return Stores(catalogue, blobs, coordination)


def open_catalogue_of(settings: Settings, stack: AsyncExitStack) -> Catalogue:
    """The catalogue for as long as ``stack`` is open; nothing is asked of it yet."""
    catalogue = open_catalogue(
        settings.database_url,
        pool_size=settings.database.pool_size,
        # Who takes a rollout over, after a lease, must not wait much longer for the rows of who hangs.
        idle_in_transaction_s=min(LONGEST_IDLE_IN_TRANSACTION_S, 2 * settings.coordination.lease_s),
    )
    stack.push_async_callback(catalogue.close)
    return catalogue


async def open_blobs(settings: Settings, stack: AsyncExitStack) -> BlobStore:
    """The blob store for as long as ``stack`` is open; nothing is asked of it yet."""
    return await stack.enter_async_context(
        open_blob_store(
            settings.blobs_url,
            read_urls=settings.blobs_read_urls,
            access_key=settings.blobs.access_key,
            secret_key=settings.blobs.secret_key.get_secret_value(),
            read_timeout_s=settings.blobs.silence_timeout_s,
            retry_for_s=settings.blobs.retry_for_s,
        )
    )


def open_coordination_of(settings: Settings, stack: AsyncExitStack, *, holder: str = "") -> Coordination:
    """The coordination service for as long as ``stack`` is open; nothing is asked of it yet."""
    coordination = open_coordination(
        settings.coordination.url,
        ca_file=settings.coordination.ca_file,
        cert_file=settings.coordination.cert_file,
        key_file=settings.coordination.key_file,
        user=settings.coordination.user or None,
        password=settings.coordination.password.get_secret_value() or None,
        lease_ttl_s=settings.coordination.lease_s,
        holder=holder or f"a command on {socket.gethostname()}",
    )
    stack.push_async_callback(coordination.close)
    return coordination

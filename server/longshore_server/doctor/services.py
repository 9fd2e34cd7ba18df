"""The data folder, the database, the blob store and the coordination service, each by using it."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import google_crc32c
from sqlalchemy.engine import make_url

from longshore_server.settings import Settings
from longshore_storage.blobs.urls import parse_blob_url
from longshore_storage.catalogue import Catalogue
from longshore_storage.errors import Misconfigured, StorageError
from longshore_storage.ports import BlobStore, Coordination

from .finding import Finding, State

# Stored times are the database's; a machine that is further off misleads whoever compares its log with them.
_MOST_CLOCK_DIFFERENCE_S = 5.0
_SLOW_S = 1.0
_LEAST_FREE_SHARE = 0.1
_PATIENCE_S = 10.0
_PROBE_BYTES = 64 * 1024


def look_at_data_folder(folder: Path) -> list[Finding]:
    """Whether a node can keep its data there."""
    part = "data folder"
    existing = folder if folder.exists() else folder.absolute().parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return [Finding(part, State.BAD, f"{folder} cannot be written to", "mend its owner and mode")]
    usage = shutil.disk_usage(existing)
    free = f"{usage.free / 1e9:.1f} GB free"
    if usage.free < usage.total * _LEAST_FREE_SHARE:
        return [
            Finding(part, State.WARN, f"{folder}: only {free}", "make room, or keep fewer releases there")
        ]
    return [Finding(part, State.OK, f"{folder}, {free}")]


def look_for_files(settings: Settings) -> list[Finding]:
    """What of the embedded stores is not there yet; to open it would make it, as whoever looks just now."""
    files = {}
    database = make_url(settings.database_url)
    if settings.embedded_database and database.database:
        files["database"] = Path(database.database)
    blobs = parse_blob_url(settings.blobs_url)
    if isinstance(blobs, Path):
        files["blob store"] = blobs
    return [
        Finding(part, State.BAD, f"{path} is not there yet", "start a node once, which makes it")
        for part, path in files.items()
        if not path.exists()
    ]


async def look_at_database(catalogue: Catalogue) -> AsyncIterator[Finding]:
    """Whether it answers, has this version's schema, and tells the same time as this machine."""
    part = "database"
    begun_s = time.monotonic()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await catalogue.check()
            async with catalogue.reading() as transaction:
                difference_s = abs((await transaction.now() - datetime.now(UTC)).total_seconds())
    except (StorageError, TimeoutError) as error:
        yield _away(part, catalogue.database, error)
        return
    yield _answered(part, catalogue.database, time.monotonic() - begun_s)
    if difference_s > _MOST_CLOCK_DIFFERENCE_S:
        yield Finding(
            "clock",
            State.WARN,
            f"this machine and the database differ by {difference_s:.0f} s",
            "let both keep their time by NTP",
        )


async def look_at_blob_store(blobs: BlobStore, url: str) -> AsyncIterator[Finding]:
    """Whether an object can be put, read back as it was, listed and deleted."""
    part = "blob store"
    body = os.urandom(_PROBE_BYTES)
    key = f"doctor/{uuid.uuid4().hex}"
    begun_s = time.monotonic()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await blobs.check()
            await blobs.put(key, [body], crc32c=google_crc32c.value(body))
            try:
                found = await blobs.get(key)
                listed = [one.key async for one in blobs.list(key)]
            finally:
                await blobs.delete(key)
    except (StorageError, TimeoutError) as error:
        yield _away(part, url, error)
        return
    if found != body or listed != [key]:
        yield Finding(
            part, State.BAD, f"{url} gives back other bytes than it took", "it is no store for Longshore"
        )
        return
    yield _answered(part, url, time.monotonic() - begun_s)


async def look_at_coordination(coordination: Coordination, url: str) -> AsyncIterator[Finding]:
    """Whether a lock can be taken and given back."""
    part = "coordination"
    begun_s = time.monotonic()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await coordination.check()
            async with coordination.lock(f"doctor/{uuid.uuid4().hex}"):
                pass
    except (StorageError, TimeoutError) as error:
        yield _away(part, url, error)
        return
    yield _answered(part, url, time.monotonic() - begun_s)


def look_for_members(url: str) -> list[Finding]:
    """Whether more than one member of etcd is known, so that one may be away."""
    if not url.startswith("etcd") or "," in url:
        return []
    return [
        Finding(
            "etcd members",
            State.WARN,
            "one is known: while it is away no rollout goes on",
            "run three, and name all of them in `coordination.url`",
        )
    ]


def _answered(part: str, where: str, seconds: float) -> Finding:
    what = f"{where} answers in {seconds * 1000:.0f} ms"
    if seconds > _SLOW_S:
        return Finding(part, State.WARN, what, "look at its load, and at the network between")
    return Finding(part, State.OK, what)


def _away(part: str, where: str, error: Exception) -> Finding:
    if isinstance(error, Misconfigured):
        return Finding(part, State.BAD, str(error), "mend the setting")
    why = str(error) or f"no answer within {_PATIENCE_S:g} s"
    return Finding(part, State.BAD, f"{where}: {why}", "see whether it runs and can be reached from here")

"""What settings leave open: secrets that others may read, and stores that are spoken to in the clear.

These are warnings. A node starts all the same, for the network between it and its stores may be its own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy.engine import URL, make_url

from longshore_storage.blobs.urls import S3Location, parse_blob_url, parse_read_urls

from .settings import Settings
from .settings.addresses import is_loopback
from .settings.effective import secrets_in
from .settings.named_files import named_files

_SECRET: Final = ("key_file", "secret_file", "password_file", "token_file", "headers_file")


class Exposure(NamedTuple):
    """What is open, and what to do."""

    what: str
    advice: str


def exposures(settings: Settings, config: Path | None) -> Iterator[Exposure]:
    """All that is open, of settings that are sound and their file. Raises ``Misconfigured`` for others."""
    if config is not None and _read_by_others(config) and (keys := secrets_in(settings, config)):
        named = ", ".join(f"`{key}`" for key in keys)
        yield Exposure(
            f"{config} has secrets in it ({named}), and may be read by every user of this machine",
            f"chmod 0600 {config}, or name a file for each of them that only the node's user reads",
        )
    for key, path in named_files(settings):
        if key.endswith(_SECRET) and _read_by_others(path):
            yield Exposure(
                f"{path} (`{key}`) may be read by every user of this machine", f"chmod 0600 {path}"
            )
    database = make_url(settings.database_url)
    if settings.embedded_database:
        if database.database and _read_by_others(Path(database.database)):
            told = f"{database.database}, the database, may be read by every user here"
            yield Exposure(told, f"chmod 0600 {database.database}, and what is beside it")
    else:
        yield from _of_database(database)
    yield from _of_blob_store(settings)
    yield from _of_coordination(settings)


def _read_by_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _of_database(url: URL) -> Iterator[Exposure]:
    named = url.query.get("host", url.host or os.environ.get("PGHOST", ""))
    hosts = named if isinstance(named, tuple) else named.split(",")
    mode = url.query.get("sslmode", os.environ.get("PGSSLMODE", "prefer"))
    # A path is a socket, and so is nothing.
    if mode != "verify-full" and any(host and not host.startswith("/") and _away(host) for host in hosts):
        yield Exposure(
            f"`database.url` has sslmode={mode}: whoever is between can be it, and decide what is live",
            "add ?sslmode=verify-full&sslrootcert=FILE to it, FILE having the authority of its certificate",
        )


def _of_blob_store(settings: Settings) -> Iterator[Exposure]:
    main = parse_blob_url(settings.blobs_url)
    named = [
        ("blobs.url", main),
        *(("blobs.read_urls", one) for one in parse_read_urls(settings.blobs_read_urls, main)),
    ]
    for key, place in named:
        if isinstance(place, S3Location) and not place.secure and any(map(_away, place.endpoints)):
            yield Exposure(
                f"`{key}` is s3+http://: whoever is between can read payloads and replace them",
                "have the store speak TLS, and write s3+https://",
            )


def _of_coordination(settings: Settings) -> Iterator[Exposure]:
    parts = urlsplit(settings.coordination.url)
    if parts.scheme == "etcd" and settings.coordination.user and any(map(_away, parts.netloc.split(","))):
        yield Exposure(
            "`coordination.url` is etcd://: whoever is between can read the password of `coordination.user`",
            "have etcd speak TLS, and write etcds://",
        )


def _away(server: str) -> bool:
    """Whether HOST, or HOST:PORT, is another machine."""
    return not is_loopback(urlsplit(f"//{server}").hostname or "")

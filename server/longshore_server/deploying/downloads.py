"""Downloading a release's payload, verified chunk by chunk, from any offset."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from longshore_server.access.shares import Shares
from longshore_server.refusal import Reason, Refusal, invalid
from longshore_storage.catalogue import Catalogue, projects, releases
from longshore_storage.catalogue.rows import Release
from longshore_storage.payloads import PayloadStore

from .requests import version_key

# Each may hold some 72 MiB read ahead for a client that reads slowly.
_MOST_AT_ONCE = 16
_COME_BACK_AFTER_S = 5.0
_SUFFIXES = {"TAR": ".tar", "TAR_GZ": ".tar.gz", "TAR_ZST": ".tar.zst", "TAR_XZ": ".tar.xz", "ZIP": ".zip"}


@dataclass(frozen=True, slots=True)
class Download:
    """A release's payload from an offset on; ``file_name`` is a name to keep it under."""

    release: Release
    file_name: str
    pieces: AsyncGenerator[bytes | memoryview, None]


class Downloads:
    """The use case DownloadPayload."""

    def __init__(self, catalogue: Catalogue, payloads: PayloadStore) -> None:
        self._catalogue = catalogue
        self._payloads = payloads
        self._running = Shares(_MOST_AT_ONCE, "downloads", _too_many)

    async def open(self, project: str, version: str, offset: int) -> Download:
        """Find the payload; raises ``Refusal`` when it is not there (any more) or shorter than ``offset``."""
        if offset < 0:
            raise invalid("offset", "must not be negative")
        async with self._catalogue.reading() as transaction:
            if await projects.get_project(transaction, project) is None:
                raise Refusal(Reason.PROJECT_NOT_FOUND, f"there is no project {project[:100]!r}")
            release = await releases.find_release(transaction, project, version_key(version))
        if release is None:
            raise Refusal(Reason.RELEASE_NOT_FOUND, f"{project} has no release {version[:100]!r}")
        if release.stored_payload is None:
            raise Refusal(
                Reason.PAYLOAD_RECLAIMED,
                f"the payload of {project} {release.version} was reclaimed: deploy its content again",
            )
        if offset > release.payload_size_bytes:
            raise Refusal(
                Reason.BEYOND_END,
                f"offset {offset} lies beyond the payload's end, {release.payload_size_bytes}",
                violations={"offset": "lies beyond the end"},
            )
        suffix = _SUFFIXES.get(release.payload_format, "")
        return Download(
            release=release,
            file_name=release.file_name or f"{project}-{release.version}{suffix}",
            pieces=self._pieces(release.stored_payload, offset),
        )

    async def _pieces(self, sha256: str, offset: int) -> AsyncGenerator[bytes | memoryview, None]:
        with self._running.counted():
            async with self._payloads.open(sha256) as reader, aclosing(reader.stream(offset)) as stream:
                async for piece in stream:
                    yield piece


def _too_many(why: str) -> Refusal:
    return Refusal(
        Reason.LIMIT_EXCEEDED, f"{why}: try again soon, or ask another node", retry_after_s=_COME_BACK_AFTER_S
    )
